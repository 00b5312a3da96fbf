"""Exact rational arithmetic for polynomials in t and s, to derive the closed forms again from the integrals.

In the layer x = 1 − t s with 0 ≤ s ≤ 1, and there T = S₅(s), because S₅(1 − s) = 1 − S₅(s). A polynomial is a dict from
(power of t, power of s) to its coefficient.
"""

from __future__ import annotations

from fractions import Fraction
from math import comb

Polynomial = dict[tuple[int, int], Fraction]

S = {(0, 1): Fraction(1)}
S5 = {(0, 5): Fraction(6), (0, 4): Fraction(-15), (0, 3): Fraction(10)}
#: dS₅/ds.
DS5 = {(0, 4): Fraction(30), (0, 3): Fraction(-60), (0, 2): Fraction(30)}


def add(*terms: Polynomial) -> Polynomial:
    total: Polynomial = {}
    for term in terms:
        for power, coefficient in term.items():
            total[power] = total.get(power, Fraction(0)) + coefficient
    return {power: coefficient for power, coefficient in total.items() if coefficient}


def times(a: Polynomial, b: Polynomial) -> Polynomial:
    return add(*({(i + k, j + n): c * d} for (i, j), c in a.items() for (k, n), d in b.items()))


def scaled(a: Polynomial, factor: Fraction | int, t_power: int = 0) -> Polynomial:
    return {(i + t_power, j): c * factor for (i, j), c in a.items()}


def in_layer(f: dict[int, Fraction]) -> Polynomial:
    """f(x) at x = 1 − t s."""
    return add(
        *({(k, k): c * comb(n, k) * Fraction(-1) ** k} for n, c in f.items() for k in range(n + 1)),
    )


def core_integral(f: dict[int, Fraction]) -> Polynomial:
    """∫ f(x) dx from 0 to 1 − t."""
    antiderivative = {n + 1: c / (n + 1) for n, c in f.items()}
    return add(
        *({(k, 0): c * comb(n, k) * Fraction(-1) ** k} for n, c in antiderivative.items() for k in range(n + 1)),
    )


def layer_integral(f: Polynomial) -> Polynomial:
    """∫ f dx over the layer: t ∫ f ds from 0 to 1."""
    return add(*({(i + 1, 0): c / (j + 1)} for (i, j), c in f.items()))


def power_series(f: Polynomial) -> dict[int, Fraction]:
    """The coefficients by power of t of a polynomial without s."""
    assert all(j == 0 for _, j in f)
    return {i: c for (i, _), c in f.items()}


def product(*factors: dict[int, Fraction]) -> dict[int, Fraction]:
    """Multiply polynomials in x."""
    result = {0: Fraction(1)}
    for factor in factors:
        result = _multiply(result, factor)
    return result


def _multiply(a: dict[int, Fraction], b: dict[int, Fraction]) -> dict[int, Fraction]:
    result: dict[int, Fraction] = {}
    for n, c in a.items():
        for m, d in b.items():
            result[n + m] = result.get(n + m, Fraction(0)) + c * d
    return result


def total(*terms: dict[int, Fraction]) -> dict[int, Fraction]:
    """Add polynomials in x."""
    result: dict[int, Fraction] = {}
    for term in terms:
        for n, c in term.items():
            result[n] = result.get(n, Fraction(0)) + c
    return result
