"""The losses of the terms, their derivatives, scales and pulls."""

from __future__ import annotations

from math import fsum, log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcscan.fitting.descent import minimise
from hpcscan.fitting.quadratic import expand_fully
from hpcscan.fitting.records import Status
from hpcscan.likelihood.objective import Given, Objective
from hpcscan.likelihood.terms import Whitening, count_scale, deviance, pulls
from hpcscan.model import Gaussian, Model, Parameter, Poisson
from hpcscan.model.posing import pose

from .examples import COVARIANCE, EXAMPLES, Mixed, Oscillation, Scaled, ScaledDistances

OF_TERMS = [example for example in EXAMPLES if issubclass(example, Model)]


@given(st.floats(1e-9, 1e9), st.integers(0, 10**6))
def test_the_deviance_is_that_of_the_formula(expected: float, counts: int) -> None:
    by_hand = fsum([2 * expected, -2 * counts, 2 * counts * log(counts / expected) if counts else 0.0])
    ours = deviance(np.array([expected]), np.array([float(counts)]))[0]
    assert ours == pytest.approx(by_hand, rel=1e-9, abs=1e-14 * (expected + counts))
    assert ours >= 0


def test_expectations_that_cannot_be_are_infinitely_far_and_zero_is_legal_without_counts() -> None:
    expected, counts = np.array([-1e-300, 0.0, 0.0, -0.0, np.nan]), np.array([0.0, 1.0, 0.0, 0.0, 1.0])
    np.testing.assert_array_equal(deviance(expected, counts), [np.inf, np.inf, 0.0, 0.0, np.nan])


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_the_scale_of_counts_is_where_their_slope_vanishes(seed: int, is_mixed: bool) -> None:
    rng = np.random.default_rng(seed)
    expected, counts = rng.exponential(1, (7, 3)), rng.poisson(2.0, (7, 1)).astype(float)
    counts[0] += 1
    a, t = rng.normal(size=(2, 2, 3)) * (10.0 ** rng.uniform(-3, 3) if is_mixed else 0.0)
    squares, products = (a * a).sum(axis=0), (a * t).sum(axis=0)
    scale = count_scale(expected, counts, squares, products)
    slope = expected.sum(axis=0) - counts.sum() / scale + squares * scale - products
    size = expected.sum(axis=0) + counts.sum() / scale + squares * scale + np.abs(products)
    assert (np.abs(slope) <= 1e-13 * size).all()
    assert (scale > 0).all()


def test_without_counts_the_scale_is_zero_unless_normal_data_want_more() -> None:
    zero = np.zeros((2, 1))
    assert count_scale(np.ones((2, 1)), zero, 0.0, 0.0) == [0.0]
    assert count_scale(zero, zero, 0.0, 0.0) == [0.0]
    np.testing.assert_allclose(count_scale(np.ones((2, 1)), zero, np.array([2.0]), np.array([6.0])), [2.0])


@pytest.mark.parametrize("example", OF_TERMS, ids=lambda example: example.__name__)
def test_gradient_and_hessian_are_those_of_the_number_by_hand(example: type) -> None:
    """Half of both; the whole Hessian is made of differences of gradients."""
    problem, rng = pose(example(), example.scanned), np.random.default_rng(3)
    objective, p = Objective(problem), len(problem.parameters)
    x = objective.box.start + objective.box.width * rng.uniform(0.3, 0.7, (p, 4))
    given_ = Given(np.ascontiguousarray(example.points[:4].T))
    at = objective.evaluate(given_, x)
    gradient = (objective.jacobian(given_, x, at) * at.residual[:, None]).sum(axis=0)
    around = expand_fully(objective, given_, x, at).equations
    hessian = around.hessian if around.hessian is not None else np.zeros((p, p, 4))

    def by_hand(k: int, offset: np.ndarray) -> float:
        return (
            0.5 * example.by_hand(*example.points[k], *(x[:, k] + offset))
            if example.scanned[0] != "b"
            else 0.5 * (example.by_hand(mu=x[0, k] + offset[0], b=example.points[k, 0]))
        )

    h = 1e-3 * objective.box.width[:, 0]
    for k in range(4):
        for j in range(p):
            step = np.eye(p)[j] * h[j]
            slope = (by_hand(k, step) - by_hand(k, -step)) / 2e-3
            assert gradient[j, k] == pytest.approx(slope, rel=1e-5, abs=1e-5 * (1 + at.chi2[k]))
            bend = (by_hand(k, step) + by_hand(k, -step) - 2 * by_hand(k, 0 * step)) / 1e-6
            # A scale takes nearly all of an offset's derivative away, and leaves the errors of its differences.
            error = 5e-3 * abs(bend) if example is ScaledDistances else 1e-6 * (1 + at.chi2[k]) + 1e-2
            assert hessian[j, j, k] == pytest.approx(bend, rel=1e-3, abs=error)


