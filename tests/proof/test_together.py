"""Bounds where observables share parameters: valid whatever the budget, and reached where it is enough."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_models import leptons

from hpcscan.fitting.block import fit_block
from hpcscan.fitting.records import QUANTITIES, Evidence, PointResults
from hpcscan.likelihood.objective import Given, Objective
from hpcscan.model import Array, Gaussian, Model, Parameter, Ranges, Together
from hpcscan.model.posing import pose
from hpcscan.model.problem import Problem
from hpcscan.model.returned import WrongResultError
from hpcscan.models.leptons.energy import Vacuum, energy_parts
from hpcscan.models.leptons.model import LEPTONS
from hpcscan.models.leptons.moment import ByMoment, magnetic_moment, quotient
from hpcscan.proof.together import bound_together
from hpcscan.settings import FitSettings, ProofBudget, StartRange
from hpcscan.tolerance import tie_tolerance

from .boxes import sample

#: χ² of masses and moments of the uniform ball at w = 0.02 in the box of moments, in 40-digit arithmetic.
MOMENTS = {1.5: 1293467.1383184300994, 2.5: 859224.3936975588559, 3.1: 705570.7265555122462}


class Circle(Model):
    """Points (cos t, sin t) on an arc, followed along t: neither prediction alone says how far the other is."""

    parameters = (Parameter("shift", -1.0, 1.0), Parameter("t", 0.0, 3.0))

    def __init__(self, *, scale: str | None = None, is_given_together: bool = True, last: str = "y") -> None:
        self.scale, self.is_given_together, self.last = scale, is_given_together, last
        self.data = (
            Gaussian("x", 2.0, 0.1, scale=scale),
            Gaussian("y", 2.5, 0.1, scale=scale),
            Gaussian("z", 1.0, 0.5),
        )

    def predict(self, shift: Array, t: Array) -> dict[str, Array]:
        return {"x": np.cos(t), "y": np.sin(t) + shift, "z": shift}

    def ranges(self, shift: Array | None = None, **others: Array) -> Ranges | None:
        if shift is None or others:
            return None
        one = np.ones_like(shift)
        lower, upper = {"x": -one, "y": shift - 1e-15, "z": shift}, {"x": one, "y": shift + 1, "z": shift}
        arc = Together(
            ("x", self.last), 0 * shift[:, 0], 0 * shift[:, 0] + 3.0, lambda *part: self._enclose(shift, *part)
        )
        return Ranges(lower, upper, together=(arc,) if self.is_given_together else ())

    def _enclose(self, shift: Array, point: Any, lower: Array, upper: Array) -> tuple[Array, Array]:
        sines = np.stack([np.sin(lower), np.sin(upper)])
        top = np.where((lower < np.pi / 2) & (upper > np.pi / 2), 1.0, sines.max(axis=0))
        low = np.stack([np.cos(upper), sines.min(axis=0) + shift[point, 0]], axis=1)
        return low - 1e-15, np.stack([np.cos(lower), top + shift[point, 0]], axis=1) + 1e-15


SHIFTS = np.array([[-0.5], [0.0], [0.25], [0.6]])


def brute_force(model: Model, shift: float) -> float:
    """χ² on a fine grid of t, with the scale in closed form."""
    t = np.linspace(0.0, 3.0, 300_001)
    objective = Objective(pose(model, ("shift",)))
    return float(objective.evaluate(Given(np.full((1, len(t)), shift)), t[None]).chi2.min())


@pytest.mark.parametrize("scale", [None, "S"])
def test_the_bound_is_the_minimum_by_brute_force(scale: str | None) -> None:
    model = Circle(scale=scale)
    result = fit_block(pose(model, ("shift",)), SHIFTS, np.arange(4), FitSettings(starts=16))
    expected = [brute_force(model, shift) for shift in SHIFTS[:, 0]]
    np.testing.assert_allclose(result.chi2_lower_bound, expected, rtol=1e-6)
    assert (result.chi2_lower_bound <= expected).all()
    assert (result.evidence == Evidence.PROVEN).all()
    assert (result.n_boxes > 0).all()


def test_without_it_the_bound_stays_open() -> None:
    """Each prediction alone can come nearer than both together."""
    problem = pose(Circle(is_given_together=False), ("shift",))
    result = fit_block(problem, SHIFTS, np.arange(4), FitSettings(starts=16))
    assert (result.optimality_gap > 10).all()


def test_the_interval_of_a_scale_that_is_determined_is_narrow_and_holds_the_fitted_one() -> None:
    result = fit_block(pose(Circle(scale="S"), ("shift",)), SHIFTS, np.arange(4), FitSettings(starts=16))
    lower, scale, upper = (values[:, 0] for values in (result.scale_lower, result.scale, result.scale_upper))
    assert (lower <= scale).all()
    assert (scale <= upper).all()
    assert (upper - lower <= 1e-2 * np.abs(scale)).all()


def test_terms_that_are_not_declared_are_refused() -> None:
    for last in ("missing", "x"):
        with pytest.raises(WrongResultError, match="together"):
            pose(Circle(last=last), ("shift",)).prediction_ranges(SHIFTS)


def test_masses_and_moments_are_proven_in_the_box_of_moments() -> None:
    at, expected = np.array([[beta, 0.02] for beta in MOMENTS]), np.array(list(MOMENTS.values()))
    result = fit_block(leptons(box="moments", moment="uniform"), at, np.arange(3), FitSettings(starts=8))
    np.testing.assert_allclose(result.chi2, expected, rtol=1e-9)
    np.testing.assert_allclose(result.chi2_lower_bound, expected, rtol=2e-9)
    assert (result.chi2_lower_bound <= expected).all()
    assert (result.evidence == Evidence.PROVEN).all()
    assert (result.n_boxes < 200).all()
    assert (result.scale_upper - result.scale_lower <= 1e-5 * result.scale).all()


def test_a_point_whose_first_start_is_proven_has_no_others() -> None:
    """Seed 18 has a point where it is not, which costs boxes and more starts; minima and proofs are the same."""
    at, model = np.array([[1.5, 0.02], [2.5, 0.02], [3.1, 0.01]]), leptons(box="moments", moment="uniform")
    thorough = fit_block(model, at, np.arange(3), FitSettings(seed=18))
    some = FitSettings(starts=StartRange(1, 16), seed=18)
    quick = fit_block(model, at, np.arange(3), some)
    assert quick.n_starts.tolist() == [1, 1, 16]
    assert (quick.evidence == Evidence.PROVEN).all()
    assert (quick.n_boxes[:2] == thorough.n_boxes[:2]).all()
    assert quick.n_boxes[2] > thorough.n_boxes[2]
    np.testing.assert_allclose(quick.chi2, thorough.chi2, rtol=1e-12)
    assert (quick.n_model_rows[:2] < thorough.n_model_rows[:2] / 8).all()
    # A budget is for all searches of a point together, the first one among them.
    for budget in (30, 300):
        tight = fit_block(model, at, np.arange(3), replace(some, proof=ProofBudget(budget)))
        assert (tight.n_boxes <= budget).all()
    alone = PointResults.joined([fit_block(model, at[[i]], np.array([i]), some) for i in range(3)])
    for name, about in QUANTITIES.items():
        assert about.role == "run" or getattr(quick, name).tobytes() == getattr(alone, name).tobytes(), name


def test_the_multiplier_of_a_bound_is_the_slope_of_the_floor_also_in_a_valley() -> None:
    """The electron's energy nearly vanishes, so that its radius alone can hardly move; its velocity follows it."""
    at, results = np.array([[2.5, 0.02]]), []
    for end in (3.0, 3.0005):
        model = leptons(box="moments", moment="uniform", bounds={"electron.R_c": (0.05, end)})
        results.append(fit_block(model, at, np.arange(1), FitSettings(starts=8)))
    narrow, wide = results
    assert narrow.at_bound[0, 0] == 1
    slope = (wide.chi2_lower_bound - narrow.chi2_lower_bound)[0] / 0.0005
    assert narrow.bound_multiplier[0, 0] == pytest.approx(slope, rel=1e-3)
    assert np.flatnonzero(narrow.bound_multiplier[0]).tolist() == [0, 6, 7]


