"""Bounded least squares in a trust region: against other solvers, brute force and reference minima."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import lsq_linear
from toy_models import Decay, DecayWithJacobian, Linear, leptons

from hpcscan.fitting.block import fit_block
from hpcscan.fitting.descent import minimise
from hpcscan.fitting.quadratic import NormalEquations, expand_fully
from hpcscan.fitting.records import Status
from hpcscan.fitting.steps import step_within
from hpcscan.likelihood.box import Box, finite_differences, forward_differences
from hpcscan.likelihood.objective import Given, Objective
from hpcscan.model import Parameter
from hpcscan.model.problem import Observable, Problem
from hpcscan.settings import FitSettings

MINIMA = json.loads((Path(__file__).parent / "sanity_minima.json").read_text())
seeds = st.integers(0, 2**32 - 1)


def random_linear(seed: int) -> Linear:
    rng = np.random.default_rng(seed)
    m, p = rng.integers(1, 7, 2)
    lower, upper = np.sort(rng.normal(size=(2, p)), axis=0)
    lower[rng.random(p) < 0.3], upper[rng.random(p) < 0.3] = -np.inf, np.inf
    return Linear(rng.normal(size=(m, p)), 3 * rng.normal(size=m), lower, upper)


@settings(max_examples=150)
@given(seeds)
def test_linear_problems_reach_the_bounded_least_squares_solution(seed: int) -> None:
    model = random_linear(seed)
    points = np.array([[0.0], [0.7]])
    result = fit_block(model, points, np.arange(2), FitSettings(seed=seed))
    for k, u in enumerate(points[:, 0]):
        target = np.array([o.observed for o in model.observables]) - u
        bounds = np.array([[p.lower, p.upper] for p in model.parameters]).T
        expected = 2 * lsq_linear(model.matrix, target, bounds, method="bvls", tol=1e-15).cost
        assert result.status[k] == Status.CONVERGED
        assert result.chi2[k] == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("box", ["published", "widened"])
@pytest.mark.parametrize("seed", range(8))
def test_every_sanity_point_reaches_the_known_minimum_for_any_seed(box: str, seed: int) -> None:
    """Within 1e-9 relative in the published box, and 1e-10 absolute where the minimum is zero."""
    points = np.array([[case["beta"], case["w"]] for case in MINIMA[box]])
    minimum = np.array([case["chi2_min"] for case in MINIMA[box]])
    result = fit_block(leptons(box=box), points, np.arange(9), FitSettings(seed=seed))
    tolerance = 1e-9 * minimum if box == "published" else 1e-10
    assert (np.abs(result.chi2 - minimum) <= tolerance).all()
    assert (result.status == Status.CONVERGED).all()


def test_the_anchored_mapping_has_the_same_floor_as_the_global_scale() -> None:
    """The electron's energy can be anything near zero, so it absorbs the scale."""
    points = np.array([[case["beta"], case["w"]] for case in MINIMA["published"]])
    results = [
        fit_block(leptons(box="published", mapping=mapping), points, np.arange(9), FitSettings())
        for mapping in ("global_scale", "electron_anchor")
    ]
    np.testing.assert_allclose(results[1].chi2, results[0].chi2, rtol=1e-9)


def test_profile_equals_brute_force() -> None:
    """The lowest χ² of a fine grid over both parameters is not below the fit's, and close to it."""
    model = DecayWithJacobian()
    result = fit_block(model, np.array([[1.2, 0.4], [0.8, 0.1]]), np.arange(2), FitSettings())
    shift, offset = (values.ravel() for values in np.meshgrid(np.linspace(-0.5, 0.5, 401), np.linspace(0, 2, 401)))
    for k, point in enumerate([[1.2, 0.4], [0.8, 0.1]]):
        points = np.repeat(np.array(point)[:, None], len(shift), axis=1)
        scanned = Objective(model).evaluate(Given(points), np.stack([shift, offset])).chi2.min()
        assert result.chi2[k] <= scanned <= result.chi2[k] * 1.001 + 1e-3


def test_finite_differences_find_the_same_minimum_as_the_jacobian() -> None:
    points = np.array([[1.2, 0.4], [0.8, 0.1], [2.0, 0.0]])
    by_differences, by_jacobian = (
        fit_block(model, points, np.arange(3), FitSettings()) for model in (Decay(), DecayWithJacobian())
    )
    np.testing.assert_allclose(by_differences.chi2, by_jacobian.chi2, rtol=1e-9)
    assert (by_differences.status == Status.CONVERGED).all()


