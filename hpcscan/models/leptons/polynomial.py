"""Polynomials in t = w/R with rational coefficients, evaluated together for many t."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from hpcscan.arrays import Array

#: Coefficient by power of t.
Polynomial = dict[int, Fraction]


def polynomial(terms: dict[int, str]) -> Polynomial:
    """Read the coefficients."""
    return {power: Fraction(coefficient) for power, coefficient in terms.items()}


def together(*polynomials: Polynomial) -> Array:
    """Round the coefficients to doubles: shape (n, 2, n_polynomials), highest power first, even powers beside odd ones.

    An even power and the odd one above it are the entries of a pair.
    """
    most = max(max(polynomial) for polynomial in polynomials) // 2
    pairs = [(2 * half, 2 * half + 1) for half in range(most, -1, -1)]
    return np.array([[[float(p.get(power, 0)) for p in polynomials] for power in pair] for pair in pairs])


def evaluate(coefficients: Array, t: Array) -> Array:
    """Evaluate polynomials together by Horner's rule in t²: shape (n_polynomials, *t.shape).

    Only + and × are used, elementwise, so that a row has the same bits in any batch.
    """
    square = t * t
    first, *others = coefficients.reshape(*coefficients.shape, *(1,) * t.ndim)
    halves: Array = first * square
    for coefficient in others[:-1]:
        halves += coefficient
        halves *= square
    halves += others[-1]
    values: Array = halves[1]
    values *= t
    values += halves[0]
    return values


def radius_derivative(polynomial: Polynomial, n: int) -> Polynomial:
    """Give Q with d/dR_c [Rⁿ P(w/R)] = Rⁿ⁻¹ Q(w/R), where R = R_c + w: Q = n P − t P′."""
    return {power: (n - power) * coefficient for power, coefficient in polynomial.items()}
