"""Probabilities from counts: the tails of a binomial distribution, and Clopper and Pearson's interval."""

from __future__ import annotations

from collections.abc import Callable
from math import lgamma

import numpy as np
from numpy.typing import ArrayLike

from hpcscan.arrays import Array, BoolArray

#: Halvings of a probability: all that a double can tell.
HALVINGS = 60
#: Terms of the continued fraction, and what ends it.
MOST_TERMS, SMALL = 10_000, 3e-16
TINY = 1e-300

_log_gamma = np.frompyfunc(lgamma, 1, 1)


def at_least(k: ArrayLike, n: ArrayLike, p: ArrayLike) -> Array:
    """Compute P(X ≥ k) of a binomial distribution: I_p(k, n − k + 1)."""
    k, n, p = (np.asarray(one, float) for one in (k, n, p))
    k, n, p = np.broadcast_arrays(k, n, p)
    inside = (k > 0) & (k <= n)
    # A legal pair stands where the answer is known without it.
    value = _incomplete_beta(np.where(inside, k, 1.0), np.where(inside, n - k + 1, 1.0), p)
    result: Array = np.where(inside, value, np.where(k <= 0, 1.0, 0.0))
    return result


def at_most(k: ArrayLike, n: ArrayLike, p: ArrayLike) -> Array:
    """Compute P(X ≤ k): the same of what is left."""
    k, n, p = (np.asarray(one, float) for one in (k, n, p))
    return at_least(n - k, n, 1 - p)


def clopper_pearson(k: ArrayLike, n: ArrayLike, cl: float) -> tuple[Array, Array]:
    """Return the ends between which a probability lies of which k of n trials were seen, at least at this confidence.

    C. J. Clopper, E. S. Pearson, Biometrika 26, 404 (1934).
    """
    outside = (1 - cl) / 2
    k, n = np.broadcast_arrays(np.asarray(k, float), np.asarray(n, float))
    lower = _bisect(lambda p: at_least(k, n, p) > outside, k.shape)
    upper = _bisect(lambda p: at_most(k, n, p) <= outside, k.shape)
    return np.where(k <= 0, 0.0, lower), np.where(k >= n, 1.0, upper)


def _bisect(is_above: Callable[[Array], BoolArray], shape: tuple[int, ...]) -> Array:
    low, high = np.zeros(shape), np.ones(shape)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        above = is_above(middle)
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    result: Array = (low + high) / 2
    return result


def _incomplete_beta(a: Array, b: Array, x: Array) -> Array:
    """Compute I_x(a, b) by its continued fraction, from the side on which that converges."""
    swaps = x > (a + 1) / (a + b + 2)
    first, second, at = np.where(swaps, b, a), np.where(swaps, a, b), np.where(swaps, 1 - x, x)
    with np.errstate(divide="ignore"):
        log_front = first * np.log(at) + second * np.log1p(-at)
    gammas = _log_gamma(first + second) - _log_gamma(first) - _log_gamma(second)
    value = np.exp(log_front + np.asarray(gammas, float)) / first / _fraction(first, second, at)
    value = np.where(at <= 0, 0.0, value)
    return np.where(swaps, 1 - value, value)


def _fraction(a: Array, b: Array, x: Array) -> Array:
    """Evaluate the fraction 1 + d₁/(1 + d₂/(1 + …)) by Lentz's method (DLMF 8.17.22)."""
    value, c, d = np.ones_like(x), np.ones_like(x), np.zeros_like(x)
    for term in range(1, MOST_TERMS):
        m = term // 2
        if term % 2:
            step = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            step = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d = 1 / _not_zero(1 + step * d)
        c = _not_zero(1 + step / c)
        value = value * c * d
        if np.all(np.abs(c * d - 1) < SMALL):
            break
    return value


def _not_zero(values: Array) -> Array:
    return np.where(np.abs(values) < TINY, TINY, values)