@settings(max_examples=40)
@given(seed=seeds, spread=st.floats(1e-9, 1.0))
def test_finite_differences_stay_inside_the_box(seed: int, spread: float) -> None:
    rng = np.random.default_rng(seed)
    model = Linear(rng.normal(size=(3, 2)), np.zeros(3), np.array([1.0, 2.0]), np.array([1.0 + spread, 2.0]))
    box = Box.of(model)
    x = np.clip(box.lower + (box.upper - box.lower) * rng.choice([0.0, 1.0, 0.5, 1e-9], (2, 6)), box.lower, box.upper)
    tried: list[np.ndarray] = []

    def function(x: np.ndarray, row: np.ndarray) -> np.ndarray:
        tried.append(x)
        assert x.shape[1] == len(row)
        return model.matrix @ x

    for differentiate, step in ((finite_differences, 1e-5), (forward_differences, 1e-8)):
        jacobian = differentiate(function, x, model.matrix @ x, box)
        assert all(((box.lower <= x) & (x <= box.upper)).all() for x in tried)
        scale = np.abs(model.matrix).max() * 1e-14 / min(spread, step) + 1e-9
        np.testing.assert_allclose(jacobian[:, 0], np.repeat(model.matrix[:, :1], 6, axis=1), atol=scale)
        assert (jacobian[:, 1] == 0).all(), "a fixed parameter has no derivative"


def random_equations(seed: int, m: int, p: int) -> tuple[np.ndarray, np.ndarray, NormalEquations]:
    """Three random systems: J, Jᵀr and the equations."""
    rng = np.random.default_rng(seed)
    jacobian, residual = rng.normal(size=(m, p, 3)), rng.normal(size=(m, 3))
    gradient = np.einsum("mpn,mn->pn", jacobian, residual)
    return jacobian, gradient, NormalEquations.of(jacobian, gradient)


@settings(max_examples=100)
@given(seed=seeds, m=st.integers(1, 6), p=st.integers(1, 6))
def test_steps_without_a_limit_solve_the_normal_equations_in_both_forms(seed: int, m: int, p: int) -> None:
    """JᵀJ s = −Jᵀr; leaving out eigenvalues below 1e-12 of the trace costs at most 5e-7 of |J| |r|."""
    jacobian, gradient, equations = random_equations(seed, m, p)
    step = step_within(equations, np.full(3, 1e9))
    for row in range(3):
        matrix = jacobian[:, :, row].T @ jacobian[:, :, row]
        scale = np.trace(matrix) * np.linalg.norm(step[:, row]) + np.linalg.norm(gradient[:, row])
        assert np.abs(matrix @ step[:, row] + gradient[:, row]).max() <= 1e-6 * scale


@settings(max_examples=100)
@given(seed=seeds, m=st.integers(1, 6), p=st.integers(1, 6), radius=st.floats(1e-6, 1.0))
def test_a_step_stays_within_its_radius_and_beats_steepest_descent(seed: int, m: int, p: int, radius: float) -> None:
    """Which is what convergence rests on."""
    jacobian, gradient, equations = random_equations(seed, m, p)
    step = step_within(equations, np.full(3, radius))
    assert (np.linalg.norm(step, axis=0) <= radius * (1 + 1e-9)).all()
    length = np.linalg.norm(gradient, axis=0)
    curvature = np.linalg.norm(np.einsum("mpn,pn->mn", jacobian, gradient), axis=0) ** 2
    steepest = -np.minimum(length**2 / curvature, radius / length) * gradient
    assert (equations.change(step) <= equations.change(steepest) * (1 - 1e-3)).all()


@settings(max_examples=60)
@given(seed=seeds, m=st.integers(1, 6), p=st.integers(1, 6))
def test_the_promised_change_is_that_of_the_linear_problem(seed: int, m: int, p: int) -> None:
    rng = np.random.default_rng(seed)
    jacobian, residual, step = rng.normal(size=(m, p, 1)), rng.normal(size=(m, 1)), rng.normal(size=(p, 1))
    equations = NormalEquations.of(jacobian, np.einsum("mpn,mn->pn", jacobian, residual))
    before, after = residual[:, 0], residual[:, 0] + jacobian[:, :, 0] @ step[:, 0]
    scale = before @ before + after @ after
    assert equations.change(step)[0] == pytest.approx(after @ after - before @ before, abs=1e-6 * scale)


@settings(max_examples=60)
@given(seed=seeds, m=st.integers(1, 6), p=st.integers(1, 6))
def test_the_estimated_distance_is_exact_where_chi2_is_quadratic(seed: int, m: int, p: int) -> None:
    rng = np.random.default_rng(seed)
    jacobian, residual = rng.normal(size=(m, p, 1)), rng.normal(size=(m, 1))
    gradient = np.einsum("mpn,mn->pn", jacobian, residual)
    best = np.linalg.lstsq(jacobian[:, :, 0], -residual[:, 0], rcond=None)[0]
    lowest = np.sum((residual[:, 0] + jacobian[:, :, 0] @ best) ** 2)
    expected = np.sum(residual**2) - lowest
    assert NormalEquations.of(jacobian, gradient).decrement[0] == pytest.approx(expected, rel=1e-6, abs=1e-9)