def test_whitening_is_the_inverse_covariance_and_the_same_in_any_batch() -> None:
    whitening, columns = Whitening.of(0, COVARIANCE), np.random.default_rng(0).normal(size=(100, 3, 7))
    white = whitening.apply(columns)
    expected = np.einsum("ipn,ij,jpn->pn", columns, np.linalg.inv(COVARIANCE), columns)
    np.testing.assert_allclose((white**2).sum(axis=0), expected, rtol=1e-9)
    for rows in ([0], [3, 1], [6, 5, 4]):
        part = whitening.apply(np.ascontiguousarray(columns[..., rows]))
        assert part.tobytes() == np.ascontiguousarray(white[..., rows]).tobytes()


@pytest.mark.parametrize("example", OF_TERMS, ids=lambda example: example.__name__)
def test_rows_with_data_of_their_own_are_fitted_as_models_with_these_data(example: type) -> None:
    """Here the same data for all rows: not one bit differs from a fit of the model's own."""
    problem = pose(example(), example.scanned)
    objective, points = Objective(problem), np.ascontiguousarray(example.points[:3].T)
    start = np.repeat(objective.box.start + 0.4 * objective.box.width, 3, axis=1)
    observed = np.repeat(np.array([[o.observed] for o in problem.observables]), 3, axis=1)
    shared, own = (minimise(objective, given_, start, 200) for given_ in (Given(points), Given(points, observed)))
    for mine, theirs in zip(vars(own).values(), vars(shared).values(), strict=True):
        assert (mine is None and theirs is None) or mine.tobytes() == theirs.tobytes()


def test_data_by_row_are_independent_of_other_rows() -> None:
    rng = np.random.default_rng(8)
    data = rng.poisson(40, (10, 3)).astype(float)
    problem, point = pose(Scaled(), ("w",)), np.full((1, 3), 0.2)
    objective = Objective(problem)
    observed = np.concatenate([data, [[0.2, 0.1, 0.4]]])
    start = np.repeat(np.array([[3.0], [0.2]]), 3, axis=1)
    together = minimise(objective, Given(point, observed), start, 200)
    for k in range(3):

        class Own(Scaled):
            parameters = (*Scaled.parameters[:2], Parameter("background", 0, 5, constraint=(observed[10, k], 0.3)))
            data = (Poisson("counts", observed[:10, k], scale="S"),)

        alone = minimise(Objective(pose(Own(), ("w",))), Given(point[:, :2]), start[:, :2], 200)
        assert together.chi2[k] == pytest.approx(alone.chi2[0], rel=1e-9)
        np.testing.assert_allclose(together.x[:, k], alone.x[:, 0], rtol=1e-5, atol=1e-6)


def test_pulls_are_signed_roots_and_in_standard_deviations_of_the_single_values() -> None:
    problem = pose(Mixed(), ("w",))
    predicted = np.linspace(1, 60, 12)[None]
    found = pulls(problem, predicted)[0]
    counts = np.array([o.observed for o in problem.observables[:10]])
    loss = deviance(predicted[0, :10], counts)
    np.testing.assert_allclose(found[:10] ** 2, loss)
    assert (np.sign(found[:10]) == np.sign(predicted[0, :10] - counts)).all()
    assert found[10] == pytest.approx((predicted[0, 10] - 48) / 3)
    assert found[11] == pytest.approx((predicted[0, 11] - 0.2) / 0.3)
    of_distances = pulls(pose(ScaledDistances(), ()), np.zeros((1, 100)))[0]
    observed = np.array([o.observed for o in pose(ScaledDistances(), ()).observables])
    np.testing.assert_allclose(of_distances, -observed / np.sqrt(np.diagonal(COVARIANCE)))


