"""Levels of Δχ² and probabilities, from the χ² distribution itself."""

from __future__ import annotations

from math import erfc, exp, expm1, inf, lgamma, log, log1p, sqrt
from statistics import NormalDist

#: Confidence levels that stand for whole numbers of standard deviations, as they are written.
NAMED_LEVELS = {0.6827: 1.0, 0.9545: 2.0, 0.9973: 3.0}
#: Halvings that exhaust a double.
BISECTIONS = 200


def survival(chi2: float, n: int) -> float:
    """Probability that a χ² with n ≥ 1 degrees of freedom exceeds a value.

    Q(a + 1, x) = Q(a, x) + xᵃ e⁻ˣ/Γ(a + 1) with a = n/2 and x = χ²/2, from Q(1/2, x) = erfc(√x) or Q(1, x) = e⁻ˣ.
    """
    x = chi2 / 2
    if x <= 0:
        return 1.0
    a, total = (0.5, erfc(sqrt(x))) if n % 2 else (1.0, exp(-x))
    while a < n / 2:
        total += exp(a * log(x) - x - lgamma(a + 1))
        a += 1
    return min(total, 1.0)


def largest_pull(n: int, probability: float) -> float:
    """Compute the |pull| that the largest of n independent normal ones exceeds with a probability."""
    if not 0 < probability < 1:
        return inf if probability <= 0 else 0.0
    outside = -expm1(log1p(-probability) / n)
    return -NormalDist().inv_cdf(outside / 2)


def confidence(n_sigma: float) -> float:
    """Probability within n standard deviations of a normal distribution."""
    return 1 - erfc(n_sigma / sqrt(2))


def delta_chi2_level(n_sigma: float, n_parameters: int) -> float:
    """Δχ² that encloses the same probability for n parameters as n_sigma do for one: 1, 4, 9; 2.30, 6.18, 11.83."""
    outside = erfc(n_sigma / sqrt(2))
    if n_parameters == 1:
        return float(n_sigma**2)
    if n_parameters == 2:
        return -2 * log(outside)
    low, high = 0.0, 1.0
    while survival(high, n_parameters) > outside:
        high *= 2
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if survival(middle, n_parameters) > outside else (low, middle)
    return (low + high) / 2


def level_of(cl: float, n_parameters: int) -> float:
    """Δχ² of a confidence level between 0 and 1."""
    n_sigma = NAMED_LEVELS.get(cl) or NormalDist().inv_cdf((1 + cl) / 2)
    return delta_chi2_level(n_sigma, n_parameters)