@settings(max_examples=25)
@given(seed=seeds)
def test_profiled_jacobian_equals_differences_of_the_profiled_residuals(seed: int) -> None:
    """The scale moves with the parameters: both terms of ∂(S f) are there."""
    rng = np.random.default_rng(seed)
    for model in (leptons(), DecayWithJacobian()):
        objective, n = Objective(model), 4
        x = objective.box.start + objective.box.width * rng.uniform(0.2, 0.8, (len(model.parameters), n))
        points = rng.uniform(0.5, 1.0, (2, n)) * np.array([[3.0], [0.02]])
        at = objective.evaluate(Given(points), x)
        jacobian = objective.jacobian(Given(points), x, at)
        for j in range(len(x)):
            h = np.zeros_like(x)
            h[j] = 1e-6 * objective.box.width[j]
            up, down = (objective.evaluate(Given(points), x + sign * h).residual for sign in (1, -1))
            difference = (up - down) / (2 * h[j]) * objective.box.width[j]
            assert np.abs(difference - jacobian[:, j]).max() <= 1e-4 * np.abs(jacobian).max()


def test_running_out_of_steps_is_reported() -> None:
    model = leptons(box="published")
    objective = Objective(model)
    points = np.repeat([[3.1], [0.015]], 5, axis=1)
    start = objective.box.start + 0.5 * objective.box.width * np.ones((9, 5))
    ends = minimise(objective, Given(points), start, max_iter=2)
    assert (ends.status == Status.NOT_CONVERGED).all()
    assert (ends.n_iterations == 2).all()
    assert (ends.edm > 1).all()


class Cliff(Problem):
    """A parabola that is not defined just beyond its minimum."""

    axes = (Parameter("u"),)
    parameters = (Parameter("x", 0.0, 1.0, (0.0, 0.1)),)
    observables = (Observable("y", 0.01, 0.1), Observable("x", 0.1 - 1e-9, 0.1))

    def predict(self, points: np.ndarray, parameters: np.ndarray) -> np.ndarray:
        x = np.where(parameters > 0.1, np.nan, parameters)
        return np.hstack([x**2, x]) + 0 * points


def test_a_minimum_beside_the_undefined_is_found_and_described() -> None:
    """Differences are taken on the side where there is something."""
    result = fit_block(Cliff(), np.array([[1.0], [2.0]]), np.arange(2), FitSettings(starts=16))
    np.testing.assert_allclose(result.profiled_parameter, 0.1, atol=1e-4)
    assert np.isfinite(result.chi2).all()


@pytest.mark.parametrize("box", ["published", "widened"])
@pytest.mark.parametrize("sigma", [(1e-4, 1.0, 1e-4), (1e-4, 1e-4, 1e-2), (1e-6, 1e-4, 1e-3)], ids=str)
def test_the_proven_minimum_is_reached_where_data_differ_in_weight(box: str, sigma: tuple[float, ...]) -> None:
    """χ² is then a narrow curved valley along which straight steps get nowhere."""
    model = leptons(box=box, sigma=dict(zip(("electron", "muon", "tau"), sigma, strict=True)))
    points = np.array([[3.1, 0.015], [3.0, 0.02]])
    result = fit_block(model, points, np.arange(2), FitSettings())
    assert (result.status == Status.CONVERGED).all()
    assert (result.optimality_gap <= np.maximum(1e-9 * result.chi2, 1e-3)).all()
    assert (result.n_starts_at_minimum >= 3).all()


class Narrow(Decay):
    """Two parameters that must not leave their place: one is fixed, one may move by less than any usual step."""

    def __init__(self) -> None:
        super().__init__()
        self.parameters = (Parameter("shift", 0.1, 0.1), Parameter("offset", 1e-9, 3e-9, (2e-9, 2e-9)))

    def predict(self, points: np.ndarray, parameters: np.ndarray) -> np.ndarray:
        assert (parameters[:, 0] == 0.1).all()
        assert ((parameters[:, 1] >= 1e-9) & (parameters[:, 1] <= 3e-9)).all()
        return super().predict(points, parameters)


def test_the_model_is_never_called_outside_its_bounds() -> None:
    """Not for differences either: of gradients here, in the steps with the full Hessian."""
    objective, points = Objective(Narrow()), Given(np.array([[1.0, 1.2], [0.3, 0.4]]))
    x = np.array([[0.1, 0.1], [1e-9, 2e-9]])
    assert np.isfinite(expand_fully(objective, points, x, objective.evaluate(points, x)).equations.decrement).all()
    assert (minimise(objective, points, x, 200).x[0] == 0.1).all()
