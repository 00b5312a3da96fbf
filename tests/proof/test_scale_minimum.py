"""The minimum over the scale: against every combination of matched and missed observables, and dense scans."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcscan.proof.certificate import ScaleMinimum, minimise_over_scale

values = st.one_of(st.sampled_from([-3.0, -1.0, 0.0, 1.0, 2.0]), st.floats(-5, 5).map(lambda value: round(value, 6)))
observables = st.lists(
    st.tuples(values, values, values).map(lambda v: (v[0], min(v[1:]), max(v[1:]))), min_size=1, max_size=4
)


def chi2_at(scale: np.ndarray, problem: np.ndarray) -> np.ndarray:
    """The definition: Σ dist(t, S·[lower, upper])²."""
    total = np.zeros_like(scale)
    for target, lower, upper in problem:
        ends = np.sort([scale * lower, scale * upper], axis=0)
        total += np.maximum(np.maximum(ends[0] - target, target - ends[1]), 0) ** 2
    return total


def exact_chi2(scale: float, problem: np.ndarray) -> Fraction:
    """The same in rational arithmetic."""
    total = Fraction(0)
    for target, *ends in problem.tolist():
        low, high = sorted(Fraction(scale) * Fraction(end) for end in ends)
        total += max(low - Fraction(target), Fraction(target) - high, Fraction(0)) ** 2
    return total


def candidates(problem: np.ndarray) -> np.ndarray:
    """Every scale that can be a minimum: the best for each choice of lower end, upper end or neither, and all kinks."""
    found = [0.0]
    for target, *ends in problem:
        found += [target / end for end in ends if end]
    for choice in product((0, 1, 2), repeat=len(problem)):
        e = np.array([row[1:][k] if k < 2 else 0.0 for row, k in zip(problem, choice, strict=True)])
        if (e * e).sum() > 0:
            found.append((e * problem[:, 0]).sum() / (e * e).sum())
    return np.array(found)


def solve(problem: np.ndarray, exact: int | None = None) -> ScaleMinimum:
    return minimise_over_scale(*problem.T[:, :, None], exact)


def chi2(best: ScaleMinimum) -> float:
    return float((best.distance**2).sum())


@settings(max_examples=200, deadline=None)
@given(observables)
def test_the_minimum_is_the_best_of_all_combinations(problem: list[tuple[float, float, float]]) -> None:
    problem = np.array(problem)
    best = solve(problem)
    lowest = chi2_at(candidates(problem), problem).min()
    tolerance = 1e-13 * (problem[:, 0] ** 2).sum()
    assert chi2(best) == pytest.approx(lowest, rel=1e-12, abs=tolerance)
    end = np.where(np.isfinite(best.lower), best.lower, best.upper)
    assert chi2_at(end, problem)[0] == pytest.approx(chi2(best), rel=1e-12, abs=tolerance)


@settings(max_examples=200, deadline=None)
@given(observables)
def test_the_interval_is_all_that_reaches_the_minimum_on_its_half_line(
    problem: list[tuple[float, float, float]],
) -> None:
    problem = np.array(problem)
    best = solve(problem)
    lower, upper = float(best.lower[0]), float(best.upper[0])
    first, last = (lower if np.isfinite(lower) else 2 * upper - 1), (upper if np.isfinite(upper) else 2 * lower + 1)
    inside = np.linspace(first, last, 50)
    assert chi2_at(inside, problem) == pytest.approx(chi2(best), rel=1e-9, abs=1e-9)
    assert lower <= upper
    assert lower >= 0 or upper <= 0
    for end, outward in ((lower, -1), (upper, 1)):
        beyond = end + outward * 0.01 * (1 + abs(end))
        if np.isfinite(end) and beyond * (lower + upper) > 0:
            assert exact_chi2(beyond, problem) > exact_chi2(end, problem)


@settings(max_examples=200, deadline=None)
@given(observables, st.floats(0.1, 5), values, values)
def test_an_exact_observable_restricts_the_scale(
    problem: list[tuple[float, float, float]], mass: float, a: float, b: float
) -> None:
    """A scan over the values of the exact prediction comes down to the minimum, not below it."""
    lower, upper = sorted((a, b))
    rows = np.array([*problem, (mass, lower, upper)])
    best = solve(rows, exact=len(problem))
    prediction = np.linspace(lower, upper, 4001)
    scale = mass / prediction[prediction != 0]
    others = np.array(problem)
    inner = candidates(others)
    with np.errstate(divide="ignore"):
        inner = inner[(inner != 0) & (mass / inner >= lower) & (mass / inner <= upper)]
    scale = np.concatenate([scale, inner])
    if len(scale):
        lowest = chi2_at(scale, others).min()
        assert chi2(best) <= lowest * (1 + 1e-12)
        assert chi2(best) >= lowest - 0.05 * (1 + lowest)
        assert mass / best.lower[0] == pytest.approx(np.clip(mass / best.lower[0], lower, upper), rel=1e-12)
    else:
        assert chi2(best) == np.inf


@pytest.mark.parametrize(
    ("problem", "lower", "upper", "expected"),
    [
        pytest.param([(1, 2, 4), (3, 1, 9)], 1 / 3, 0.5, 0.0, id="both can be matched"),
        pytest.param([(1, -2, 4), (3, -1, 9)], 1 / 3, np.inf, 0.0, id="ranges that contain zero leave S open"),
        pytest.param([(1, -4, -2), (3, -9, -1)], -0.5, -1 / 3, 0.0, id="negative predictions need S < 0"),
        pytest.param([(1, -2, 1), (3, -9, -2)], -1.5, -0.5, 0.0, id="S < 0 reaches what S > 0 does not"),
        pytest.param([(1, -3, 3)], 1 / 3, np.inf, 0.0, id="both signs do, the positive one counts"),
        pytest.param([(3, 1, 1), (4, 2, 2)], 2.2, 2.2, 0.8**2 + 0.4**2, id="fixed predictions: least squares"),
        pytest.param([(5, 0, 0)], 0.0, np.inf, 25.0, id="nothing predicted: any scale"),
        pytest.param([(0, 1, 2)], 0.0, 0.0, 0.0, id="nothing measured: S = 0"),
        pytest.param([(2, 1, np.inf), (3, -np.inf, 5)], 0.6, 2.0, 0.0, id="open ranges"),
        pytest.param([(4, 1, 1), (3, -np.inf, np.inf)], 4.0, 4.0, 0.0, id="a range without ends"),
        pytest.param([(1, 1e-320, 1e-320), (1, 1, 1)], 1.0, 1.0, 1.0, id="a prediction that is almost zero"),
    ],
)
def test_known_minima(problem: list[tuple[float, ...]], lower: float, upper: float, expected: float) -> None:
    best = solve(np.array(problem, float))
    assert chi2(best) == pytest.approx(expected, rel=1e-14, abs=1e-14)
    assert best.lower[0] == pytest.approx(lower, rel=1e-14, abs=1e-100)
    assert best.upper[0] == pytest.approx(upper, rel=1e-14)


def test_an_exact_observable_that_cannot_be_matched_allows_no_scale() -> None:
    best = solve(np.array([(1.0, 0.0, 0.0), (2.0, 1.0, 3.0)]), exact=0)
    assert chi2(best) == np.inf
    assert np.isnan([best.lower[0], best.upper[0]]).all()


@settings(max_examples=60, deadline=None)
@given(observables, st.floats(-8, 8).map(lambda power: round(10.0**power, 12)))
def test_units_do_not_matter(problem: list[tuple[float, float, float]], unit: float) -> None:
    """Predictions in another unit only change the scale."""
    rows = np.array(problem)
    best, other = solve(rows), solve(rows * [1, unit, unit])
    assert chi2(other) == pytest.approx(chi2(best), rel=1e-12, abs=1e-12)
    assert other.lower[0] * unit == pytest.approx(best.lower[0], rel=1e-9, abs=1e-9)


def test_a_hundred_observables() -> None:
    rng = np.random.default_rng(5)
    middle, width = rng.normal(3.0, 1.0, 100), rng.random(100) * 0.2
    rows = np.stack([rng.normal(6.0, 2.0, 100), middle - width, middle + width], axis=1)
    best = solve(rows)
    scan = chi2_at(np.linspace(1, 3, 10_001), rows)
    assert chi2(best) <= scan.min()
    assert chi2(best) == pytest.approx(scan.min(), rel=1e-7)
