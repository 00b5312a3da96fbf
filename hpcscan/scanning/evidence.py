"""The evidence of a whole scan: the fresh starts of a point and of its neighbours are counted together."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hpcscan.arrays import IntArray
from hpcscan.fitting.evidence import has_full_rank, is_agreed, judge
from hpcscan.fitting.records import PointResults, Status
from hpcscan.grid import Grid
from hpcscan.likelihood.scalar import objective_of
from hpcscan.model.problem import Problem
from hpcscan.settings import FitSettings


def settle(grid: Grid, problem: Problem, settings: FitSettings, results: PointResults) -> None:
    """Judge every point of a scan in the light of the others, in place.

    Fresh starts are pooled over the points within one step of the grid. Starts that begin at one place, because their
    ranges have no width, are one start, also at several points.

    Parameters
    ----------
    grid : Grid
    problem : Problem
    settings : FitSettings
    results : PointResults
        The whole grid, after its last repair.
    """
    if not settings.about.has_agreement:
        return
    objective = objective_of(problem, settings.precision, floor=settings.precision_floor)
    box = objective.box
    n_own, n_hits = results.n_starts.astype(np.int64), results.n_starts_at_minimum.astype(np.int64)
    is_one = bool((box.start == box.stop).all())
    shape = grid.shape
    results.n_fresh[:] = np.minimum(n_own, 1) if is_one else pooled(n_own, shape, np.add)
    results.n_hits[:] = np.minimum(n_hits, 1) if is_one else pooled(n_hits, shape, np.add)
    largest = pooled(results.largest_rank.astype(np.int64), shape, np.maximum)
    is_full = has_full_rank(results, box.is_fixed.ravel(), largest)
    # Where nothing is free there is nothing to agree on.
    is_supported = is_agreed(results.n_fresh, results.n_hits) & is_full if box.has_freedom else results.n_starts > 0
    judge(results, is_supported & (results.status != Status.NOT_RUN), objective.precision)


def pooled(values: IntArray, shape: tuple[int, ...], combine: Callable[..., IntArray]) -> IntArray:
    """Combine the values within one step along every axis, shape (n_points,)."""
    grid = values.reshape(shape)
    for axis in range(len(shape)):
        along = np.moveaxis(grid, axis, 0)
        pooled = along.copy()
        pooled[1:] = combine(pooled[1:], along[:-1])
        pooled[:-1] = combine(pooled[:-1], along[1:])
        grid = np.moveaxis(pooled, 0, axis)
    return np.ascontiguousarray(grid).ravel()