@pytest.mark.parametrize(("box", "most"), [("published", 1e-6), ("widened", 1e-4)])
def test_the_gap_is_narrow_in_the_authors_convention_too(box: str, most: float) -> None:
    """There the moment over the energy is followed along the energy."""
    model = leptons(box=box, moment="uniform", convention="authors")
    result = fit_block(model, np.array([[2.5, 0.02]]), np.arange(1), FitSettings(starts=4))
    assert 0 <= result.optimality_gap[0] <= most * result.chi2[0]


def test_an_energy_that_no_lepton_has_is_impossible() -> None:
    vacuum = Vacuum(np.array([[1.5]]), np.array([[0.02]]), np.array([[0.003]]), 10.0, "stream")
    followed = ByMoment(vacuum, np.array([0.1, 0.05, 1.0]), np.array([0.2, 0.1, 1.0]))
    low, high = followed.enclose_ratio(np.array([0]), np.array([1e6]), np.array([2e6]))
    assert (low > high).all()


def test_where_the_authors_convention_reaches_zero_it_is_its_own_proof() -> None:
    model = leptons(box="moments", moment="uniform", convention="authors")
    result = fit_block(model, np.array([[2.5, 0.02]]), np.arange(1), FitSettings(starts=16))
    assert result.chi2[0] < 1e-3
    assert result.evidence[0] == Evidence.PROVEN
    assert np.isnan(result.scale_lower).all()


