"""The χ² of a whole scan: its lowest points, whether they are a minimum, and how well χ² is known."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hpcscan.analysis.spikes import spikes
from hpcscan.analysis.statuses import Statuses
from hpcscan.arrays import Array
from hpcscan.dataset.scan import ScanData
from hpcscan.grid import Grid
from hpcscan.tolerance import EXACT, Precision, is_gap_closed, tie_tolerance

Indices = NDArray[np.intp]


@dataclass(frozen=True)
class Landscape:
    """χ² over the grid.

    Attributes
    ----------
    grid : Grid
    chi2, gap, edm : array, shape (n_points,)
        NaN where unknown.
    status : Statuses
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
        parts = (self.gap[self.known], self.edm[self.known], tie_tolerance(self.chi2[self.equal], self.precision))
        return float(np.nanmax(np.concatenate(parts)))

    @property
    def scanned(self) -> tuple[int, ...]:
        """Axes with more than one value."""
        return tuple(number for number, n in enumerate(self.grid.shape) if n > 1)

    def count(self, status: str) -> int:
        """Count the points of one status."""
        return self.status.count(status)
