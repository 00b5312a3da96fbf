"""The estimated distance to the minimum (EDM): exact where χ² is quadratic, and Minuit's elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from iminuit import Minuit
from toy_models import Linear

from hpcscan.fitting.block import fit_block
from hpcscan.fitting.quadratic import estimated_distance
from hpcscan.likelihood.objective import Given, Objective
from hpcscan.model.problem import Problem
from hpcscan.settings import FitSettings

from .nist import MGH17, NistProblem, Thurber


def distance(model: Problem, points: np.ndarray, x: np.ndarray) -> np.ndarray:
    objective = Objective(model)
    return estimated_distance(objective, Given(points.T), x.T, objective.evaluate(Given(points.T), x.T))


def chi2(model: Problem, points: np.ndarray, x: np.ndarray) -> np.ndarray:
    return Objective(model).evaluate(Given(points.T), x.T).chi2


@settings(max_examples=50)
@given(seed=st.integers(0, 2**32 - 1), n_observables=st.integers(1, 7), rank=st.integers(1, 4))
def test_it_is_the_distance_where_chi2_is_quadratic(seed: int, n_observables: int, rank: int) -> None:
    """More or fewer data than parameters, of full rank or not; the least squares of numpy tell the minimum."""
    rng, full = np.random.default_rng(seed), min(n_observables, 4)
    rank = min(rank, full)
    left, right = (np.linalg.qr(rng.normal(size=(size, rank)))[0] for size in (n_observables, 4))
    matrix, observed = left * rng.uniform(0.3, 1, rank) @ right.T, rng.normal(size=n_observables)
    model = Linear(matrix, observed, np.full(4, -np.inf), np.full(4, np.inf))
    points, x = np.zeros((3, 1)), rng.normal(size=(3, 4))
    lowest = ((matrix @ np.linalg.lstsq(matrix, observed)[0] - observed) ** 2).sum()
    expected = ((x @ matrix.T - observed) ** 2).sum(axis=1) - lowest
    # Where the equations are singular, (rounding / damping)² of it may come from directions that do not exist.
    tolerance = 1e-9 if rank == full else 1e-2
    np.testing.assert_allclose(distance(model, points, x), expected, rtol=tolerance, atol=1e-9 * expected.max())


def minuit_edm(model: Problem, point: np.ndarray, x: np.ndarray, errordef: float) -> float:
    """Minuit's own estimate at x, with its own derivatives."""
    fit = Minuit(lambda y: float(chi2(model, point[None], np.array(y)[None])[0]), x)
    fit.errordef = errordef
    fit.hesse()
    return float(fit.fmin.edm)


@pytest.mark.parametrize("problem", [MGH17, Thurber])
@pytest.mark.parametrize("errordef", [1.0, 4.0])
def test_it_is_that_of_minuit_near_a_minimum(problem: type[NistProblem], errordef: float) -> None:
    """Near it Gauss and Newton have the Hessian; Minuit's EDM is in units of χ², whatever the errordef."""
    model = problem()
    point = model.certified_point
    best = fit_block(model, point, np.arange(1), FitSettings()).profiled_parameter
    for shift in (1e-4, -1e-4):
        x = best * (1 + shift)
        ours = distance(model, np.repeat(point, 2, axis=0), np.repeat(x, 2, axis=0))[0]
        above = chi2(model, np.repeat(point, 2, axis=0), np.repeat(x, 2, axis=0))[0] - chi2(model, point, best)[0]
        assert ours == pytest.approx(above, rel=0.05)
        assert ours == pytest.approx(minuit_edm(model, point[0], x[0], errordef), rel=0.05)
