"""What a finished scan says as a whole: its best point, and whether there is one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hpcscan.fit.records import PointResults, Status
from hpcscan.grid import Grid
from hpcscan.tolerance import tie_tolerance


@dataclass(frozen=True)
class Surface:
    """The χ² surface over the grid.

    Attributes
    ----------
    lowest : int or None
        Index of the lowest point; the first of those that are equal to it within the tie tolerance. None where no point
        has a χ².
    n_lowest : int
        How many points are equal to it.
    n_known : int
        How many points have a χ².
    edges : tuple of (axis name, "lower" or "upper")
        Ends of the grid at which the lowest point lies.
    """

    lowest: int | None
    n_lowest: int
    n_known: int
    edges: tuple[tuple[str, str], ...]

    @property
    def is_flat(self) -> bool:
        """Whether all points are equal, so that none is the best."""
        return self.n_known > 1 and self.n_lowest == self.n_known


def survey(grid: Grid, results: PointResults) -> Surface:
    """Look for the lowest point of a scan."""
    known = np.flatnonzero(np.isfinite(results.chi2))
    if not len(known):
        return Surface(None, 0, 0, ())
    chi2 = results.chi2[known]
    lowest_chi2 = chi2.min()
    equal = known[chi2 <= lowest_chi2 + tie_tolerance(lowest_chi2)]
    lowest = int(equal[0])
    return Surface(lowest, len(equal), len(known), tuple(grid.is_on_edge(lowest)))


def count_status(results: PointResults) -> dict[Status, int]:
    """Count the points of every status; the counts add up to the grid."""
    counts = np.bincount(results.status, minlength=len(Status))
    return {status: int(counts[status]) for status in Status}
