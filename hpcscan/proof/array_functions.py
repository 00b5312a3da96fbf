"""Rules of numpy's functions of arrays for enclosed ones: joining, reducing, choosing, rearranging, making."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hpcscan.proof.condition import ARRAY_FUNCTIONS, UFUNCS, Condition, NotEnclosable
from hpcscan.proof.enclosure import Enclosed, enclosed
from hpcscan.proof.intervals import Pair
from hpcscan.proof.operations import accumulated, choose, outer, product, summed

Join = Callable[..., Any]


def _joined(parts: Sequence[Any], join: Join) -> Enclosed:
    """Join arrays by a function of numpy; what some of them lack is zero there."""
    parts = [enclosed(part) for part in parts]

    def pairs(tables: list[dict[Any, Pair]]) -> dict[Any, Pair]:
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
        parts = a.reshape(-1) if axis is None else np.moveaxis(a, axis, 0)
        result = parts[0]
        for k in range(1, len(parts)):
            result = ufunc(result, parts[k])
        return result

    return rule


def _where(condition: Any, *choices: Any) -> Enclosed:
    if len(choices) != 2:
        raise NotEnclosable("np.where without values gives positions: give it two values to choose from")
    return choose(Condition.of(condition), *choices, jumps=True)


def _clip(a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Any:
    lower, upper = a_min if min is None else min, a_max if max is None else max
    a = enclosed(a).copy() if lower is None else UFUNCS["maximum"](None, a, lower)
    return a if upper is None else UFUNCS["minimum"](None, a, upper)


def _einsum(subscripts: Any, *operands: Any, optimize: Any = False) -> Any:
    """Sum products of elements: every operand is brought to the axes of the result and of what is summed."""
    if not isinstance(subscripts, str) or "->" not in subscripts or "." in subscripts:
        raise NotEnclosable("np.einsum needs its subscripts as text with '->' and without '...'")
    inputs, result = subscripts.replace(" ", "").split("->")
    letters = result + "".join(sorted(set(inputs) - set(result) - {","}))

    def lifted(operand: Any, names: str) -> Any:
        if len(set(names)) < len(names):
            raise NotEnclosable("np.einsum with a repeated index in one operand: use np.diagonal of a plain array")
        operand = operand if isinstance(operand, Enclosed) else np.asarray(operand, float)
        ordered = operand.transpose(*[names.index(c) for c in letters if c in names])
        return ordered[tuple(slice(None) if c in names else None for c in letters)]

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
    width = dx if x is None else np.diff(x)
    return summed(None, (y[..., 1:] + y[..., :-1]) * (0.5 * width), -1)


def _take(a: Any, indices: Any, axis: Any = None, *, mode: Any = "raise") -> Enclosed:
    return enclosed(a).move(lambda x: np.take(x, indices, axis, mode=mode)).detached()


def _dot(a: Any, b: Any) -> Any:
    if np.ndim(b) > 2:
        raise NotEnclosable("np.dot with an array of more than two axes: use a @ b or np.einsum")
    return product(a, b)


def _polynomial(coefficients: Any, x: Any) -> Any:
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
