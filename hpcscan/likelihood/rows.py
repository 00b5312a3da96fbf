"""Records whose arrays have the rows of a batch as their last axis."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from hpcscan.arrays import Array, BoolArray, IntArray


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
        return type(self)(**{name: _take(value, rows) for name, value in vars(self).items()})

    def where(self, chosen: BoolArray) -> Self:
        """Select the rows for which it holds; twice the same where there is one."""
        return self if chosen.all() and len(chosen) > 1 else self.take(never_alone(np.flatnonzero(chosen)))

    def join(self, other: Self) -> Self:
        """Append the rows of another record, which has the same parts."""
        others = vars(other)
        return type(self)(**{name: _join(value, others[name]) for name, value in vars(self).items()})

    def put(self, rows: IntArray, part: Self) -> None:
        """Replace rows by those of another record."""
        others = vars(part)
        for name, value in vars(self).items():
            if isinstance(value, Rows):
                value.put(rows, others[name])
            elif value is not None and others[name] is not None:
                value[..., rows] = others[name]


def _take(value: Any, rows: IntArray) -> Any:
    if type(value) is np.ndarray:
        return take_rows(value, rows)
    return value and value.take(rows)


def _join(value: Any, other: Any) -> Any:
    if type(value) is np.ndarray:
        return np.concatenate([value, other], axis=-1)
    return value and value.join(other)
