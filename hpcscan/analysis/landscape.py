"""The χ² of a whole scan: how its fits ended, its lowest points, and how well χ² is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hpcscan.arrays import Array, BoolArray
from hpcscan.dataset.scan import ScanData
from hpcscan.grid import Grid
from hpcscan.tolerance import EXACT, Precision, is_gap_closed, tie_tolerance

#: On an axis of three values nothing tells a spike from a smooth minimum.
LEAST_VALUES = 4

Indices = NDArray[np.intp]


def spikes(grid: Grid, chi2: Array) -> BoolArray:
    """Find points that disagree with their neighbours more than the neighbours' own slope explains.

    Along each axis a point is compared with the straight line through its two neighbours. It is a spike where it lies
    off that line by more than the steepest slope around it, without the point, would move χ² in one step.

    Parameters
    ----------
    chi2 : array, shape (n_points,)

    Returns
    -------
    bool array, shape (n_points,)
        False at the ends of an axis, on axes too short to tell, and where a neighbour has no χ².
    """
    surface = chi2.reshape(grid.shape)
    found = np.zeros(grid.shape, bool)
    for number, axis in enumerate(grid.axes):
        if len(axis.values) >= LEAST_VALUES:
            along = np.moveaxis(surface, number, 0).reshape(len(axis.values), -1)
            is_spike = _spikes_along(np.array(axis.values)[:, None], along)
            others = tuple(n for k, n in enumerate(grid.shape) if k != number)
            found |= np.moveaxis(is_spike.reshape(len(axis.values), *others), 0, number)
    return found.ravel()


def _spikes_along(x: Array, f: Array) -> BoolArray:
    """Compare the inner rows of f, shape (n, m), with the line through the rows before and after them."""
    found = np.zeros(f.shape, bool)
    left, right = x[1:-1] - x[:-2], x[2:] - x[1:-1]
    # The line through both neighbours, and how far the point lies off it.
    across = (f[2:] - f[:-2]) / (left + right)
    off = np.abs(f[1:-1] - (f[:-2] + across * left))
    # The steepest slope around: before and after the neighbours, and between them, never at the point itself.
    slope = np.abs(np.diff(f, axis=0) / np.diff(x, axis=0))
    nothing = np.zeros((1, f.shape[1]))
    before, after = np.concatenate([nothing, slope[:-2]]), np.concatenate([slope[2:], nothing])
    steepest = np.fmax(np.fmax(before, after), np.abs(across))
    found[1:-1] = off > steepest * np.maximum(left, right) + tie_tolerance(np.abs(f[1:-1]))
    return found


@dataclass(frozen=True)
class Statuses:
    """The status of every point.

    Attributes
    ----------
    codes : int array, shape (n,)
    names : mapping of int to str
        What the codes mean.
    """

    codes: NDArray[np.integer]
    names: Mapping[int, str]

    @classmethod
    def of(cls, scan: ScanData) -> Statuses:
        """Collect them from a file."""
        return cls(scan.at_points("status"), scan.variables["status"].flags)

    def are(self, name: str) -> NDArray[np.bool_]:
        """Return for every point whether it has this status."""
        return np.isin(self.codes, [code for code, one in self.names.items() if one == name])

    def count(self, name: str) -> int:
        """Count the points of a status."""
        return int(np.count_nonzero(self.are(name)))

    def first(self, name: str) -> int:
        """Return the first point of a status that some point has."""
        return int(np.argmax(self.are(name)))

    @property
    def present(self) -> list[str]:
        """Names of those that any point has, in alphabetical order."""
        return sorted(self.names[int(code)] for code in np.unique(self.codes))

    def at(self, points: NDArray[np.integer]) -> Statuses:
        """Take those of some points."""
        return Statuses(self.codes[points], self.names)

    def listed(self) -> list[str]:
        """Return the name of every one."""
        return [self.names[code] for code in self.codes.tolist()]


@dataclass(frozen=True)
class Landscape:
    """χ² over the grid.

    Attributes
    ----------
    chi2, gap, edm : array, shape (n_points,)
        NaN where unknown.
    precision : Precision
        Of the model's numbers.
    """

    grid: Grid
    chi2: Array
    gap: Array
    edm: Array
    status: Statuses
    precision: Precision = EXACT

    @classmethod
    def of(cls, scan: ScanData) -> Landscape:
        """Collect it from a file."""
        unknown = np.full(scan.grid.n_points, np.nan)
        # An infinite χ² of a failed point is none.
        found = scan.at_points("chi2")
        chi2 = np.where(np.isfinite(found), found, np.nan)
        gap = scan.at_points("optimality_gap") if scan.has("optimality_gap") else unknown
        edm = scan.at_points("edm") if scan.has("edm") else unknown
        return cls(scan.grid, chi2, gap, edm, Statuses.of(scan), scan.precision)

    @cached_property
    def known(self) -> Indices:
        """Points with a χ²."""
        return np.flatnonzero(np.isfinite(self.chi2))

    @cached_property
    def equal(self) -> Indices:
        """The lowest point, and all others that are equal to it within the tie tolerance."""
        if not len(self.known):
            return self.known
        lowest = self.chi2[self.known].min()
        return np.flatnonzero(self.chi2 <= lowest + tie_tolerance(lowest, self.precision))

    @property
    def lowest(self) -> int | None:
        """The first of the lowest points; None where no point has a χ²."""
        return int(self.equal[0]) if len(self.equal) else None

    @property
    def lowest_chi2(self) -> float:
        """χ² of the lowest point; NaN where no point has one."""
        return float(np.min(self.chi2[self.equal])) if len(self.equal) else np.nan

    @property
    def is_flat(self) -> bool:
        """Whether all points are equal, so that none is the best."""
        return 1 < len(self.known) == len(self.equal)

    @property
    def edges(self) -> tuple[tuple[str, str], ...]:
        """Ends of the grid at which the lowest point lies."""
        return () if self.lowest is None else tuple(self.grid.is_on_edge(self.lowest))

    @cached_property
    def converged(self) -> NDArray[np.bool_]:
        """Whether each point converged."""
        return self.status.are("converged")

    @cached_property
    def out_of_line(self) -> NDArray[np.bool_]:
        """Points that disagree with their neighbours more than the slope around them explains.

        Not those whose minimum is proven: there the landscape itself turns faster than the grid follows.
        """
        is_proven = is_gap_closed(self.chi2, self.chi2 - self.gap, self.precision)
        return spikes(self.grid, self.chi2) & ~is_proven

    @cached_property
    def is_sound(self) -> bool:
        """Whether a curve through the points means something: all that are known converged, and none is out of line."""
        return bool(len(self.known) and self.converged[self.known].all() and not self.out_of_line.any())

    @cached_property
    def noise(self) -> float:
        """How well χ² is known: the largest of its gap to the proven bound, its edm, and the tie tolerance."""
        if not len(self.known):
            return np.nan
        # NaN where one of these is not known; the tie tolerance always is.
        parts = (self.gap[self.known], self.edm[self.known], tie_tolerance(self.chi2[self.equal], self.precision))
        return float(np.nanmax(np.concatenate(parts)))

    @property
    def scanned(self) -> tuple[int, ...]:
        """Axes with more than one value."""
        return tuple(number for number, n in enumerate(self.grid.shape) if n > 1)

    def count(self, status: str) -> int:
        """Count the points of one status."""
        return self.status.count(status)