class Beyond(Model):
    """Two rates of which one may become negative inside the bounds: the minimum is where it is zero."""

    parameters = (Parameter("a", -5, 5), Parameter("b", -5, 5))
    data = (Poisson("n", [0.0, 4.0]), Gaussian("g", 3.0, 1.0))

    def predict(self, a, b):
        return {"n": np.hstack([a - b, a + b]), "g": b}


def test_steps_end_where_an_expectation_is_zero_and_go_on_along_there() -> None:
    """On a = b, where an expectation is zero inside the bounds, the number is 4 b − 8 + 8 ln(2/b) + (b − 3)²."""
    b = np.linspace(2, 3, 100_001)
    lowest = (4 * b - 8 + 8 * np.log(2 / b) + (b - 3) ** 2).min()
    objective = Objective(pose(Beyond(), ()))
    start = np.array([[4.0, 3.0], [1.0, 0.5]])
    ends = minimise(objective, Given(np.empty((0, 2))), start, 500)
    assert (ends.x[0] >= ends.x[1]).all()
    assert (ends.chi2 >= lowest - 1e-9).all()
    assert (ends.chi2 <= lowest + 1e-6).all()
    assert (ends.status == Status.CONVERGED).all()


@pytest.mark.parametrize("counts", [(0, 0, 1, 2, 4, 5), (0, 0, 0, 0, 1, 3, 3, 2), (0, 1, 1, 4)])
@pytest.mark.parametrize("scale", [None, "S"])
def test_a_line_through_counts_may_have_its_minimum_where_nothing_is_expected(counts, scale) -> None:
    """Where a line falls below zero at its first bin, the best one is b x with b = Σn/Σx."""
    n, x = np.array(counts, float), np.arange(float(len(counts)))

    class Line(Model):
        parameters = (Parameter("a", -2, 4), Parameter("b", 0.5, 1.5) if scale else Parameter("b", -2, 4))
        data = (Poisson("n", n, scale=scale),)

        def predict(self, a, b):
            return {"n": a + b * x}

    best = deviance(n.sum() / x.sum() * x[:, None], n[:, None]).sum()
    start = np.random.default_rng(3).uniform([[0.0], [0.5]], [[4.0], [1.5]], (2, 16))
    ends = minimise(Objective(pose(Line(), ())), Given(np.empty((0, 16))), start, 200)
    np.testing.assert_allclose(ends.chi2, best, atol=1e-6)
    assert (ends.status == Status.CONVERGED).all()
    assert (np.abs(ends.edm) < 1e-9).all()


def test_a_start_with_a_negative_expectation_has_failed() -> None:
    ends = minimise(Objective(pose(Beyond(), ())), Given(np.empty((0, 2))), np.array([[-1.0, 3.0], [1.0, 0.5]]), 200)
    assert np.isnan(ends.chi2[0])
    assert np.isfinite(ends.chi2[1])


class Partial(Oscillation):
    """Knows some of its derivatives."""

    def jacobian(self, s, d, norm, shift):
        return {"counts": {"norm": (rate_without_norm(s, d, shift))}}


def rate_without_norm(s, d, shift):
    from .examples import rate  # noqa: PLC0415

    return rate(s, d, 1.0, shift) - 3


def test_derivatives_that_a_model_leaves_out_are_found_by_differences() -> None:
    whole, part = (Objective(pose(example(), ("s", "d"))) for example in (Oscillation, Partial))
    points, x = np.array([[0.9, 0.8], [2.5, 2.0]]), np.array([[1.0, 0.9], [0.01, 0.0]])
    jacobians = [o.jacobian(Given(points), x, o.evaluate(Given(points), x)) for o in (whole, part)]
    np.testing.assert_allclose(jacobians[0], jacobians[1], rtol=1e-7, atol=1e-7)
