"""Refits from neighbours' minima: what improves, what is confirmed, and what stays as it was."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_models import DecayWithJacobian, Holes, leptons

from hpcscan.fitting.block import fit_block
from hpcscan.fitting.guided import fit_guided
from hpcscan.fitting.records import Evidence, PointResults, Status
from hpcscan.fitting.refit import needs_repair, refit_block
from hpcscan.grid import Grid, GridAxis
from hpcscan.likelihood.objective import Given, Objective
from hpcscan.model import Gaussian, Model, Parameter
from hpcscan.model.posing import pose
from hpcscan.scanning.neighbours import Refit
from hpcscan.scanning.work import perform
from hpcscan.settings import FitSettings

POINTS = np.array([[1.2, 0.4], [0.8, 0.1], [1.0, 0.2]])
INDEX = np.array([4, 7, 9])
FEW = FitSettings(starts=1, max_iter=1)


def good_starts(model, n_neighbours=2):
    """The minima of a thorough fit, as if they were the neighbours'."""
    minima = fit_block(model, POINTS, INDEX, FitSettings()).profiled_parameter
    return np.repeat(minima[:, None], n_neighbours, axis=1)


def test_a_point_that_improves_is_described_again_and_marked() -> None:
    model = DecayWithJacobian()
    weak, thorough = fit_block(model, POINTS, INDEX, FEW), fit_block(model, POINTS, INDEX, FitSettings())
    assert (weak.chi2 > thorough.chi2 + 1e-3).all()
    repaired = refit_block(model, POINTS, good_starts(model), weak, FitSettings())
    assert repaired.point_index.tolist() == INDEX.tolist()
    assert (repaired.repaired == 1).all()
    assert (repaired.status == Status.NOT_CONVERGED).all(), "no start of their own has seen this minimum"
    assert (repaired.n_starts_at_minimum == 0).all()
    for name in ("chi2", "predicted", "scale", "profiled_parameter"):
        np.testing.assert_allclose(getattr(repaired, name), getattr(thorough, name), rtol=1e-5)
    np.testing.assert_array_equal(repaired.start_chi2, weak.start_chi2)
    assert (repaired.n_evaluations > weak.n_evaluations).all()


@pytest.mark.parametrize("n_neighbours", [1, 4])
def test_refits_confirm_nothing(n_neighbours: int) -> None:
    """Neighbours' minima come from each other; one start has nobody to agree with, however many of them there are."""
    model = DecayWithJacobian()
    alone = fit_block(model, POINTS, INDEX, FitSettings(starts=1))
    assert (alone.status == Status.NOT_CONVERGED).all()
    again = refit_block(model, POINTS, good_starts(model, n_neighbours), alone, FitSettings())
    assert (again.status == Status.NOT_CONVERGED).all()
    np.testing.assert_array_equal(again.n_starts_at_minimum, alone.n_starts_at_minimum)


@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(1, 30))
def test_starts_at_the_minimum_are_starts_that_converged(seed: int, n_starts: int, max_iter: int) -> None:
    """Before a repair and after it: n_starts_at_minimum ≤ n_starts_converged ≤ n_starts, and two make a minimum."""
    model, chosen = DecayWithJacobian(), FitSettings(starts=n_starts, max_iter=max_iter, seed=seed)
    results = fit_block(model, POINTS, INDEX, chosen)
    for done in (results, refit_block(model, POINTS, good_starts(model), results, FitSettings())):
        assert (done.n_starts_at_minimum <= done.n_starts_converged).all()
        assert (done.n_starts_converged <= done.n_starts).all()
        assert (done.n_starts_at_minimum[done.status == Status.CONVERGED] >= 2).all()


def test_a_point_whose_refit_is_proven_has_nothing_unexplored() -> None:
    model, points = leptons(box="published"), np.array([[3.0, 0.01], [3.1, 0.02]])
    weak, thorough = (
        fit_block(model, points, np.arange(2), FitSettings(starts=n, max_iter=m)) for n, m in ((2, 2), (16, 200))
    )
    assert (weak.optimality_gap > 1).all()
    repaired = refit_block(model, points, thorough.profiled_parameter[:, None], weak, FitSettings())
    assert (repaired.status == Status.CONVERGED).all()
    assert (repaired.unexplored_fraction == 0).all()


