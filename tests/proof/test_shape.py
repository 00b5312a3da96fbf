"""The constants that bound the second derivatives, proven by exact arithmetic."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import numpy as np
import pytest

from hpcscan.models.leptons.energy import (
    P_CIRCULATION,
    P_GRADIENT,
    P_STABILIZATION,
    Frame,
    Polynomial,
    radius_derivative,
    values_and_slopes,
)
from hpcscan.models.leptons.energy_enclosure import CIRCULATION, CIRCULATION_OVER_SQUARE, GRADIENT, STABILIZATION

SHAPES = {
    "stabilization": (P_STABILIZATION, 3, STABILIZATION),
    "gradient": (P_GRADIENT, 1, GRADIENT),
    "stream": (P_CIRCULATION["stream"], 3, CIRCULATION["stream"]),
    "laboratory": (P_CIRCULATION["laboratory"], 3, CIRCULATION["laboratory"]),
    "stream over R2": (P_CIRCULATION["stream"], 1, CIRCULATION_OVER_SQUARE["stream"]),
    "laboratory over R2": (P_CIRCULATION["laboratory"], 1, CIRCULATION_OVER_SQUARE["laboratory"]),
}


def is_positive(polynomial: Polynomial) -> bool:
    """Prove that a polynomial is not negative on 0 ≤ t ≤ 1: on 64 pieces its Bernstein coefficients are not."""
    degree = max(polynomial)
    return all(
        coefficient >= 0 for k in range(64) for coefficient in bernstein(moved(polynomial, Fraction(k, 64)), degree)
    )


def moved(polynomial: Polynomial, start: Fraction) -> Polynomial:
    """The polynomial in s where t = start + s/64."""
    result = dict.fromkeys(range(max(polynomial) + 1), Fraction(0))
    for n, c in polynomial.items():
        for j in range(n + 1):
            result[j] += c * comb(n, j) * start ** (n - j) * Fraction(1, 64**j)
    return result


def bernstein(polynomial: Polynomial, degree: int) -> list[Fraction]:
    return [
        sum((Fraction(comb(i, j), comb(degree, j)) * polynomial[j] for j in range(i + 1)), Fraction(0))
        for i in range(degree + 1)
    ]


def is_bounded(polynomial: Polynomial, bound: Polynomial) -> bool:
    """Prove |polynomial| ≤ bound on 0 ≤ t ≤ 1."""
    powers = range(max(*polynomial, *bound) + 1)
    zero = Fraction(0)
    return all(
        is_positive({k: bound.get(k, zero) - sign * polynomial.get(k, zero) for k in powers}) for sign in (1, -1)
    )


def second_derivative(polynomial: Polynomial, n: int) -> Polynomial:
    """W with d²/dR² [Rⁿ P(w/R)] = Rⁿ⁻² W(w/R)."""
    return {k: (n - k) * (n - k - 1) * c for k, c in polynomial.items()}


@pytest.mark.parametrize("name", SHAPES)
def test_curvatures_are_bounded(name: str) -> None:
    polynomial, n, shape = SHAPES[name]
    a, b, most = map(Fraction, shape.curvature)
    assert is_bounded(second_derivative(polynomial, n), {0: a, 3: b})
    assert is_bounded(second_derivative(polynomial, n), {0: most})


@pytest.mark.parametrize("name", SHAPES)
def test_bounds_half_as_large_are_refused(name: str) -> None:
    """The proof can fail: every constant is needed, to a factor of two."""
    polynomial, n, shape = SHAPES[name]
    a, b, most = map(Fraction, shape.curvature)
    assert not is_bounded(second_derivative(polynomial, n), {0: a, 3: Fraction(1, 2) * b})
    assert not is_bounded(second_derivative(polynomial, n), {0: Fraction(1, 2) * most})


@pytest.mark.parametrize("name", SHAPES)
def test_magnitude_bounds_the_absolute_terms(name: str) -> None:
    polynomial, _, shape = SHAPES[name]
    for t in (0.0, 1e-3, 0.1, 0.5, 0.9, 1.0):
        terms = sum(abs(c) * Fraction(t) ** k for k, c in polynomial.items())
        assert float(terms) <= shape.magnitude_up_to(np.array([t]))[0] * (1 + 1e-15)


def exactly(polynomial: Polynomial, t: Fraction) -> Fraction:
    return sum((c * t**k for k, c in polynomial.items()), Fraction(0))


@pytest.mark.parametrize("n", [1, 3])
def test_slope_is_the_derivative(n: int) -> None:
    """d/dR [Rⁿ P(w/R)] = Rⁿ⁻¹ Q(w/R)."""
    w, R, h = Fraction(1, 5), Fraction(7, 10), Fraction(1, 10**9)
    up, down = ((R + step) ** n * exactly(P_GRADIENT, w / (R + step)) for step in (h, -h))
    expected = R ** (n - 1) * exactly(radius_derivative(P_GRADIENT, n), w / R)
    assert float((up - down) / (2 * h)) == pytest.approx(float(expected), rel=1e-14)


@pytest.mark.parametrize("frame", P_CIRCULATION)
def test_values_and_slopes_are_right_to_the_rounding_that_the_bounds_allow(frame: Frame) -> None:
    """Half of the 64 roundings that an energy may have, times the absolute terms; exact arithmetic beside it."""
    values = (P_CIRCULATION[frame], P_STABILIZATION, P_GRADIENT)
    slopes = (radius_derivative(P, n) for P, n in zip(values, (3, 3, 1), strict=True))
    t = np.array([1e-3, 0.01, 0.1, 0.3, 0.5, 0.9, 1.0])
    for polynomial, computed in zip((*values, *slopes), values_and_slopes(frame, t), strict=True):
        for at, value in zip(t.tolist(), computed.tolist(), strict=True):
            terms = exactly({k: abs(c) for k, c in polynomial.items()}, Fraction(at))
            assert abs(Fraction(value) - exactly(polynomial, Fraction(at))) <= 32 * Fraction(1, 2**53) * terms
