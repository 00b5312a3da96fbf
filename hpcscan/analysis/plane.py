"""Δχ² over two axes, after profiling the others, with its contours."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hpcscan.analysis.contours import Contour, contours
from hpcscan.analysis.levels import Level, levels
from hpcscan.analysis.minimum import profile
from hpcscan.arrays import Array
from hpcscan.tolerance import tie_tolerance

if TYPE_CHECKING:
    from hpcscan.analysis.findings import Findings


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
    levels : tuple of Level
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
    levels: tuple[Level, ...]
    contours: tuple[tuple[Contour, ...], ...]
    best: tuple[float, float] | None
    is_minimum: bool
    is_flat: bool

    @property
    def has_contours(self) -> bool:
        """Whether any line is there to be drawn."""
        return any(self.contours)


def all_planes(findings: Findings) -> tuple[Plane, ...]:
    """Profile a scan onto every pair of its scanned axes."""
    return tuple(plane_of(findings, first, second) for first, second in combinations(findings.landscape.scanned, 2))


def plane_of(findings: Findings, first: int, second: int) -> Plane:
    """Profile a scan onto two of its axes."""
    landscape = findings.landscape
    grid, numbers = landscape.grid, (first, second)
    others = tuple(k for k in range(len(grid.shape)) if k not in numbers)
    delta = _profiled(findings, numbers, others) - findings.profiles.base
    values = np.array(grid.axes[first].values), np.array(grid.axes[second].values)
    drawn = levels(2, findings.has_confidence)
    by_name = {axis.name: axis for axis in findings.profiles.axes}
    names = (grid.axes[first].name, grid.axes[second].name)
    is_minimum = all(by_name[name].is_measured for name in names)
    return Plane(
        numbers=numbers,
        names=names,
        delta_chi2=delta,
        is_suspect=np.asarray((~landscape.converged.reshape(grid.shape)).any(axis=others)),
        levels=drawn,
        contours=tuple(
            _resolved(contours(*values, delta, level.value), values) if landscape.is_sound else () for level in drawn
        ),
        best=_best(findings, numbers, is_minimum),
        is_minimum=is_minimum,
        is_flat=_is_flat(landscape.lowest_chi2, delta),
    )


def _profiled(findings: Findings, keep: tuple[int, int], others: tuple[int, ...]) -> Array:
    """Minimise over the other axes: between the points only where a curve through them means something."""
    landscape = findings.landscape
    chi2 = landscape.chi2.reshape(landscape.grid.shape)
    if landscape.is_sound:
        return profile(tuple(np.array(axis.values) for axis in landscape.grid.axes), chi2, keep)
    lowest = np.min(np.where(np.isnan(chi2), np.inf, chi2), axis=others)
    return np.where(np.isinf(lowest), np.nan, lowest)


def _resolved(lines: tuple[Contour, ...], values: tuple[Array, Array]) -> tuple[Contour, ...]:
    """Leave out lines that stay within one cell of the grid, where the interpolation alone decides on them."""
    return tuple(line for line in lines if any(_nodes(line.points[:, k], values[k]) for k in (0, 1)))


def _nodes(along: Array, values: Array) -> bool:
    return bool(np.any((values > along.min()) & (values < along.max())))


def _best(findings: Findings, numbers: tuple[int, int], is_minimum: bool) -> tuple[float, float] | None:
    landscape = findings.landscape
    if landscape.lowest is None or landscape.is_flat:
        return None
    point = landscape.grid.points([landscape.lowest])[0]
    if not is_minimum:
        return float(point[numbers[0]]), float(point[numbers[1]])
    positions = {axis.number: axis.position for axis in findings.profiles.axes}
    return positions[numbers[0]], positions[numbers[1]]


def _is_flat(lowest: float, delta: Array) -> bool:
    known = delta[np.isfinite(delta)]
    return len(known) > 1 and bool(np.ptp(known) <= tie_tolerance(np.array(lowest)))
