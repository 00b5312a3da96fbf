"""Rows of a batch: records of them, and how a model is asked for many in calls of one size.

numpy chooses the order of a sum, and a matrix product its kernel, by the size of a call. Where every call has the same
number of rows, the last one filled up with the last row again, that choice is always the same, a row has the same bits
whatever is asked with it, and a grid may be cut anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Self

import numpy as np

from hpcscan.arrays import Array, BoolArray, IntArray
from hpcscan.model.problem import Problem
from hpcscan.model.returned import Derivatives


def never_alone(rows: IntArray) -> IntArray:
    """Repeat a lone row: numpy sums a batch of one in another order than larger ones, which shows in the last bits.

    For the same reason rows are selected with `take`, which keeps the last axis contiguous; indexing does not.
    """
    return np.repeat(rows, 2) if len(rows) == 1 else rows


def clipped(values: Array, lower: Array, upper: Array) -> Array:
    """Do what `np.clip` does, which takes three times longer for few rows; NaN stays."""
    inside: Array = np.minimum(np.maximum(values, lower), upper)
    return inside


def take_rows(values: Any, rows: IntArray) -> Any:
    """Select rows of an array, its last axis, in the order in which it lies in memory."""
    # Rows are never out of range; not looking whether they are is twice as fast.
    if values.ndim > 2 and values.flags.f_contiguous:
        return values.T.take(rows, axis=0, mode="clip").T
    return values.take(rows, axis=-1, mode="clip")


class Rows:
    """A frozen dataclass of arrays, of records like itself, and of None for what there is not."""

    def take(self, rows: IntArray) -> Self:
        """Select rows."""
        return self._with(
            {
                name: take_rows(value, rows) if type(value) is np.ndarray else value and value.take(rows)
                for name, value in self.__dict__.items()
            }
        )

    def where(self, chosen: BoolArray) -> Self:
        """Select the rows for which it holds; twice the same where there is one."""
        n = np.count_nonzero(chosen)
        return self if n == len(chosen) and n > 1 else self.take(never_alone(chosen.nonzero()[0]))

    def join(self, other: Self) -> Self:
        """Append the rows of another record, which has the same parts."""
        others = other.__dict__
        return self._with(
            {
                name: np.concatenate([value, others[name]], axis=-1)
                if type(value) is np.ndarray
                else value and value.join(others[name])
                for name, value in self.__dict__.items()
            }
        )

    def put(self, rows: IntArray, part: Self) -> None:
        """Replace rows by those of another record."""
        others = part.__dict__
        for name, value in self.__dict__.items():
            if isinstance(value, Rows):
                value.put(rows, others[name])
            elif value is not None and others[name] is not None:
                value[..., rows] = others[name]

    def _with(self, parts: dict[str, Any]) -> Self:
        """Make a record of the same type; its constructor would take as long as all else."""
        made = object.__new__(type(self))
        made.__dict__.update(parts)
        return made


def in_calls(problem: Problem, ask: Callable[[Array, Array], Array], points: Array, parameters: Array) -> Array:
    """Ask for rows of points and parameters, shape (n, any) each; what comes back has the rows first.

    A model that promises to be `batch_invariant` gets all rows in one call. For others, equal rows in succession are
    asked for once.
    """
    if problem.batch_invariant or not len(parameters):
        return np.asarray(ask(points, parameters))
    # Every call has the same size; what fills up the last one is cut off.
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
    # Quantities at minima have no equal rows worth looking for.
    parts = []
    for row, n in _cut(problem, len(parameters)):
        of_call = {name: scale[row] for name, scale in scales.items()}
        part = problem.derive(*_rows(points, parameters, row), of_call)
        parts.append({name: np.asarray(values)[:n] for name, values in part.items()})
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


class RowTally:
    """Counts the rows that each of n points asks for, alike in any batch: equal ones of it in succession are one."""

    def __init__(self, n: int) -> None:
        self.n_rows: IntArray = np.zeros(n, np.int64)

    @property
    def total(self) -> int:
        """Rows of all points."""
        return int(self.n_rows.sum())

    def add(self, owner: IntArray | None, points: Array, parameters: Array, times: int = 1) -> None:
        """Count rows, shape (n, any), on the account of their owners."""
        if owner is None or not len(self.n_rows):
            return
        if (owner[1:] < owner[:-1]).any():
            order = np.argsort(owner, kind="stable")
            owner, points, parameters = owner[order], points[order], parameters[order]
        # Most rows differ in their first parameter, which is seen much faster.
        if parameters.shape[1]:
            held, free = _bits(points), _bits(parameters)
            near = ((owner[1:] == owner[:-1]) & (free[1:, 0] == free[:-1, 0])).nonzero()[0]
            if len(near):
                is_same = (free[near + 1] == free[near]).all(axis=1)
                is_new = np.ones(len(owner), bool)
                is_new[near[is_same & (held[near + 1] == held[near]).all(axis=1)] + 1] = False
                owner = owner[is_new]
        self.n_rows += times * np.bincount(owner, minlength=len(self.n_rows))


def distinct(points: Array, parameters: Array) -> tuple[IntArray, IntArray]:
    """Find rows that differ from the one before: which they are, and for every row its place among them."""
    n, held, free = len(parameters), _bits(points), _bits(parameters)
    # Only neighbours are compared, which costs no sorting: equal rows come together from starts at a bound.
    is_new = np.ones(n, bool)
    is_new[1:] = (free[1:] != free[:-1]).any(axis=1) | (held[1:] != held[:-1]).any(axis=1)
    return np.flatnonzero(is_new), np.cumsum(is_new) - 1


def _bits(values: Array) -> IntArray:
    """Return what tells numbers apart: what is not a number is equal to itself, too."""
    return values.view(np.int64)


def _cut(problem: Problem, n: int) -> list[tuple[IntArray, int]]:
    """Cut n rows into calls: the rows of each, as many as every call has, and how many of them are wanted."""
    size = problem.rows_per_call
    return [(np.minimum(np.arange(i, i + size), n - 1), min(size, n - i)) for i in range(0, n, size)]


def _rows(points: Array, parameters: Array, row: IntArray) -> tuple[Array, Array]:
    """Return some rows, which cannot be written to."""
    # A model that writes into its arguments would change what other rows are computed from.
    some = points[row], parameters[row]
    for array in some:
        array.flags.writeable = False
    return some
