"""Δχ² over two axes, after profiling the others: its levels, and its contours on a smooth surface through the grid."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcscan.analysis.fitted import Fitted
from hpcscan.analysis.interpolation import refine_surface
from hpcscan.analysis.landscape import Landscape
from hpcscan.analysis.profiles import SIGMAS, Profiles, profiled
from hpcscan.arrays import Array
from hpcscan.distribution import NAMED_LEVELS, confidence, delta_chi2_level
from hpcscan.tolerance import tie_tolerance

#: Numbers of edges of the mesh: first all along x, then all along y, each by the node where it begins.
Edges = NDArray[np.intp]


@dataclass(frozen=True)
class TracedContour:
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


def contours(x: Array, y: Array, f: Array, level: float, most_values: int = 400) -> tuple[TracedContour, ...]:
    """Trace where f, shape (len(x), len(y)), crosses a level; missing values are holes."""
    if min(len(x), len(y)) < 2:
        return ()
    x, y, f = refine_surface(x, y, f, most_values)
    above = f - level
    lines = _lines(_neighbours(_segments(above)))
    return tuple(TracedContour(_crossings(x, y, above, np.array(line)), closed) for line, closed in lines)


def _segments(above: Array) -> Edges:
    """Pair the edges of every square that the line crosses; shape (n, 2)."""
    # A square is crossed where its corners lie on both sides; beside a hole nothing is drawn.
    is_above = above > 0
    corners = np.stack(_corners(is_above))
    is_whole = np.logical_and.reduce(_corners(np.isfinite(above)))
    i, j = np.nonzero(is_whole & corners.any(axis=0) & ~corners.all(axis=0))
    corner, sides, square = corners[:, i, j], _sides(i, j, above.shape), np.arange(len(i))
    is_crossed = corner != np.roll(corner, -1, axis=0)
    # Of four sides two are crossed, but for a saddle, or all four.
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
    """Return the values at the corners of every square, in turn."""
    return [values[:-1, :-1], values[1:, :-1], values[1:, 1:], values[:-1, 1:]]


def _sides(i: Edges, j: Edges, shape: tuple[int, ...]) -> Edges:
    """Return the edges of squares, each between two corners in turn; shape (4, n)."""
    along_x = np.ravel_multi_index((i, j), shape)
    along_y = along_x + np.prod(shape)
    return np.stack([along_x, along_y + shape[1], along_x + 1, along_y])


def _neighbours(segments: Edges) -> dict[int, list[int]]:
    """Return the edges to which every edge is joined."""
    neighbours: dict[int, list[int]] = {}
    for one, other in segments.tolist():
        neighbours.setdefault(one, []).append(other)
        neighbours.setdefault(other, []).append(one)
    return neighbours


def _lines(neighbours: dict[int, list[int]]) -> list[tuple[list[int], bool]]:
    """Join segments: first the open lines, from their ends, then the rings."""
    left = dict(neighbours)
    # Only the ends of open lines have one neighbour; what is left after these are rings.
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
    # Edges along y are numbered after all edges along x.
    is_along_y, node = np.divmod(edges, above.size)
    i, j = np.unravel_index(node, above.shape)
    next_i, next_j = i + 1 - is_along_y, j + is_along_y
    low, high = above[i, j], above[next_i, next_j]
    # Where the line between two nodes is zero.
    part = low / (low - high)
    return np.stack([x[i] + part * (x[next_i] - x[i]), y[j] + part * (y[next_j] - y[j])], axis=1)


@dataclass(frozen=True)
class Plane:
    """A plane of two axes.

    Attributes
    ----------
    numbers : (int, int)
        Of its axes in the grid.
    delta_chi2 : array, shape (n, m)
        Against the best point known.
    is_suspect : bool array, shape (n, m)
        Where a point did not converge; of any that lies above it along the other axes.
    levels : tuple of float
        Of Δχ² for two parameters, at 1σ, 2σ, 3σ.
    contours : tuple of tuple of TracedContour
        Of each level; none where the grid does not resolve it.
    best : (float, float) or None
        The minimum, or else the lowest point; None on a flat landscape.
    """

    numbers: tuple[int, int]
    names: tuple[str, str]
    delta_chi2: Array
    is_suspect: NDArray[np.bool_]
    levels: tuple[float, ...]
    contours: tuple[tuple[TracedContour, ...], ...]
    best: tuple[float, float] | None
    is_minimum: bool
    is_flat: bool

    @property
    def has_contours(self) -> bool:
        """Whether any line is there to be drawn."""
        return any(self.contours)

    @property
    def turned(self) -> Plane:
        """The same plane with its axes exchanged."""
        lines = tuple(tuple(replace(line, points=line.points[:, ::-1]) for line in of) for of in self.contours)
        return replace(
            self,
            numbers=self.numbers[::-1],
            names=self.names[::-1],
            delta_chi2=self.delta_chi2.T,
            is_suspect=self.is_suspect.T,
            contours=lines,
            best=None if self.best is None else self.best[::-1],
        )


def all_planes(landscape: Landscape, profiles: Profiles, fitted: Fitted | None = None) -> tuple[Plane, ...]:
    """Profile a scan onto every pair of its scanned axes; the contours are those that were fitted, if any were."""
    planes = [plane_of(landscape, profiles, *pair) for pair in combinations(landscape.scanned, 2)]
    return tuple(plane if fitted is None else _as_fitted(plane, fitted) for plane in planes)


def _as_fitted(plane: Plane, fitted: Fitted) -> Plane:
    """Put what was fitted in the place of what the grid shows."""
    found = [fitted.lines(*plane.names, cl) for cl in NAMED_LEVELS]
    lines = [[TracedContour(line.points, line.is_closed) for line in of_level or ()] for of_level in found]
    # A level that was not fitted: the grid shows all of them alike.
    if None in found:
        return plane
    best = fitted.values
    place = (best[plane.names[0]], best[plane.names[1]]) if fitted.has_value else plane.best
    return replace(plane, contours=tuple(map(tuple, lines)), best=place)


def plane_of(landscape: Landscape, profiles: Profiles, first: int, second: int) -> Plane:
    """Profile a scan onto two of its axes."""
    grid, numbers = landscape.grid, (first, second)
    others = tuple(k for k in range(len(grid.shape)) if k not in numbers)
    delta = profiled(landscape, numbers) - profiles.base
    values = np.array(grid.axes[first].values), np.array(grid.axes[second].values)
    levels = tuple(delta_chi2_level(n_sigma, 2) for n_sigma in SIGMAS)
    by_number = {axis.number: axis for axis in profiles.axes}
    is_minimum = all(by_number[number].is_measured for number in numbers)
    return Plane(
        numbers=numbers,
        names=(grid.axes[first].name, grid.axes[second].name),
        delta_chi2=delta,
        is_suspect=np.asarray((~landscape.converged.reshape(grid.shape)).any(axis=others)),
        levels=levels,
        contours=tuple(resolved_contours(*values, delta, level) if landscape.is_sound else () for level in levels),
        best=_best(landscape, profiles, numbers, is_minimum),
        is_minimum=is_minimum,
        is_flat=_is_flat(landscape.lowest_chi2, delta),
    )


def resolved_contours(x: Array, y: Array, delta_chi2: Array, level: float) -> tuple[TracedContour, ...]:
    """Return the contours of a level but those within one cell, where the interpolation alone decides on them."""
    lines = contours(x, y, delta_chi2, level)
    return tuple(line for line in lines if _nodes(line.points[:, 0], x) or _nodes(line.points[:, 1], y))


def _nodes(along: Array, values: Array) -> bool:
    return bool(np.any((values > along.min()) & (values < along.max())))


def _best(
    landscape: Landscape, profiles: Profiles, numbers: tuple[int, int], is_minimum: bool
) -> tuple[float, float] | None:
    if landscape.lowest is None or landscape.is_flat:
        return None
    point = landscape.grid.points([landscape.lowest])[0]
    if not is_minimum:
        return float(point[numbers[0]]), float(point[numbers[1]])
    # The minimum between grid points, where every axis has one.
    positions = {axis.number: axis.position for axis in profiles.axes}
    return positions[numbers[0]], positions[numbers[1]]


def _is_flat(lowest: float, delta: Array) -> bool:
    known = delta[np.isfinite(delta)]
    return len(known) > 1 and bool(np.ptp(known) <= tie_tolerance(np.array(lowest)))


@dataclass(frozen=True)
class Level:
    """One level.

    Attributes
    ----------
    name : str
        With its confidence level only where that may be quoted.
    """

    n_sigma: int
    n_parameters: int
    value: float
    name: str


def levels(n_parameters: int, has_confidence: bool) -> tuple[Level, ...]:
    """Return the levels of 1σ, 2σ, 3σ for so many parameters."""
    return tuple(_level(n_sigma, n_parameters, has_confidence) for n_sigma in SIGMAS)


def _level(n_sigma: int, n_parameters: int, has_confidence: bool) -> Level:
    value = delta_chi2_level(n_sigma, n_parameters)
    text = f"Δχ² = {value:g}" if value.is_integer() else f"Δχ² = {value:.2f}"
    if has_confidence:
        text = f"{n_sigma}σ, {100 * confidence(n_sigma):.4g} % ({text})"
    return Level(n_sigma, n_parameters, value, text)
