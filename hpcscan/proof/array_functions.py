"""Rules of numpy's functions of arrays for enclosed ones: joining, reducing, choosing, rearranging, making.

And of functions of several arrays that are not made of others: angles, tables, contractions, spreads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hpcscan.arrays import Array, IntArray
from hpcscan.proof import intervals
from hpcscan.proof.condition import ARRAY_FUNCTIONS, UFUNCS, EnclosedCondition, NotEnclosable
from hpcscan.proof.enclosure import Enclosed, enclosed
from hpcscan.proof.intervals import ULP, Pair
from hpcscan.proof.operations import (
    accumulated,
    add,
    chained,
    choose,
    multiply,
    outer,
    product,
    subtract,
    summed,
    unary,
)

Join = Callable[..., Any]


def arctan2(_: Any, y: Any, x: Any) -> Enclosed:
    """Return the angle of (x, y); anything where the box meets the cut y = 0, x ≤ 0.

    Elsewhere the angle is monotone along every edge, and has no extremum inside: it is largest and least at corners.
    """
    y, x = enclosed(y), enclosed(x)
    shape = np.broadcast_shapes(y.shape, x.shape)
    y, x = y.broadcast(shape), x.broadcast(shape)
    # A box that meets the cut has angles from all around.
    is_cut = ~((x.value[0] > 0) | (y.value[0] > 0) | (y.value[1] < 0))
    corners = [np.arctan2(s, t) for s in y.value for t in x.value]
    lower, upper = intervals.outward(np.minimum.reduce(corners), np.maximum.reduce(corners), ulps=4.0)
    half_turn = np.pi * (1 + 4 * ULP)
    value = np.where(is_cut, -half_turn, lower), np.where(is_cut, half_turn, upper)
    # ∂/∂y = x/(x² + y²), ∂/∂x = −y/(x² + y²); without a bound on the cut, where the angle jumps.
    inverse = intervals.reciprocal(intervals.add(intervals.square(x.value), intervals.square(y.value)))
    slopes = (intervals.multiply(x.value, inverse), intervals.multiply(intervals.negate(y.value), inverse))
    by_y, by_x = ((np.where(is_cut, -np.inf, s[0]), np.where(is_cut, np.inf, s[1])) for s in slopes)
    return chained(value, (y, by_y), (x, by_x))


def interpolated(x: Any, xp: Any, fp: Any) -> Enclosed:
    """Interpolate in a table of plain numbers: a broken line, constant beyond its ends."""
    if any(isinstance(part, Enclosed) and not part.is_constant for part in (xp, fp)):
        raise NotEnclosable("np.interp in a table that depends on a parameter: only its first argument may")
    # The table has to be one of plain numbers, in the order that np.interp wants.
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
        # From runs of 2ᵏ to those of 2ᵏ⁺¹.
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
    # As one product of matrices: what is summed over comes last in one and first in the other.
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
    # Squares of differences: Σa²/n − (Σa/n)² would enclose negative variances.
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


def _joined(parts: Sequence[Any], join: Join) -> Enclosed:
    """Join arrays by a function of numpy; what some of them lack is zero there."""
    parts = [enclosed(part) for part in parts]

    def pairs(tables: list[dict[Any, Pair]]) -> dict[Any, Pair]:
        # A parameter on which one part depends and another does not has derivative 0 there.
        keys = dict.fromkeys(key for table in tables for key in table)
        zero = [(np.zeros(part.shape), np.zeros(part.shape)) for part in parts] if keys else []
        columns = {key: [table.get(key, nothing) for table, nothing in zip(tables, zero, strict=True)] for key in keys}
        return {key: (join([p[0] for p in column]), join([p[1] for p in column])) for key, column in columns.items()}

    def flags(arrays: list[Any]) -> Any:
        if all(a is None for a in arrays):
            return None
        return join([np.zeros(p.shape, np.int8) if a is None else a for a, p in zip(arrays, parts, strict=True)])

    return Enclosed(
        (join([p.value[0] for p in parts]), join([p.value[1] for p in parts])),
        pairs([p.first for p in parts]),
        pairs([p.mixed for p in parts]),
        flags([p.degree for p in parts]),
        flags([p.undefined for p in parts]),
        all(p.is_constant for p in parts),
    )


def _joining(function: Any) -> Callable[..., Enclosed]:
    """Return the rule of a function that joins a sequence of arrays."""
    return lambda parts, *axis, **named: _joined(list(parts), lambda arrays: function(arrays, *axis, **named))


def _moving(function: Any) -> Callable[..., Any]:
    """Return the rule of a function that rearranges the elements of one array."""
    return lambda a, *options, **named: enclosed(a).move(lambda x: function(x, *options, **named))


def _total(a: Any, axis: Any = None, *, keepdims: Any = False) -> Enclosed:
    return summed(None, enclosed(a), axis, bool(keepdims))


def _mean(a: Any, axis: Any = None, *, keepdims: Any = False) -> Any:
    total = summed(None, enclosed(a), axis, bool(keepdims))
    return total / (enclosed(a).size / max(total.size, 1))


def _cumulative(a: Any, axis: Any = None) -> Enclosed:
    return accumulated(None, a.reshape(-1) if axis is None else a, 0 if axis is None else axis)


def _product(a: Any, axis: Any = None) -> Any:
    a, axis = (a.reshape(-1), 0) if axis is None else (np.moveaxis(a, axis, 0), 0)
    result = a[0]
    for k in range(1, len(a)):
        result = result * a[k]
    return result


def _extreme(ufunc: Any) -> Callable[..., Any]:
    """Return the rule of max or min along an axis."""

    def rule(a: Any, axis: Any = None) -> Any:
        # One after another, by the rule of two: the derivative is that of whatever may be the extreme one.
        parts = a.reshape(-1) if axis is None else np.moveaxis(a, axis, 0)
        result = parts[0]
        for k in range(1, len(parts)):
            result = ufunc(result, parts[k])
        return result

    return rule


def _where(condition: Any, *choices: Any) -> Enclosed:
    if len(choices) != 2:
        raise NotEnclosable("np.where without values gives positions: give it two values to choose from")
    return choose(EnclosedCondition.of(condition), *choices, jumps=True)


def _clip(a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Any:
    lower, upper = a_min if min is None else min, a_max if max is None else max
    a = enclosed(a).copy() if lower is None else UFUNCS["maximum"](None, a, lower)
    return a if upper is None else UFUNCS["minimum"](None, a, upper)


def _einsum(subscripts: Any, *operands: Any, optimize: Any = False) -> Any:
    """Sum products of elements: every operand is brought to the axes of the result and of what is summed."""
    if not isinstance(subscripts, str) or "->" not in subscripts or "." in subscripts:
        raise NotEnclosable("np.einsum needs its subscripts as text with '->' and without '...'")
    inputs, result = subscripts.replace(" ", "").split("->")
    # The axes of the result first, and those that are summed over behind them.
    letters = result + "".join(sorted(set(inputs) - set(result) - {","}))

    def lifted(operand: Any, names: str) -> Any:
        if len(set(names)) < len(names):
            raise NotEnclosable("np.einsum with a repeated index in one operand: use np.diagonal of a plain array")
        operand = operand if isinstance(operand, Enclosed) else np.asarray(operand, float)
        ordered = operand.transpose(*[names.index(c) for c in letters if c in names])
        return ordered[tuple(slice(None) if c in names else None for c in letters)]

    # Elementwise products of everything, then one sum over the axes behind.
    parts = [lifted(operand, names) for operand, names in zip(operands, inputs.split(","), strict=True)]
    product = parts[0]
    for part in parts[1:]:
        product = product * part
    axes = tuple(range(len(result), len(letters)))
    return summed(None, enclosed(product), axes) if axes else product


def _difference(a: Any, n: int = 1, axis: int = -1) -> Any:
    if n != 1:
        raise NotEnclosable("np.diff of a higher order: apply it repeatedly")
    a = np.moveaxis(a, axis, -1)
    return np.moveaxis(a[..., 1:] - a[..., :-1], -1, axis)


def _trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    y = ARRAY_FUNCTIONS[np.moveaxis](y, axis, -1)
    if np.ndim(x if x is not None else 0) > 1:
        raise NotEnclosable("np.trapezoid over points that differ from row to row: sum y * width instead")
    # The rule itself: means of neighbours times their distances.
    width = dx if x is None else np.diff(x)
    return summed(None, (y[..., 1:] + y[..., :-1]) * (0.5 * width), -1)


def _take(a: Any, indices: Any, axis: Any = None, *, mode: Any = "raise") -> Enclosed:
    return enclosed(a).move(lambda x: np.take(x, indices, axis, mode=mode)).detached()


def _dot(a: Any, b: Any) -> Any:
    if np.ndim(b) > 2:
        raise NotEnclosable("np.dot with an array of more than two axes: use a @ b or np.einsum")
    return product(a, b)


def _polynomial(coefficients: Any, x: Any) -> Any:
    # Horner, as numpy does it.
    result: Any = 0.0 * x
    for coefficient in coefficients:
        result = result * x + coefficient
    return result


def _filled(a: Any, value: Any, shape: Any = None) -> Enclosed:
    size = a.shape if shape is None else shape
    return enclosed(value).broadcast(np.empty(size).shape).copy()


def _filling(value: float) -> Callable[..., Enclosed]:
    return lambda a, *, shape=None: _filled(a, value, shape)


def _at_least(n: int) -> Callable[..., Any]:
    function = (np.atleast_1d, np.atleast_2d)[n - 1]
    return lambda *arrays: _moving(function)(arrays[0]) if len(arrays) == 1 else [_moving(function)(a) for a in arrays]


def _broadcast_all(*arrays: Any) -> tuple[Enclosed, ...]:
    shape = np.broadcast_shapes(*(enclosed(a).shape for a in arrays))
    return tuple(enclosed(a).broadcast(shape) for a in arrays)


_JOINS: tuple[Any, ...] = (np.concatenate, np.stack, np.hstack, np.vstack, np.column_stack)
for _function in _JOINS:
    ARRAY_FUNCTIONS[_function] = _joining(_function)
_MOVES: tuple[Any, ...] = (
    np.transpose,
    np.reshape,
    np.expand_dims,
    np.squeeze,
    np.moveaxis,
    np.swapaxes,
    np.ravel,
    np.repeat,
    np.tile,
    np.flip,
    np.roll,
    np.broadcast_to,
)
for _function in _MOVES:
    ARRAY_FUNCTIONS[_function] = _moving(_function)
ARRAY_FUNCTIONS.update(
    {
        np.append: lambda a, b, axis=None: (
            ARRAY_FUNCTIONS[np.concatenate]([enclosed(a).reshape(-1), enclosed(b).reshape(-1)])
            if axis is None
            else ARRAY_FUNCTIONS[np.concatenate]([a, b], axis=axis)
        ),
        np.take: _take,
        np.sum: _total,
        np.mean: _mean,
        np.cumsum: _cumulative,
        np.prod: _product,
        np.max: _extreme(np.maximum),
        np.min: _extreme(np.minimum),
        np.where: _where,
        np.clip: _clip,
        np.dot: _dot,
        np.matmul: product,
        np.outer: lambda a, b: outer(None, enclosed(a).reshape(-1), enclosed(b).reshape(-1)),
        np.einsum: _einsum,
        np.diff: _difference,
        np.trapezoid: _trapezoid,
        np.polyval: _polynomial,
        np.zeros_like: _filling(0.0),
        np.ones_like: _filling(1.0),
        np.empty_like: _filling(np.nan),
        np.full_like: lambda a, fill_value, *, shape=None: _filled(a, fill_value, shape),
        np.copy: lambda a: enclosed(a).copy(),
        np.broadcast_arrays: _broadcast_all,
        np.atleast_1d: _at_least(1),
        np.atleast_2d: _at_least(2),
        np.shape: lambda a: a.shape,
        np.ndim: lambda a: a.ndim,
        np.size: lambda a, axis=None: a.size if axis is None else a.shape[axis],
    }
)
