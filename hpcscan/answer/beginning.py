"""From the results of a grid to the coordinates in which its answer is looked for."""

from __future__ import annotations

import numpy as np

from hpcscan.answer.frame import Frame
from hpcscan.arrays import Array
from hpcscan.fitting.records import PointResults
from hpcscan.grid import Grid
from hpcscan.model.problem import Problem, scale_names


def beginning(problem: Problem, grid: Grid, results: PointResults) -> tuple[Frame, Array]:
    """Lay out the coordinates of a scan, and its fits in them.

    Returns
    -------
    Frame
    array, shape (n_points, n_coordinates)
        NaN where a fit failed.
    """
    lowest = int(np.argmin(np.where(np.isfinite(results.chi2), results.chi2, np.inf)))
    sizes = np.where(np.isfinite(results.scale[lowest]), results.scale[lowest], 1.0)
    frame = Frame.of(problem.released(), grid, dict(zip(scale_names(problem), sizes.tolist(), strict=True)))
    points = grid.points(results.point_index)
    natural = np.concatenate([points, results.profiled_parameter, results.scale], axis=1)
    return frame, frame.coordinates_of(natural)
