"""Lines of equal Δχ² on a plane: marching squares on the smooth surface through the grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcscan.analysis.interpolation import refine_surface
from hpcscan.arrays import Array

#: Numbers of edges of the mesh: first all along x, then all along y, each by the node where it begins.
Edges = NDArray[np.intp]


@dataclass(frozen=True)
class Contour:
    """One connected line.

    Attributes
    ----------
    points : array, shape (n, 2)
        The first one again at the end of a closed line.
    is_closed : bool
        False where it ends at the edge of the grid or at a hole.
    """

    points: Array
    is_closed: bool


def contours(x: Array, y: Array, f: Array, level: float, most_values: int = 400) -> tuple[Contour, ...]:
    """Trace where f, shape (len(x), len(y)), crosses a level; missing values are holes."""
    if min(len(x), len(y)) < 2:
        return ()
    x, y, f = refine_surface(x, y, f, most_values)
    above = f - level
    lines = _lines(_neighbours(_segments(above)))
    return tuple(Contour(_crossings(x, y, above, np.array(line)), closed) for line, closed in lines)


def _segments(above: Array) -> Edges:
    """Pair the edges of every square that the line crosses; shape (n, 2)."""
    is_above = above > 0
    corners = np.stack(_corners(is_above))
    is_whole = np.logical_and.reduce(_corners(np.isfinite(above)))
    i, j = np.nonzero(is_whole & corners.any(axis=0) & ~corners.all(axis=0))
    corner, sides, square = corners[:, i, j], _sides(i, j, above.shape), np.arange(len(i))
    is_crossed = corner != np.roll(corner, -1, axis=0)
    first, last = np.argmax(is_crossed, axis=0), 3 - np.argmax(is_crossed[::-1], axis=0)
    pairs = np.full((len(i), 2, 2), -1)
    pairs[:, 0] = np.stack([sides[first, square], sides[last, square]], axis=1)

    # A saddle: its middle decides which corners are connected. Where they nearly cancel, a sum depends on its order: by
    # diagonals it is the same for a plane that is turned or mirrored.
    saddle = np.flatnonzero(is_crossed.all(axis=0))
    a, b, c, d = (part[i[saddle], j[saddle]] for part in _corners(above))
    is_middle_above = (a + c) + (b + d) > 0
    turns = np.where(is_middle_above == corner[0, saddle], 0, -1) + np.arange(4)[:, None]
    pairs[saddle] = sides[turns, saddle].T.reshape(-1, 2, 2)
    return pairs[pairs[..., 0] >= 0]


def _corners(values: NDArray[Any]) -> list[NDArray[Any]]:
    """Give the values at the corners of every square, in turn."""
    return [values[:-1, :-1], values[1:, :-1], values[1:, 1:], values[:-1, 1:]]


def _sides(i: Edges, j: Edges, shape: tuple[int, ...]) -> Edges:
    """Give the edges of squares, each between two corners in turn; shape (4, n)."""
    along_x = np.ravel_multi_index((i, j), shape)
    along_y = along_x + np.prod(shape)
    return np.stack([along_x, along_y + shape[1], along_x + 1, along_y])


def _neighbours(segments: Edges) -> dict[int, list[int]]:
    """Give the edges to which every edge is joined."""
    neighbours: dict[int, list[int]] = {}
    for one, other in segments.tolist():
        neighbours.setdefault(one, []).append(other)
        neighbours.setdefault(other, []).append(one)
    return neighbours


def _lines(neighbours: dict[int, list[int]]) -> list[tuple[list[int], bool]]:
    """Join segments: first the open lines, from their ends, then the rings."""
    left = dict(neighbours)
    ends = [edge for edge, others in neighbours.items() if len(others) == 1]
    lines = [(_walk(left, edge), False) for edge in ends if edge in left]
    while left:
        ring = _walk(left, next(iter(left)))
        lines.append(([*ring, ring[0]], True))
    return lines


def _walk(left: dict[int, list[int]], edge: int) -> list[int]:
    """Follow a line to its end, and remove it."""
    line = [edge]
    while True:
        following = [other for other in left.pop(line[-1]) if other in left]
        if not following:
            return line
        line.append(following[0])


def _crossings(x: Array, y: Array, above: Array, edges: Edges) -> Array:
    """Place the crossings of edges by straight lines between their nodes; shape (n, 2)."""
    is_along_y, node = np.divmod(edges, above.size)
    i, j = np.unravel_index(node, above.shape)
    next_i, next_j = i + 1 - is_along_y, j + is_along_y
    low, high = above[i, j], above[next_i, next_j]
    part = low / (low - high)
    return np.stack([x[i] + part * (x[next_i] - x[i]), y[j] + part * (y[next_j] - y[j])], axis=1)
