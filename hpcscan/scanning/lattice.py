"""A grid from coarse to fine: which points come in which wave, and from which earlier ones their starts come.

The first wave has a few values of each axis, evenly spread with its ends among them, and every later one those halfway
between. The minimum of a new point begins at what polynomials through up to four earlier values of each axis say of it,
or at the corners of the cell in which it lies.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hpcscan.arrays import Array, IntArray
from hpcscan.grid import Grid, neighbours_of

#: Values of an axis in the first wave, at least, and most through which a polynomial is laid.
FIRST, ORDER = 3, 4
#: With more axes only the two nearest points along each axis are corners.
MOST_AXES = 3


@dataclass(frozen=True)
class Lattice:
    """Levels of the points of a grid.

    Attributes
    ----------
    shape : tuple of int
    first : int
        Most values of an axis in the first one, which has no more than every second.
    """

    shape: tuple[int, ...]
    first: int = FIRST

    @cached_property
    def of_axes(self) -> list[IntArray]:
        """Level of every value of every axis."""
        return [_levels(n, self.first) for n in self.shape]

    @classmethod
    def beginning_with(cls, shape: tuple[int, ...], n_points: int) -> Lattice:
        """Return the one with the most values an axis in the first level, which has no more than so many points."""
        most = [n for n in range(FIRST, n_points + 1) if math.prod(_n_first(size, n) for size in shape) <= n_points]
        return cls(shape, max(most, default=FIRST))

    @cached_property
    def level(self) -> IntArray:
        """Level of every point, shape (n_points,): the largest of its values'."""
        level = np.zeros(self.shape, np.int64)
        for axis, own in enumerate(self.of_axes):
            level = np.maximum(level, own.reshape(-1, *[1] * (len(self.shape) - axis - 1)))
        return level.ravel()

    def first_neighbours(self) -> IntArray:
        """Find the neighbours among the first points: shape (n_points, 2 n_axes), −1 for other points and beyond."""
        points = np.flatnonzero(self.level == 0)
        near = neighbours_of(tuple(int((own == 0).sum()) for own in self.of_axes))
        result = np.full((self.level.size, near.shape[1]), -1, np.int64)
        result[points] = np.where(near >= 0, points[near], -1)
        return result

    def parents(self, points: IntArray) -> tuple[IntArray, Array, IntArray]:
        """Find those of points of one level: for an interpolation with its weights, and the corners of their cells.

        Shape (n, k), twice, and (n, 2^n_axes), −1 where there are fewer corners.
        """
        level = int(self.level[points[0]])
        place = np.unravel_index(points, self.shape) if self.shape else ()
        index, weight = np.zeros((len(points), 1), np.int64), np.ones((len(points), 1))
        corners, n_moved = np.zeros((len(points), 1), np.int64), np.zeros((len(points), 1), np.int64)
        n_sides = np.zeros(len(points), np.int64)
        # Axis by axis, every node with all those of the axes before it.
        for values, own, size in zip(place, self.of_axes, self.shape, strict=True):
            nodes, weights, ends = _tables(own, level)
            nodes, weights, ends = nodes[values], weights[values], ends[values]
            index = (index[:, :, None] * size + nodes[:, None]).reshape(len(points), -1)
            weight = (weight[:, :, None] * weights[:, None]).reshape(len(points), -1)
            corners = (corners[:, :, None] * size + ends[:, None]).reshape(len(points), -1)
            # The second end of an axis on which a point has its own value is none.
            is_cell = ends[:, 0] != ends[:, 1]
            n_sides += is_cell
            step = np.stack([np.zeros_like(values), np.where(is_cell, 1, len(self.shape) + 1)], axis=1)
            n_moved = (n_moved[:, :, None] + step[:, None]).reshape(len(points), -1)
        most = np.where(n_sides <= MOST_AXES, len(self.shape), 1)
        return index, weight, np.where(n_moved <= most[:, None], corners, -1)


def _n_first(n: int, first: int) -> int:
    """Count the values in the first level out of n: at most every second, so that others begin from their minima."""
    return min(n, max(FIRST, min(first, n // 2 + 1)))


def _levels(n: int, first: int) -> IntArray:
    """Compute the level of each of n values: the first are evenly spread with the ends, and the rest is halved."""
    level, number = np.full(n, -1, np.int64), 0
    known = np.unique(np.linspace(0, n - 1, _n_first(n, first)).round().astype(np.int64))
    while True:
        level[known[level[known] < 0]] = number
        if len(known) == n:
            return level
        known, number = np.union1d(known, (known[1:] + known[:-1]) // 2), number + 1


def _tables(own: IntArray, level: int) -> tuple[IntArray, Array, IntArray]:
    """Tabulate of every value of an axis, of the levels before, nodes and weights, and the two ends of its cell.

    The weights, shape (n, `ORDER`), are those of the polynomial through the nodes (Lagrange); zero where there are
    fewer. A value of these levels stands for itself.
    """
    known, every = np.flatnonzero(own < level), np.arange(len(own))
    nodes, weights = np.repeat(every[:, None], ORDER, axis=1), np.tile(np.eye(1, ORDER), (len(own), 1))
    after = np.searchsorted(known, every)
    ends = np.stack([known[np.maximum(after - 1, 0)], known[np.minimum(after, len(known) - 1)]], axis=1)
    ends[known] = known[:, None]
    for value in np.flatnonzero(own >= level).tolist():
        first = max(0, min(int(after[value]) - ORDER // 2, len(known) - ORDER))
        near = known[first : first + ORDER].tolist()
        nodes[value], weights[value] = near[0], 0.0
        nodes[value, : len(near)] = near
        weights[value, : len(near)] = [np.prod([(value - j) / (i - j) for j in near if j != i]) for i in near]
    return nodes, weights, ends


def missing_values(old: Grid, new: Grid) -> dict[str, tuple[float, ...]]:
    """Return the values of the old grid that the new one does not have, by axis; empty where it has only grown.

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