@st.composite
def boxes(draw: st.DrawFn) -> dict[str, Any]:
    """Options of a lepton model with moments and a random box of positive velocities."""
    widest = {"R_c": (0.02, 2.0), "U": (1e-3, 0.5), "A": (0.0, 1.0)}

    def interval(symbol: str) -> tuple[float, float]:
        low, high = widest[symbol]
        ends = sorted(low + (high - low) * draw(st.floats(0, 1).map(lambda part: round(part, 6))) for _ in range(2))
        return draw(st.sampled_from([tuple(ends), (low, high), (ends[0], ends[0])]))

    return {
        "moment": "uniform",
        "convention": draw(st.sampled_from(["physical", "authors"])),
        "frame": draw(st.sampled_from(["stream", "laboratory"])),
        "eta": draw(st.sampled_from([0.0, 0.03, 1.0])),
        "r_max": draw(st.sampled_from([2.5, 10.0])),
        "sigma": draw(st.sampled_from([1e-4, 1e-2])),
        "g_sigma": dict.fromkeys(LEPTONS, draw(st.sampled_from([1e-3, 0.1]))),
        "bounds": {f"{lepton}.{symbol}": interval(symbol) for lepton in LEPTONS for symbol in widest},
    }


points = st.tuples(st.sampled_from([0.0, 0.5, 3.0]), st.floats(0.001, 0.3)).map(lambda point: np.array([point]))


def chi2_of(model: Problem, point: np.ndarray, parameters: np.ndarray) -> np.ndarray:
    given_ = Given(np.repeat(point.T, len(parameters), axis=1))
    return Objective(model).evaluate(given_, np.ascontiguousarray(parameters.T)).chi2


@settings(max_examples=25, deadline=None)
@given(boxes(), points, st.integers(1, 100), st.integers(0, 999))
def test_no_sample_of_any_box_falls_below(chosen: dict[str, Any], point: np.ndarray, budget: int, seed: int) -> None:
    """Whatever the budget, and however far the known χ² is from the lowest."""
    model = leptons(**chosen)
    chi2 = chi2_of(model, point, sample(model, 3000, seed))
    known = np.nanmin(chi2) * np.array([1.0 if seed % 2 else 1.5])
    bound = bound_together(model, point, (known, tie_tolerance(known)), budget).certificate.chi2_lower_bound[0]
    assert not (chi2 < bound).any()


@settings(max_examples=25, deadline=None)
@given(boxes(), points, st.integers(0, 999))
def test_energies_lie_in_the_ranges_of_their_moments(chosen: dict[str, Any], point: np.ndarray, seed: int) -> None:
    model = leptons(**chosen)
    x = sample(model, 4000, seed)
    vacuum = model.model._vacuum(point[:, :1], point[:, 1:])
    lower, upper = model.model._box
    for i in range(3):
        followed = ByMoment(vacuum, lower[:, i], upper[:, i])
        triple = [x[:, 3 * i + k] for k in range(3)]
        moments = magnetic_moment("uniform", point[:, 1], *triple)
        energies = energy_parts(Vacuum(*(v[0] for v in _columns(vacuum)), vacuum.r_max, vacuum.frame), *triple).total
        low, high = (end[:, 0] for end in followed.moments)
        assert low <= moments.min()
        assert moments.max() <= high
        edges = np.linspace(low[0], high[0], 12)
        part = np.clip(np.searchsorted(edges, moments) - 1, 0, 10)
        least, most = followed.energies(np.zeros(11, np.int64), edges[:-1], edges[1:])
        assert (least[part] <= energies).all()
        assert (energies <= most[part]).all()
        # And the other way round, with the moment over the energy.
        edges = np.linspace(energies.min(), energies.max(), 12)
        part = np.clip(np.searchsorted(edges, energies) - 1, 0, 10)
        least, most = followed.enclose_ratio(np.zeros(11, np.int64), edges[:-1], edges[1:])
        assert (least[part, 0] <= energies).all()
        assert (energies <= most[part, 0]).all()
        assert (least[part, 1] <= moments / energies).all()
        assert (moments / energies <= most[part, 1]).all()


