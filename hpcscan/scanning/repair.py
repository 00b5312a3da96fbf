"""Neighbour repair: points without a proof are refitted from their neighbours' minima, in waves.

A wave sees only what the waves before it left, and ends before the next begins, so that the outcome does not depend on
who computed what, or when.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from hpcscan.arrays import Array, BoolArray, IntArray
from hpcscan.fitting.records import PointResults
from hpcscan.fitting.refit import needs_repair
from hpcscan.grid import Grid
from hpcscan.model.interface import Model
from hpcscan.scanning.chunks import block_size


@dataclass(frozen=True)
class Refit:
    """Points to refit as one task.

    Attributes
    ----------
    starts : array, shape (n, n_neighbours, n_parameters)
        Minima of the neighbours; NaN where there is none.
    current : PointResults
        What is known of the points.
    """

    starts: Array
    current: PointResults


@dataclass(frozen=True)
class Wave:
    """The tasks of one wave. Each is made when it is asked for: together they are as large as the results.

    Attributes
    ----------
    results : PointResults
        The whole grid. What a task gives may be put into it before the next one is made.
    minima : array, shape (n_points, n_parameters)
        Profiled parameters as the wave before left them.
    neighbours : int array, shape (n_points, n_neighbours)
    points : sequence of int array
        Of every task.
    """

    results: PointResults
    minima: Array
    neighbours: IntArray
    points: Sequence[IntArray]

    def __len__(self) -> int:
        return len(self.points)

    def __iter__(self) -> Iterator[Refit]:
        return map(self._task, self.points)

    def _task(self, points: IntArray) -> Refit:
        near = self.neighbours[points]
        starts = np.where((near >= 0)[:, :, None], self.minima[near], np.nan)
        return Refit(starts, self.results.take(points))


def repair(
    grid: Grid,
    model: Model,
    results: PointResults,
    n_waves: int,
    compute: Callable[[Wave], Iterable[PointResults]],
) -> Iterator[int]:
    """Repair the results of a scan in place, wave by wave.

    Parameters
    ----------
    grid : Grid
    model : Model
    results : PointResults
        The whole grid; replaced point by point where a wave improves it.
    n_waves : int
        Most waves.
    compute : callable
        Refits the points of every task, and gives those that changed, in any order.

    Yields
    ------
    int
        Number of points that a wave improved; the last wave before the end may have improved none.
    """
    neighbours = grid.neighbours()
    is_fresh = np.isfinite(results.chi2)
    for _ in range(n_waves):
        points = _points(model, results, neighbours, is_fresh)
        if not points:
            return
        is_fresh[:] = False
        for changed in compute(Wave(results, results.profiled_parameter.copy(), neighbours, points)):
            rows = changed.point_index
            is_fresh[rows] = changed.chi2 != results.chi2[rows]
            results.put(changed)
        yield int(np.count_nonzero(is_fresh))


def _points(model: Model, results: PointResults, neighbours: IntArray, is_fresh: BoolArray) -> list[IntArray]:
    """Cut the unproven points that have a fresh neighbour into those of each task."""
    has_news = (is_fresh[neighbours] & (neighbours >= 0)).any(axis=1)
    todo = np.flatnonzero(needs_repair(results) & has_news)
    size = block_size(len(results.status), neighbours.shape[1], model)
    return [todo[i : i + size] for i in range(0, len(todo), size)]
