"""From the results of a grid to the coordinates in which its answer is looked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hpcscan.answer.frame import Frame
from hpcscan.arrays import Array, IntArray
from hpcscan.fitting.records import PointResults
from hpcscan.grid import Grid
from hpcscan.model.problem import Problem, scale_names

#: Points of a grid whose coordinates are held at once: of a large grid those of all would be more than its results.
AT_ONCE = 2048


@dataclass(frozen=True)
class Beginning:
    """What is known before: the fits of the grid.

    Attributes
    ----------
    frame : Frame
    grid : Grid
    results : PointResults
        Of all its points.
    """

    frame: Frame
    grid: Grid
    results: PointResults

    @classmethod
    def of(cls, problem: Problem, grid: Grid, results: PointResults) -> Beginning:
        """Lay out the coordinates of a scan."""
        lowest = int(np.argmin(np.where(np.isfinite(results.chi2), results.chi2, np.inf)))
        sizes = np.where(np.isfinite(results.scale[lowest]), results.scale[lowest], 1.0)
        frame = Frame.of(problem.released(), grid, dict(zip(scale_names(problem), sizes.tolist(), strict=True)))
        return cls(frame, grid, results)

    @property
    def chi2(self) -> Array:
        """χ² of all points, shape (n_points,); not finite where a fit failed."""
        return self.results.chi2

    def places(self, rows: IntArray) -> Array:
        """Give the coordinates of some points, shape (n, n_coordinates)."""
        parts = (self.grid.points(rows), self.results.profiled_parameter[rows], self.results.scale[rows])
        return self.frame.coordinates_of(np.concatenate(parts, axis=1))

    def blocks(self) -> list[IntArray]:
        """Cut all points into blocks, in order."""
        n = len(self.results.chi2)
        return [np.arange(first, min(first + AT_ONCE, n)) for first in range(0, n, AT_ONCE)]
