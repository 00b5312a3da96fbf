"""Rules of numpy's functions of several arrays that are not made of others: angles, tables, contractions, spreads."""

from __future__ import annotations

from typing import Any

import numpy as np

from hpcscan.arrays import Array, IntArray
from hpcscan.proof import intervals
from hpcscan.proof.condition import ARRAY_FUNCTIONS, UFUNCS, NotEnclosable
from hpcscan.proof.enclosure import Enclosed, enclosed
from hpcscan.proof.intervals import ULP, Pair
from hpcscan.proof.operations import add, chained, multiply, product, subtract, summed, unary


def arctan2(_: Any, y: Any, x: Any) -> Enclosed:
    """Return the angle of (x, y); anything where the box meets the cut y = 0, x ≤ 0.

    Elsewhere the angle is monotone along every edge, and has no extremum inside: it is largest and least at corners.
    """
    y, x = enclosed(y), enclosed(x)
    shape = np.broadcast_shapes(y.shape, x.shape)
    y, x = y.broadcast(shape), x.broadcast(shape)
    is_cut = ~((x.value[0] > 0) | (y.value[0] > 0) | (y.value[1] < 0))
    corners = [np.arctan2(s, t) for s in y.value for t in x.value]
    lower, upper = intervals.outward(np.minimum.reduce(corners), np.maximum.reduce(corners), ulps=4.0)
    half_turn = np.pi * (1 + 4 * ULP)
    value = np.where(is_cut, -half_turn, lower), np.where(is_cut, half_turn, upper)
    inverse = intervals.reciprocal(intervals.add(intervals.square(x.value), intervals.square(y.value)))
    slopes = (intervals.multiply(x.value, inverse), intervals.multiply(intervals.negate(y.value), inverse))
    by_y, by_x = ((np.where(is_cut, -np.inf, s[0]), np.where(is_cut, np.inf, s[1])) for s in slopes)
    return chained(value, (y, by_y), (x, by_x))


def interpolated(x: Any, xp: Any, fp: Any) -> Enclosed:
    """Interpolate in a table of plain numbers: a broken line, constant beyond its ends."""
    if any(isinstance(part, Enclosed) and not part.is_constant for part in (xp, fp)):
        raise NotEnclosable("np.interp in a table that depends on a parameter: only its first argument may")
    nodes, heights = (np.asarray(enclosed(part).value[0], float) for part in (xp, fp))
    if not (np.isfinite(nodes).all() and np.isfinite(heights).all() and (np.diff(nodes) > 0).all()):
        raise NotEnclosable("np.interp in a table whose abscissae do not increase, or that is not finite")
    x = enclosed(x)
    ends = [np.interp(end, nodes, heights) for end in x.value]
    # Heights of the nodes inside count, too; slopes of the pieces that are touched, which are 0 outside the table.
    first, last = np.searchsorted(nodes, x.value[0], "left"), np.searchsorted(nodes, x.value[1], "right")
    low, high = _extremes(heights, first, last)
    value = intervals.outward(
        np.minimum(np.minimum(*ends), low),
        np.maximum(np.maximum(*ends), high),
        absolute=16 * ULP * np.abs(heights).max(),
    )
    pieces = np.concatenate([[0.0], np.diff(heights) / np.diff(nodes), [0.0]])
    return chained(value, (x, intervals.outward(*_extremes(pieces, first, last + 1), ulps=4.0)))


def _extremes(values: Array, first: IntArray, last: IntArray) -> Pair:
    """Return least and largest of values[first:last]; ∞ and −∞ where that is empty. Two overlapping runs of 2ᵏ do."""
    n = last - first
    level = np.floor(np.log2(np.maximum(n, 1))).astype(int)
    low, high = np.full(n.shape, np.inf), np.full(n.shape, -np.inf)
    least, largest = values, values
    for k in range(int(level.max(initial=0)) + 1):
        mine = (level == k) & (n > 0)
        for place in (first[mine], last[mine] - 2**k):
            low[mine], high[mine] = np.minimum(low[mine], least[place]), np.maximum(high[mine], largest[place])
        step = 2**k
        least = np.minimum(least[:-step], least[step:]) if len(least) > step else least
        largest = np.maximum(largest[:-step], largest[step:]) if len(largest) > step else largest
    return low, high


def _contracted(a: Any, b: Any, axes: Any = 2) -> Any:
    """Sum products over axes of both, as np.tensordot does."""
    a, b = (part if isinstance(part, Enclosed) else np.asarray(part, float) for part in (a, b))
    if isinstance(axes, int | np.integer):
        axes = list(range(a.ndim - axes, a.ndim)), list(range(axes))
    of_a, of_b = ([int(k) % part.ndim for k in np.atleast_1d(ks)] for ks, part in zip(axes, (a, b), strict=True))
    rest_a, rest_b = ([k for k in range(p.ndim) if k not in ks] for p, ks in ((a, of_a), (b, of_b)))
    shape = [a.shape[k] for k in rest_a] + [b.shape[k] for k in rest_b]
    if [a.shape[k] for k in of_a] != [b.shape[k] for k in of_b]:
        raise NotEnclosable("np.tensordot over axes of different lengths")
    n = int(np.prod([a.shape[k] for k in of_a]))
    flat = a.transpose(*rest_a, *of_a).reshape(-1, n), b.transpose(*of_b, *rest_b).reshape(n, -1)
    return product(*flat).reshape(shape)


def _average(a: Any, axis: Any = None, weights: Any = None) -> Any:
    """Average with weights, of the shape of the array or along the axis."""
    if weights is None:
        return ARRAY_FUNCTIONS[np.mean](a, axis)
    a, weights = enclosed(a), enclosed(weights)
    if weights.shape != a.shape:
        if axis is None or weights.ndim != 1:
            raise NotEnclosable("np.average with weights of another shape: give an axis and weights along it")
        weights = weights.reshape([-1 if k == axis % a.ndim else 1 for k in range(a.ndim)])
        weights = weights.broadcast(a.shape)
    total: Any = summed(None, multiply(None, a, weights), axis)
    return total / summed(None, weights, axis)


def _variance(a: Any, axis: Any = None, *, ddof: Any = 0, keepdims: Any = False) -> Any:
    a = enclosed(a)
    middle = ARRAY_FUNCTIONS[np.mean](a, axis, keepdims=True)
    total: Any = summed(None, unary("square")(np.square, subtract(None, a, middle)), axis, bool(keepdims))
    return total / (a.size / max(total.size, 1) - ddof)


def _deviation(a: Any, axis: Any = None, *, ddof: Any = 0, keepdims: Any = False) -> Any:
    return unary("sqrt")(np.sqrt, _variance(a, axis, ddof=ddof, keepdims=keepdims))


def hypot(_: Any, a: Any, b: Any) -> Enclosed:
    """Return √(a² + b²)."""
    square = unary("square")
    return unary("sqrt")(np.sqrt, add(_, square(np.square, a), square(np.square, b)))


def logaddexp(_: Any, a: Any, b: Any) -> Enclosed:
    """Return ln(eᵃ + eᵇ) = a + ln(1 + e^(b − a))."""
    return add(_, a, unary("log1p")(np.log1p, unary("exp")(np.exp, subtract(_, b, a))))


UFUNCS.update({"arctan2": arctan2, "hypot": hypot, "logaddexp": logaddexp})
ARRAY_FUNCTIONS.update(
    {
        np.interp: interpolated,
        np.tensordot: _contracted,
        np.average: _average,
        np.var: _variance,
        np.std: _deviation,
    }
)
