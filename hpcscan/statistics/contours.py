"""Lines of equal Δχ² on a plane: marching squares on the smooth surface through the grid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpcscan.statistics.interpolation import Array, refine_surface

#: An edge of the mesh: along which axis it runs, and the node where it begins.
Edge = tuple[int, int, int]


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
    neighbours: dict[Edge, list[Edge]] = {}
    for one, other in _segments(above):
        neighbours.setdefault(one, []).append(other)
        neighbours.setdefault(other, []).append(one)
    lines = _lines(neighbours)
    return tuple(Contour(np.array([_crossing(x, y, above, edge) for edge in line]), closed) for line, closed in lines)


def _segments(above: Array) -> Iterator[tuple[Edge, Edge]]:
    """Pair the edges of every square that the line crosses."""
    is_above = above > 0
    corners = np.stack([is_above[:-1, :-1], is_above[1:, :-1], is_above[1:, 1:], is_above[:-1, 1:]])
    is_known = np.isfinite(above)
    whole = is_known[:-1, :-1] & is_known[1:, :-1] & is_known[1:, 1:] & is_known[:-1, 1:]
    for i, j in np.argwhere(whole & corners.any(axis=0) & ~corners.all(axis=0)):
        yield from _pairs(corners[:, i, j], (int(i), int(j)), above)


def _pairs(corner: NDArray[np.bool_], place: tuple[int, int], above: Array) -> list[tuple[Edge, Edge]]:
    i, j = place
    edges: list[Edge] = [(0, i, j), (1, i + 1, j), (0, i, j + 1), (1, i, j)]
    crossed = [edge for k, edge in enumerate(edges) if corner[k] != corner[(k + 1) % 4]]
    if len(crossed) == 2:
        return [(crossed[0], crossed[1])]
    # A saddle: its middle decides which corners are connected.
    is_middle_above = above[i : i + 2, j : j + 2].mean() > 0
    if is_middle_above == corner[0]:
        return [(edges[0], edges[1]), (edges[2], edges[3])]
    return [(edges[3], edges[0]), (edges[1], edges[2])]


def _lines(neighbours: dict[Edge, list[Edge]]) -> list[tuple[list[Edge], bool]]:
    """Join segments: first the open lines, from their ends, then the rings."""
    left = dict(neighbours)
    ends = [edge for edge, others in neighbours.items() if len(others) == 1]
    lines = [(_walk(left, edge), False) for edge in ends if edge in left]
    while left:
        ring = _walk(left, next(iter(left)))
        lines.append(([*ring, ring[0]], True))
    return lines


def _walk(left: dict[Edge, list[Edge]], edge: Edge) -> list[Edge]:
    """Follow a line to its end, and remove it."""
    line = [edge]
    while True:
        following = [other for other in left.pop(line[-1]) if other in left]
        if not following:
            return line
        line.append(following[0])


def _crossing(x: Array, y: Array, above: Array, edge: Edge) -> tuple[float, float]:
    axis, i, j = edge
    low, high = above[i, j], above[i + (axis == 0), j + (axis == 1)]
    part = low / (low - high)
    if axis == 0:
        return float(x[i] + part * (x[i + 1] - x[i])), float(y[j])
    return float(x[i]), float(y[j] + part * (y[j + 1] - y[j]))
