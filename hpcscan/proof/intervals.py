"""Arithmetic on arrays of intervals: pairs (lower, upper) of arrays, rounded outward.

Outward rounding: a correctly rounded result is within half a unit in the last place of the true one. The margin
|x| 2⁻⁵² is at least one such unit, so that the difference, whose rounding is monotone, is at least one whole unit
outside; TINY does the same below the smallest normal number. An interval may be infinite, and a pair whose two members
are the same object is exact.
"""

from __future__ import annotations

import numpy as np

from hpcscan.arrays import Array, BoolArray

#: Lower and upper ends, of one shape.
Pair = tuple[Array, Array]

ULP, TINY = 2.0**-52, 5e-324


def outward(lower: Array, upper: Array, ulps: float = 1.0, absolute: float = 0.0) -> Pair:
    """Move both ends outward by `ulps` units in the last place and `absolute`; what is undefined may be anything."""
    margin = np.abs(lower)
    margin *= ulps * ULP
    margin += TINY + absolute
    lower = lower - margin
    margin = np.abs(upper)
    margin *= ulps * ULP
    margin += TINY + absolute
    upper = upper + margin
    # ∞ − ∞ and the like: the whole line.
    if (undefined := np.isnan(lower)).any():
        lower = np.where(undefined, -np.inf, lower)
    if (undefined := np.isnan(upper)).any():
        upper = np.where(undefined, np.inf, upper)
    return lower, upper


def add(a: Pair, b: Pair) -> Pair:
    """Return a + b."""
    return outward(a[0] + b[0], a[1] + b[1])


def negate(a: Pair) -> Pair:
    """Return −a."""
    if a[0] is a[1]:
        exact = -a[0]
        return exact, exact
    return -a[1], -a[0]


def multiply(a: Pair, b: Pair) -> Pair:
    """Return a b. The factors are real numbers, however large: 0 times an infinite end is 0."""
    if a[0] is a[1]:
        a, b = b, a
    if b[0] is b[1]:
        ends = [_product(a[0], b[0]), _product(a[1], b[0])]
        return outward(np.minimum(*ends), np.maximum(*ends))
    if a[0].min(initial=0.0) >= 0:
        a, b = b, a
    if b[0].min(initial=0.0) >= 0:
        lower = np.minimum(_product(a[0], b[0]), _product(a[0], b[1]))
        return outward(lower, np.maximum(_product(a[1], b[0]), _product(a[1], b[1])))
    ends = [_product(x, y) for x in a for y in b]
    lower = np.minimum(np.minimum(ends[0], ends[1]), np.minimum(ends[2], ends[3]))
    return outward(lower, np.maximum(np.maximum(ends[0], ends[1]), np.maximum(ends[2], ends[3])))


def _product(x: Array, y: Array) -> Array:
    product: Array = x * y
    if (undefined := np.isnan(product)).any():
        product = np.where(undefined, 0.0, product)
    return product


def divide_exact(a: Pair, divisor: Array) -> Pair:
    """Return a / divisor, for a divisor that is no interval; the whole line where it is 0."""
    ends = a[0] / divisor, a[1] / divisor
    lower, upper = outward(np.minimum(*ends), np.maximum(*ends))
    if (zero := divisor == 0).any():
        lower, upper = np.where(zero, -np.inf, lower), np.where(zero, np.inf, upper)
    return lower, upper


def total(a: Pair, axis: tuple[int, ...], keepdims: bool = False) -> Pair:
    """Sum along axes.

    However N terms are grouped, their rounded sum is within (N − 1) 2⁻⁵³ Σ|terms| of the true one, to first order;
    twice that, with a Σ|terms| that is rounded itself, covers the higher orders for every N below 2²⁶.
    """
    n = int(np.prod([a[0].shape[k] for k in axis]))

    def end(x: Array, sign: float) -> Array:
        margin = np.abs(x).sum(axis, keepdims=keepdims) * (n * ULP)
        ended: Array = x.sum(axis, keepdims=keepdims) + sign * margin
        return ended

    return outward(end(a[0], -1.0), end(a[1], 1.0))


def accumulate(a: Pair, axis: int) -> Pair:
    """Sum cumulatively, with the margins of `total`."""
    n = a[0].shape[axis]
    lower = a[0].cumsum(axis) - np.abs(a[0]).cumsum(axis) * (n * ULP)
    return outward(lower, a[1].cumsum(axis) + np.abs(a[1]).cumsum(axis) * (n * ULP))


def select(first: BoolArray, second: BoolArray, a: Pair, b: Pair) -> Pair:
    """Return a where `first`, b where `second`, and elsewhere the interval that contains both."""
    lower = np.where(first, a[0], np.where(second, b[0], np.minimum(a[0], b[0])))
    return lower, np.where(first, a[1], np.where(second, b[1], np.maximum(a[1], b[1])))


def square(a: Pair) -> Pair:
    """Return a², which is not negative."""
    low, high = magnitude(a)
    lower, upper = outward(low * low, high * high)
    return np.maximum(lower, 0.0), upper


def magnitude(a: Pair) -> Pair:
    """Return |a|, exactly."""
    p, q = np.abs(a[0]), np.abs(a[1])
    return np.where((a[0] <= 0) & (a[1] >= 0), 0.0, np.minimum(p, q)), np.maximum(p, q)


def reciprocal(a: Pair) -> Pair:
    """Return 1/a; the whole line where a may be 0 with either sign."""
    p, q = 1 / a[1], 1 / a[0]
    lower, upper = outward(p, q)
    crosses = (a[0] <= 0) & (a[1] >= 0)
    if crosses.any():
        lower = np.where(crosses, np.where((a[0] == 0) & (a[1] > 0), lower, -np.inf), lower)
        upper = np.where(crosses, np.where((a[1] == 0) & (a[0] < 0), upper, np.inf), upper)
    return lower, upper
