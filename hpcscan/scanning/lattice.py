"""A grid from coarse to fine: which points come in which wave, and from which earlier ones their starts come.

The first wave has a few values of each axis, evenly spread with its ends among them, and every later one those halfway
between. The minimum of a new point begins at what polynomials through up to four earlier values of each axis say of it,
or at the corners of the cell in which it lies.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import product

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

    def parents(self, point: int) -> tuple[IntArray, Array, IntArray]:
        """Return the points and weights of an interpolation at a point, and the corners of its cell."""
        level = int(self.level[point])
        place = [int(i) for i in np.unravel_index(point, self.shape)]
        weights, ends = [], []
        for value, own in zip(place, self.of_axes, strict=True):
            known = np.flatnonzero(own < level)
            weights.append(_weights(value, known))
            sides = [known[known < value][-1:], known[known > value][:1]]
            ends.append([value] if own[value] < level else [int(side[0]) for side in sides])
        nodes = [*product(*(tuple(part.items()) for part in weights))]
        index = [self._index(tuple(i for i, _ in node)) for node in nodes]
        weight = np.array([np.prod([w for _, w in node]) for node in nodes])
        return np.array(index), weight, self._corners(ends)

    def _corners(self, ends: list[list[int]]) -> IntArray:
        if sum(len(pair) > 1 for pair in ends) <= MOST_AXES:
            return np.array([self._index(corner) for corner in product(*ends)])
        first = [pair[0] for pair in ends]
        moved = [(*first[:a], pair[-1], *first[a + 1 :]) for a, pair in enumerate(ends) if len(pair) > 1]
        return np.array([self._index(tuple(first)), *(self._index(corner) for corner in moved)])

    def _index(self, place: tuple[int, ...]) -> int:
        return int(np.ravel_multi_index(place, self.shape)) if place else 0


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


def _weights(value: int, known: IntArray) -> dict[int, float]:
    """Compute the weights of known values, by their index, in the polynomial at another one (Lagrange)."""
    if value in known:
        return {value: 1.0}
    first = max(0, min(int(np.searchsorted(known, value)) - ORDER // 2, len(known) - ORDER))
    nodes = [int(i) for i in known[first : first + ORDER]]
    return {i: float(np.prod([(value - j) / (i - j) for j in nodes if j != i])) for i in nodes}


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
