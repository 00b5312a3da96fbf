"""Scans with known surfaces, run on one process."""

from __future__ import annotations

import numpy as np

from hpcscan.fitting.records import PointResults
from hpcscan.grid import Grid, GridAxis
from hpcscan.model.problem import Problem
from hpcscan.scanning.chunks import block_size, cut
from hpcscan.scanning.neighbours import repair
from hpcscan.scanning.work import perform
from hpcscan.settings import FitSettings


def make_grid(**axes: np.ndarray) -> Grid:
    return Grid(tuple(GridAxis(name, tuple(float(v) for v in values)) for name, values in axes.items()))


def first_pass(model: Problem, grid: Grid, settings: FitSettings, ranks: int = 1) -> PointResults:
    results = PointResults.not_run(model, np.arange(grid.n_points), settings.n_starts)
    for chunk in cut(grid.n_points, block_size(settings.n_starts, model), ranks, None):
        results.put(perform(model, grid, settings, chunk).results)
    return results


def repaired(model: Problem, grid: Grid, settings: FitSettings, results: PointResults, order: int = 1) -> list[int]:
    """Repair in place; `order` −1 lets the tasks finish in reverse, when all of them have been made."""

    def compute(tasks):
        parts = (perform(model, grid, settings, task).results for task in tasks)
        return parts if order == 1 else [*parts][::order]

    return [*repair(grid, model, results, settings.repair_waves, compute)]
