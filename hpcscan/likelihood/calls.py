"""How a model is asked for many rows: in calls of one size, so that a row has the same bits whatever is asked with it.

numpy chooses the order of a sum, and a matrix product its kernel, by the size of a call. Where every call has the same
number of rows, the last one filled up with the last row again, that choice is always the same, and a grid may be cut
anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from hpcscan.arrays import Array, IntArray
from hpcscan.model.problem import Derivatives, Problem


def in_calls(problem: Problem, ask: Callable[[Array, Array], Array], points: Array, parameters: Array) -> Array:
    """Ask for rows of points and parameters, shape (n, any) each; what comes back has the rows first.

    A model that promises to be `batch_invariant` gets all rows in one call. For others, equal rows in succession are
    asked for once.
    """
    if problem.batch_invariant or not len(parameters):
        return np.asarray(ask(points, parameters))
    first, place = distinct(points, parameters)
    calls = [np.asarray(ask(*_rows(points, parameters, first[row])))[:n] for row, n in _cut(problem, len(first))]
    result: Array = calls[0] if len(calls) == 1 else np.concatenate(calls)
    return result if len(first) == len(parameters) else result[place]


def jacobian_in_calls(problem: Problem, points: Array, parameters: Array) -> Derivatives:
    """Do the same for the derivatives that a model gives."""
    is_given = None

    def ask(points: Array, parameters: Array) -> Array:
        nonlocal is_given
        known = problem.jacobian(points, parameters)
        is_given = known.is_given
        return np.swapaxes(known.values, 1, 2)

    values = in_calls(problem, ask, points, parameters)
    return Derivatives(np.swapaxes(values, 1, 2), is_given)


def derived_in_calls(
    problem: Problem, points: Array, parameters: Array, scales: Mapping[str, Array]
) -> dict[str, Array]:
    """Do the same for the quantities that a model derives at minima."""
    if problem.batch_invariant or not len(parameters):
        return dict(problem.derive(points, parameters, scales))
    parts = []
    for row, n in _cut(problem, len(parameters)):
        of_call = {name: scale[row] for name, scale in scales.items()}
        part = problem.derive(*_rows(points, parameters, row), of_call)
        parts.append({name: np.asarray(values)[:n] for name, values in part.items()})
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def distinct(points: Array, parameters: Array) -> tuple[IntArray, IntArray]:
    """Find rows that differ from the one before: which they are, and for every row its place among them."""
    n = len(parameters)
    is_new = np.ones(n, bool)
    is_new[1:] = (parameters[1:] != parameters[:-1]).any(axis=1) | (points[1:] != points[:-1]).any(axis=1)
    return np.flatnonzero(is_new), np.cumsum(is_new) - 1


def _cut(problem: Problem, n: int) -> list[tuple[IntArray, int]]:
    """Cut n rows into calls: the rows of each, as many as every call has, and how many of them are wanted."""
    size = problem.rows_per_call
    return [(np.minimum(np.arange(i, i + size), n - 1), min(size, n - i)) for i in range(0, n, size)]


def _rows(points: Array, parameters: Array, row: IntArray) -> tuple[Array, Array]:
    """Give some rows, which cannot be written to."""
    some = points[row], parameters[row]
    for array in some:
        array.flags.writeable = False
    return some