def test_nothing_changes_where_neighbours_have_nothing_better() -> None:
    model = DecayWithJacobian()
    thorough = fit_block(model, POINTS, INDEX, FitSettings())
    again = refit_block(model, POINTS, good_starts(model), thorough, FitSettings())
    assert (again.repaired == 0).all()
    np.testing.assert_array_equal(again.chi2, thorough.chi2)
    assert (again.n_model_rows > thorough.n_model_rows).all(), "it has cost something all the same"


def test_a_failed_point_is_rescued_and_missing_neighbours_do_not_matter() -> None:
    model, points = Holes(), np.array([[0.1], [0.2]])
    runs = (fit_block(model, points, np.arange(2), FitSettings(starts=1, seed=seed)) for seed in range(50))
    failed = next(run for run in runs if Status.FAILED in run.status)
    starts = np.full((2, 3, 1), np.nan)
    starts[:, 1] = 0.5
    rescued = refit_block(model, points, starts, failed, FitSettings())
    thorough = fit_block(model, points, np.arange(2), FitSettings())
    here = failed.status == Status.FAILED
    np.testing.assert_allclose(rescued.chi2[rescued.repaired == 1], thorough.chi2[here], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_the_description_after_a_repair_belongs_to_its_parameters(seed: int) -> None:
    model = DecayWithJacobian()
    weak = fit_block(model, POINTS, INDEX, FitSettings(starts=1, max_iter=2, seed=seed))
    repaired = refit_block(model, POINTS, good_starts(model), weak, FitSettings())
    repaired = repaired.take(np.flatnonzero(repaired.repaired))
    place = np.searchsorted(INDEX, repaired.point_index)
    at = Objective(model).evaluate(
        Given(np.ascontiguousarray(POINTS[place].T)), np.ascontiguousarray(repaired.profiled_parameter.T)
    )
    np.testing.assert_allclose(repaired.chi2, at.chi2, rtol=1e-12)


def test_the_time_of_a_repair_is_that_of_its_points_too() -> None:
    model, grid = DecayWithJacobian(), Grid((GridAxis("rate", (0.8, 1.2)), GridAxis("floor", (0.1, 0.4))))
    points = grid.points(np.arange(4))
    weak, thorough = (fit_block(model, points, np.arange(4), chosen) for chosen in (FEW, FitSettings()))
    weak.fit_seconds[:] = 100.0
    task = Refit(np.repeat(thorough.profiled_parameter[:, None], 4, axis=1), weak)
    assert (perform(model, grid, FitSettings(), task).results.fit_seconds > 100).all()


def test_points_without_a_proof_need_repair() -> None:
    results = fit_block(DecayWithJacobian(), POINTS, INDEX, FitSettings())
    assert needs_repair(results).all()
    results.chi2_lower_bound[:] = results.chi2 - [1e-4, 1.0, np.nan]
    results.status[2] = Status.NOT_RUN
    assert needs_repair(results).tolist() == [False, True, False]


class Plateau(Model):
    """A decay whose rate may be anything up to 1e5: steps relative to that range are rough where it is below one."""

    times = np.linspace(1, 20, 20)
    parameters = (Parameter("size", 1.0, 5.0), Parameter("rate", 0.0, 1e5), Parameter("floor", -10, 10, start=(-1, 1)))
    data = (Gaussian("y", 3 * np.exp(-times / 4) + 0.05 * np.random.default_rng(8).normal(size=20), 0.05),)

    def predict(self, size, rate, floor):
        return {"y": size * np.exp(-rate * self.times) + floor}


def test_a_fit_that_stops_before_its_proven_minimum_goes_on() -> None:
    """From between the minima of its neighbours; and the same alone as in a batch."""
    model, settings = pose(Plateau(), ("size",)), FitSettings(starts=1, is_enclosable=True)
    points, index = np.array([[1.625], [1.75], [2.0], [4.75]]), np.arange(4)
    warm = np.array([[[0.17392, 0.10625]], [[0.17757, 0.0834]], [[0.1945, 0.07256]], [[0.5036, 0.16457]]])
    blank = PointResults.not_run(model, index, settings.n_starts)

    def fitted(rows):
        return fit_guided(model, points[rows], blank.take(rows), warm[rows], np.zeros(len(rows), np.int64), settings)

    together = fitted(index)
    assert (together.evidence == Evidence.PROVEN).all()
    assert (together.status == Status.CONVERGED).all()
    assert (together.edm <= 1e-6).all()
    for row in (0, 3):
        one = fitted(index[[row]])
        for name in ("chi2", "edm", "profiled_parameter", "n_evaluations", "n_model_rows"):
            np.testing.assert_array_equal(getattr(one, name)[0], getattr(together, name)[row])
