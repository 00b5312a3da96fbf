"""Bounds that hold a minimum, their multipliers, and the directions that nothing determines."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_models import Holes, Linear, leptons

from hpcscan.fitting.block import fit_block
from hpcscan.fitting.curvature import bound_multipliers, count_flat_directions, held_by_bounds
from hpcscan.fitting.records import UNKNOWN, Status
from hpcscan.likelihood.objective import Given, Objective
from hpcscan.model import Parameter
from hpcscan.model.problem import Observable, Problem
from hpcscan.model.returned import Derivatives
from hpcscan.models.leptons.model import BOXES
from hpcscan.settings import FitSettings
from hpcscan.tolerance import tie_tolerance

POINTS = np.array([[3.1, 0.015], [2.95, 0.005], [3.25, 0.05], [3.0, 0.02]])
HELD = ("muon.R_c", "muon.U", "muon.A", "tau.R_c", "tau.U", "tau.A")


def fit(model, points=POINTS, **options):
    return fit_block(model, points, np.arange(len(points)), FitSettings(**options))


def test_the_multiplier_is_the_change_of_the_minimum_when_the_bound_moves() -> None:
    """Refitted with each active bound moved a little both ways."""
    names = list(BOXES["published"])
    reference = fit(leptons(box="published"), POINTS[:1])
    for name in HELD:
        j = names.index(name)
        side = int(reference.at_bound[0, j] > 0)
        h = 1e-5 * (BOXES["published"][name][1] - BOXES["published"][name][0])
        chi2 = []
        for sign in (-1, 1):
            bounds = list(BOXES["published"][name])
            # An amplitude above 1 is not physical, so that bound moves inwards only.
            bounds[side] += sign * h if name != "muon.A" else (sign - 1) * h
            chi2.append(fit(leptons(box="published", bounds={name: bounds}), POINTS[:1]).chi2[0])
        expected = (chi2[1] - chi2[0]) / (2 * h)
        assert reference.bound_multiplier[0, j] == pytest.approx(expected, rel=2e-3), name


def test_in_the_published_box_six_bounds_hold_and_two_cause_the_floor() -> None:
    model = leptons(box="published")
    result = fit(model)
    names, width = [p.name for p in model.parameters], np.array([p.upper - p.lower for p in model.parameters])
    for multipliers in result.bound_multiplier:
        assert {name for name, value in zip(names, multipliers, strict=True) if value} == set(HELD)
        cost = dict(zip(names, multipliers * width, strict=True))
        first, second, third, *_ = sorted(cost, key=lambda name: -abs(cost[name]))
        assert (first, second) == ("muon.U", "tau.U")
        assert cost[first] == pytest.approx(2.8e8, rel=0.05)
        assert cost[second] == pytest.approx(-8e7, rel=0.05)
        assert abs(cost[third]) < abs(cost[second]) / 50


@pytest.mark.parametrize(("box", "n_flat"), [("published", 2), ("widened", 7)])
def test_flat_directions_of_the_lepton_model(box: str, n_flat: int) -> None:
    result = fit(leptons(box=box))
    assert (result.n_flat_directions == n_flat).all()


@pytest.mark.parametrize("box", ["published", "widened"])
def test_flat_directions_equal_the_nullity_of_a_jacobian_by_differences(box: str) -> None:
    model = leptons(box=box)
    result, objective = fit(model), Objective(model)
    for k, point in enumerate(POINTS):
        free = np.flatnonzero(result.bound_multiplier[k] == 0)
        columns = []
        for j in free:
            h = np.zeros((9, 1))
            h[j] = 1e-6 * objective.box.width[j]
            x = result.profiled_parameter[k][:, None]
            up, down = (objective.evaluate(Given(point[:, None]), x + sign * h).residual for sign in (1, -1))
            columns.append((up - down)[:, 0] / 2e-6)
        singular = np.linalg.svd(np.array(columns), compute_uv=False)
        rank = int((singular > 1e-6 * singular[0]).sum())
        assert result.n_flat_directions[k] == len(free) - rank


def test_a_parameter_that_happens_to_rest_on_a_bound_is_not_held() -> None:
    """χ² = x² has its minimum exactly at the lower bound, which therefore costs nothing."""
    model = Linear(np.eye(2), np.array([0.0, -1.0]), np.zeros(2), np.ones(2))
    objective = Objective(model)
    points, x = Given(np.zeros((1, 2))), np.zeros((2, 2))
    at = objective.evaluate(points, x)
    jacobian = objective.jacobian(points, x, at)
    gradient = (jacobian * at.residual[:, None]).sum(axis=0)
    is_held = held_by_bounds(objective.box, x, gradient, objective.curvature(jacobian, at), tie_tolerance(at.chi2))
    assert (objective.box.side(x) == -1).all()
    assert is_held.tolist() == [[False, False], [True, True]]
    assert bound_multipliers(objective.box, gradient, is_held).tolist() == [[0.0, 0.0], [2.0, 2.0]]
    assert (count_flat_directions(objective.box, jacobian, is_held, objective.null(at)) == 0).all()


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), rank=st.integers(0, 3))
def test_flat_directions_of_a_linear_model_follow_from_its_rank(seed: int, rank: int) -> None:
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(5, rank)) @ rng.normal(size=(rank, 4))
    model = Linear(matrix, rng.normal(size=5), np.full(4, -np.inf), np.full(4, np.inf))
    assert (fit(model, np.zeros((2, 1))).n_flat_directions == 4 - rank).all()


class Root(Problem):
    """√x, measured below zero: an infinite derivative where the bound holds the minimum."""

    axes = (Parameter("u"),)
    parameters = (Parameter("x", 0.0, 1.0),)
    observables = (Observable("y", -1.0, 0.1), Observable("z", 0.3, 0.1))

    def predict(self, points: np.ndarray, parameters: np.ndarray) -> np.ndarray:
        return np.hstack([np.sqrt(parameters), 0 * points])

    def jacobian(self, points: np.ndarray, parameters: np.ndarray) -> Derivatives:
        return Derivatives(np.stack([0.5 / np.sqrt(parameters), 0 * points], axis=1))


def test_a_bound_with_an_infinite_derivative_holds() -> None:
    result = fit(Root(), np.array([[1.0], [2.0]]))
    assert result.chi2 == pytest.approx(109.0)
    assert (result.at_bound == -1).all()
    assert np.isinf(result.bound_multiplier).all()
    assert (result.n_flat_directions == 0).all()


class Cusp(Problem):
    """√|x| and y, the first with a derivative that is not finite, wherever one asks."""

    axes = (Parameter("u"),)

    def __init__(self, slope: float, n_observables: int, width: float = 1.0) -> None:
        self.slope = slope
        self.parameters = (Parameter("x", -width, width), Parameter("y", -1.0, 1.0))
        self.observables = tuple(Observable(f"o{i}", 0.3, 0.1) for i in range(n_observables))

    def predict(self, points: np.ndarray, parameters: np.ndarray) -> np.ndarray:
        root, others = np.sqrt(np.abs(parameters[:, :1])), parameters[:, 1:]
        return np.hstack([root + points, *[others] * (len(self.observables) - 1)])

    def jacobian(self, points: np.ndarray, parameters: np.ndarray) -> Derivatives:
        result = np.zeros((len(points), len(self.observables), 2))
        result[:, 0, 0], result[:, 1:, 1] = self.slope, 1.0
        return Derivatives(result)


@pytest.mark.parametrize("method", ["multistart", "differential_evolution"])
@pytest.mark.parametrize("n_observables", [2, 3])
@pytest.mark.parametrize("slope", [np.nan, np.inf, -np.inf])
def test_where_a_derivative_is_not_finite_nothing_is_claimed(slope: float, n_observables: int, method: str) -> None:
    """Neither convergence, nor a distance, nor a count of directions; the χ² is that of the parameters given."""
    result = fit(Cusp(slope, n_observables), np.array([[1.0], [2.0]]), method=method, starts=8)
    assert (result.status == Status.NOT_CONVERGED).all()
    assert np.isnan(result.edm).all()
    assert (result.n_flat_directions == UNKNOWN).all()
    assert (result.n_determined_axes == UNKNOWN).all()
    assert (result.bound_multiplier == 0).all()
    assert result.chi2 == pytest.approx((((result.predicted - 0.3) / 0.1) ** 2).sum(axis=1), rel=1e-12)


def test_a_derivative_by_a_fixed_parameter_does_not_matter() -> None:
    result = fit(Cusp(np.nan, 2, width=0.0), np.array([[1.0], [2.0]]))
    assert (result.status == Status.CONVERGED).all()
    assert (result.n_flat_directions == 0).all()
    assert (result.n_determined_axes == 1).all()


def test_the_counts_of_a_point_that_failed_are_unknown() -> None:
    result = fit(Holes(), np.array([[-1.0], [0.1]]))
    assert [*result.status] == [Status.FAILED, Status.CONVERGED]
    assert [*result.n_flat_directions] == [UNKNOWN, 0]
    assert [*result.n_determined_axes] == [UNKNOWN, 1]