def _columns(vacuum: Vacuum) -> tuple[np.ndarray, ...]:
    return vacuum.beta, vacuum.w, np.atleast_2d(vacuum.gradient_coefficient)


def test_energies_at_a_moment_reach_the_ends_of_their_range() -> None:
    """For a narrow part, against all R_c and A on a grid that has the bounds, at U = 5 μ/R."""
    vacuum = Vacuum(np.array([[1.5]]), np.array([[0.02]]), np.array([[0.003]]), 10.0, "stream")
    lower, upper = np.array([0.05, 1e-3, 0.7]), np.array([3.0, 0.2, 1.0])
    for moment in (1e-4, 2e-3, 0.05):
        low, high = ByMoment(vacuum, lower, upper).energies(np.array([0]), np.array([moment]), np.array([moment]))
        R_c, A = np.meshgrid(np.geomspace(0.05, 3.0, 20_001), np.linspace(0.7, 1.0, 3))
        U = 5 * moment / (R_c + 0.02)
        edge = 5 * moment / np.array([0.001, 0.2]) - 0.02
        R_c = np.concatenate([R_c.ravel(), np.repeat(np.clip(edge, 0.05, 3.0), 3)])
        A, U = np.concatenate([A.ravel(), np.tile([0.7, 0.85, 1.0], 2)]), 5 * moment / (R_c + 0.02)
        is_inside = (U >= 1e-3 * (1 - 1e-12)) & (U <= 0.2 * (1 + 1e-12))
        e = energy_parts(vacuum, R_c[None, is_inside], U[None, is_inside], A[None, is_inside]).total
        size = np.ptp(e)
        assert low[0] == pytest.approx(e.min(), abs=1e-6 * size)
        assert high[0] == pytest.approx(e.max(), abs=1e-6 * size)


@pytest.mark.parametrize("convention", ["physical", "authors"])
def test_a_point_has_the_same_bits_whatever_others_are_bounded_with_it(convention: str) -> None:
    model = leptons(box="published", moment="uniform", convention=convention)
    at = np.array([[1.5, 0.01], [3.1, 0.01], [3.1, 0.03]])
    chi2 = fit_block(model, at, np.arange(3), FitSettings(starts=4, proof=None)).chi2
    tie = tie_tolerance(chi2)
    whole = bound_together(model, at, (chi2, tie), 20)
    for part in (slice(0, 1), slice(1, 3)):
        some = bound_together(model, at[part], (chi2[part], tie[part]), 20)
        assert some.n_boxes.tobytes() == whole.n_boxes[part].tobytes()
        for name in ("chi2_lower_bound", "scale_lower", "scale_upper"):
            assert getattr(some.certificate, name).tobytes() == getattr(whole.certificate, name)[part].tobytes()


def test_a_larger_budget_gives_no_lower_bound() -> None:
    model, at = leptons(box="widened", moment="uniform"), np.array([[1.5, 0.02]])
    chi2 = fit_block(model, at, np.arange(1), FitSettings(starts=8, proof=None)).chi2
    found = [bound_together(model, at, (chi2, tie_tolerance(chi2)), budget) for budget in (1, 30, 300)]
    bounds = [one.certificate.chi2_lower_bound[0] for one in found]
    assert bounds == sorted(bounds)
    assert [one.n_boxes[0] <= budget for one, budget in zip(found, (1, 30, 300), strict=True)] == [True] * 3
    assert chi2[0] - bounds[-1] < 0.01 * chi2[0]


def test_quotients_contain_all_that_they_may_be() -> None:
    rng = np.random.default_rng(7)
    low, least = rng.uniform(-2, 2, (2, 200))
    high, most = low + rng.uniform(0, 1, 200), least + rng.uniform(0, 1, 200)
    lower, upper = quotient((low, high), (least, most))
    values = (low + (high - low) * rng.random((500, 200))) / (least + (most - least) * rng.random((500, 200)))
    assert ((lower <= values) & (values <= upper)).all()
    assert np.isfinite(lower).any()
    assert np.isinf(lower).any()
