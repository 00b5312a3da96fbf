"""Δχ² over two axes, after profiling the others, with its contours."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from hpcscan.analysis.contours import Contour, contours
from hpcscan.analysis.fitted import Fitted
from hpcscan.analysis.landscape import Landscape
from hpcscan.analysis.profiles import SIGMAS, Profiles, profiled
from hpcscan.arrays import Array
from hpcscan.distribution import NAMED_LEVELS, delta_chi2_level
from hpcscan.tolerance import tie_tolerance


@dataclass(frozen=True)
class Plane:
    """A plane of two axes.

    Attributes
    ----------
    numbers : (int, int)
        Of its axes in the grid.
    names : (str, str)
    delta_chi2 : array, shape (n, m)
        Against the best point known.
    is_suspect : bool array, shape (n, m)
        Where a point did not converge; of any that lies above it along the other axes.
    levels : tuple of float
        Of Δχ² for two parameters, at 1σ, 2σ, 3σ.
    contours : tuple of tuple of Contour
        Of each level; none where the grid does not resolve it.
    best : (float, float) or None
        The minimum, or else the lowest point; None on a flat landscape.
    is_minimum : bool
    is_flat : bool
    """

    numbers: tuple[int, int]
    names: tuple[str, str]
    delta_chi2: Array
    is_suspect: NDArray[np.bool_]
    levels: tuple[float, ...]
    contours: tuple[tuple[Contour, ...], ...]
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
    lines = [[Contour(line.points, line.is_closed) for line in of_level or ()] for of_level in found]
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


def resolved_contours(x: Array, y: Array, delta_chi2: Array, level: float) -> tuple[Contour, ...]:
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
    positions = {axis.number: axis.position for axis in profiles.axes}
    return positions[numbers[0]], positions[numbers[1]]


def _is_flat(lowest: float, delta: Array) -> bool:
    known = delta[np.isfinite(delta)]
    return len(known) > 1 and bool(np.ptp(known) <= tie_tolerance(np.array(lowest)))
