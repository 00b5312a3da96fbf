"""Starts that need not end: those that are seen in the bowl of a known minimum, and those that nobody waits for."""

from __future__ import annotations

import numpy as np
import pytest
from toy_models import leptons

from hpcscan import Gaussian, Model, Parameter
from hpcscan.fitting import methods
from hpcscan.fitting.block import fit_starts
from hpcscan.fitting.descent import Once, minimise
from hpcscan.fitting.ends import MOVING, Launch, Minima
from hpcscan.fitting.guided import Guide
from hpcscan.fitting.records import UNKNOWN, Evidence, Status
from hpcscan.fitting.tries import Place
from hpcscan.fitting.trust_region import LONG, finish
from hpcscan.likelihood.objective import Given, Objective
from hpcscan.model.posing import pose
from hpcscan.models.leptons.model import LeptonModel
from hpcscan.settings import FitSettings, StartRange

POINTS = np.array([[beta, 0.02] for beta in (1.5, 2.5, 3.1)])
SIXTEEN = FitSettings(starts=StartRange(16, 16), proof=None)


class TwoBowls(Model):
    """χ² = (x² − 1)² + (x + 1)²/100 + …: minima near x = −1 and, higher, near x = 1; beyond 0 it falls towards both."""

    parameters = (
        Parameter("t", 0.0, 1.0), Parameter("x", -2.0, 2.0), *(Parameter(f"y{j}", -2.0, 2.0) for j in range(6))
    )  # fmt: skip
    data = (Gaussian("fold", 1.0, 0.1), Gaussian("tilt", -1.0, 1.0), Gaussian("others", np.zeros(6), 0.1))

    def predict(self, t, x, **y):
        return {"fold": x * x + 0 * t, "tilt": x, "others": np.concatenate(list(y.values()), axis=1)}


OBJECTIVE = Objective(pose(TwoBowls(), ("t",)))


def minimum(x: float) -> tuple[np.ndarray, float]:
    """Descend to the minimum of one of the bowls."""
    start = np.zeros((7, 2))
    start[0] = x
    ends = minimise(OBJECTIVE, Given(np.zeros((1, 2))), start, 100)
    return ends.x[:, 0], float(ends.chi2[0])


def seen(places: np.ndarray) -> list[bool]:
    """Ask of places, shape (7, n), whether they lead to the higher minimum, which is the only one that is known."""
    n = places.shape[1]
    at, none = OBJECTIVE.evaluate(Given(np.zeros((1, n))), places), np.zeros(n, np.int64)
    where, chi2 = minimum(1.0)
    place = Place(
        np.arange(n), Given(np.zeros((1, n))), places, at.chi2, at.residual, np.ones(n), none, none, none > 0,
        none + UNKNOWN,
    )  # fmt: skip
    guide = Guide(OBJECTIVE, none, np.array([chi2]), where[:, None])
    return guide.before(place)[0].tolist()


def test_a_start_is_in_the_bowl_of_a_minimum_where_chi2_is_a_parabola_all_the_way() -> None:
    places = np.zeros((7, 3))
    places[0], places[1:] = (0.97, 0.99, 1.02), 0.05
    assert all(seen(places))


def test_a_start_that_passes_by_is_not_kept_from_a_lower_minimum() -> None:
    """χ² falls all along the straight way to the known minimum from there, but its own way leads to the other."""
    (_, higher), (_, lower) = minimum(1.0), minimum(-1.0)
    assert lower < higher - 1
    places = np.zeros((7, 2))
    places[0] = (-0.02, -0.95)
    known = minimum(1.0)[0]
    way = [places[:, 0] + share * (known - places[:, 0]) for share in (0.0, 0.25, 0.5, 0.75, 1.0)]
    chi2 = OBJECTIVE.evaluate(Given(np.zeros((1, 5))), np.stack(way, axis=1)).chi2
    assert (np.diff(chi2) < 0).all()
    assert not any(seen(places))


