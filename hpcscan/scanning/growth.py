"""A grid that has grown: which of its points an earlier, smaller one has."""

from __future__ import annotations

import numpy as np

from hpcscan.arrays import IntArray
from hpcscan.grid import Grid


def missing_values(old: Grid, new: Grid) -> dict[str, tuple[float, ...]]:
    """Name the values of the old grid that the new one does not have, by axis; empty where it has only grown.

    Values are equal where their bits are: a grid rounds them to 12 digits.
    """
    kept = {axis.name: set(axis.values) for axis in new.axes}
    lost = {axis.name: tuple(v for v in axis.values if v not in kept.get(axis.name, ())) for axis in old.axes}
    return {name: values for name, values in lost.items() if values}


def index_in(old: Grid, new: Grid) -> IntArray:
    """Find the points of an old grid in one that has all its values: indices of shape (old.n_points,)."""
    numbers = dict(zip((axis.name for axis in old.axes), np.unravel_index(range(old.n_points), old.shape), strict=True))
    values = {axis.name: axis.values for axis in old.axes}
    columns = [np.searchsorted(axis.values, values[axis.name])[numbers[axis.name]] for axis in new.axes]
    return np.ravel_multi_index(columns, new.shape).astype(np.int64)
