"""The grid of scan points: named axes, and points numbered in C order (the last axis varies fastest)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import ArrayLike

from hpcscan.arrays import Array, IntArray


@dataclass(frozen=True)
class GridAxis:
    """One scan axis: strictly increasing values."""

    name: str
    values: tuple[float, ...]


@dataclass(frozen=True)
class Grid:
    """The product of its axes.

    A point is known by its index in C order; `points` turns indices into coordinates. Without axes there is one point.
    """

    axes: tuple[GridAxis, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of values along each axis."""
        return tuple(len(axis.values) for axis in self.axes)

    @property
    def n_points(self) -> int:
        """Number of grid points."""
        return prod(self.shape)

    def points(self, point_index: ArrayLike) -> Array:
        """Coordinates of the points with these indices, shape (n, n_axes)."""
        if not self.axes:
            return np.empty((*np.shape(point_index), 0))
        places = np.unravel_index(np.asarray(point_index, np.int64), self.shape)
        columns = [np.asarray(axis.values)[place] for axis, place in zip(self.axes, places, strict=True)]
        return np.stack(columns, axis=-1)

    def neighbours(self) -> IntArray:
        """Find the points one step away along each axis: indices of shape (n_points, 2 n_axes), −1 beyond an edge."""
        return neighbours_of(self.shape)

    def is_on_edge(self, point_index: ArrayLike) -> list[tuple[str, str]]:
        """List the axes at whose first or last value a point lies, as (axis name, "lower" or "upper").

        An axis with a single value has no edge.
        """
        places = np.unravel_index(int(np.asarray(point_index)), self.shape) if self.axes else ()
        edges = []
        for axis, place in zip(self.axes, places, strict=True):
            if len(axis.values) > 1 and place in (0, len(axis.values) - 1):
                edges.append((axis.name, "lower" if place == 0 else "upper"))
        return edges


def neighbours_of(shape: tuple[int, ...]) -> IntArray:
    """Find the entries of an array one step away along each axis; see `Grid.neighbours`."""
    if not shape:
        return np.empty((1, 0), np.int64)
    padded = np.pad(np.arange(np.prod(shape)).reshape(shape), 1, constant_values=-1)
    inner = [slice(1, -1)] * len(shape)
    columns = []
    for axis in range(len(shape)):
        for shifted in (slice(None, -2), slice(2, None)):
            place = (*inner[:axis], shifted, *inner[axis + 1 :])
            columns.append(padded[place].ravel())
    return np.stack(columns, axis=1)


def place_text(names: Iterable[str], texts: Iterable[str]) -> str:
    """Format a place from the coordinates as they are written: ``beta = 3.1, w = 0.02``."""
    return ", ".join(f"{name} = {text}" for name, text in zip(names, texts, strict=True))


def round_to_digits(values: ArrayLike, digits: int = 12) -> tuple[float, ...]:
    """Round to significant decimal digits, so that a grid does not depend on how its values were computed."""
    return tuple(float(f"{value:.{digits - 1}e}") for value in np.asarray(values, float))