def test_starts_that_take_long_are_left_where_the_others_agree() -> None:
    """They count as starts that have not converged; the point is as it would be with them."""
    problem = pose(LeptonModel(box="moments", moment="uniform"), ("beta", "w"))
    ends, result = fit_starts(problem, POINTS, np.arange(3), SIXTEEN)
    assert (result.evidence == Evidence.AGREED).all()
    n_left = (result.start_status == Status.NOT_CONVERGED).sum(axis=1)
    assert n_left.sum() > 0
    assert (result.n_starts == 16).all()
    assert (result.n_starts_at_minimum >= np.maximum(5, 0.2 * result.n_starts)).all()
    assert (result.n_starts_at_minimum <= 16 - n_left).all()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(methods._Starts, "dispensable_above", lambda _, ends: np.full(len(ends.chi2), np.inf))
        all_ends, waited = fit_starts(problem, POINTS, np.arange(3), SIXTEEN)
    np.testing.assert_allclose(result.chi2, waited.chi2, rtol=1e-9)
    assert ends.n_iterations.sum() < 0.7 * all_ends.n_iterations.sum()


def test_a_start_that_is_below_what_the_others_agree_on_goes_on_however_long_it_takes() -> None:
    """Left there, it would keep the point from its minimum, and from agreement."""
    places, none = np.zeros((7, 2)), np.zeros(2, np.int64)
    places[0] = (0.8, -0.8)
    given = Given(np.zeros((1, 2)))
    at, ends = OBJECTIVE.evaluate(given, places), Minima.not_run(7, 2)
    ends.status[:] = MOVING
    place = Place(
        np.arange(2), given, places, at.chi2, at.residual, np.ones(2), none + LONG, none, none > 0, none + UNKNOWN
    )  # fmt: skip
    above, below = at.chi2

    class Agreed(Once):
        """Others agree between the two."""

        def dispensable_above(self, ends: Minima) -> np.ndarray:
            return np.full(2, (above + below) / 2)

    assert below < above
    finish(OBJECTIVE, ends, Agreed(Launch(none[:0], given.take(none[:0]), places[:, :0])), place, 200)
    assert ends.status.tolist() == [Status.NOT_CONVERGED, Status.CONVERGED]
    assert ends.chi2.tolist() == [above, pytest.approx(minimum(-1.0)[1], abs=1e-6)]


@pytest.mark.parametrize("most", [9, 20, 30])
def test_no_start_takes_more_steps_than_it_may_when_it_approaches_again(most: int) -> None:
    problem = pose(LeptonModel(box="moments", moment="uniform"), ("beta", "w"))
    settings = FitSettings(starts=StartRange(16, 16), proof=None, max_iter=most)
    assert fit_starts(problem, POINTS, np.arange(3), settings)[0].n_iterations.max() == most


def test_where_boxes_of_predictions_are_searched_no_more_starts_begin_than_are_needed_to_agree() -> None:
    problem = pose(LeptonModel(box="widened", moment="uniform"), ("beta", "w"))
    result = fit_starts(problem, POINTS[:1], np.arange(1), FitSettings(starts=StartRange(4, 64)))[1]
    assert (result.evidence, result.n_starts) == (Evidence.AGREED, 16)


def test_a_start_is_left_for_its_own_point_alone() -> None:
    """The same bits beside other points; and nothing is left where too few starts agree to tell."""
    problem = pose(LeptonModel(box="moments", moment="uniform"), ("beta", "w"))
    together = fit_starts(problem, POINTS, np.arange(3), SIXTEEN)[1]
    for k in range(3):
        alone = fit_starts(problem, POINTS[[k]], np.array([k]), SIXTEEN)[1]
        assert alone.start_chi2.tobytes() == together.start_chi2[[k]].tobytes()
        assert alone.start_status.tobytes() == together.start_status[[k]].tobytes()
        assert alone.n_model_rows[0] == together.n_model_rows[k]
    few = fit_starts(problem, POINTS, np.arange(3), FitSettings(starts=StartRange(4, 4), proof=None))[1]
    assert (few.start_status == Status.CONVERGED).mean() > 0.9


def test_nothing_is_left_where_starts_come_home_soon() -> None:
    result = fit_starts(leptons(), np.array([[3.1, 0.02]]), np.arange(1), SIXTEEN)[1]
    assert (result.start_status == Status.CONVERGED).all()
