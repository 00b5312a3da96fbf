"""Neighbour repair: points without a proof are refitted from their neighbours' minima, in waves.

A wave sees only what the waves before it left, and ends before the next begins, so that the outcome does not depend on
who computed what, or when.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from time import perf_counter

import numpy as np

from hpcscan.arrays import Array, BoolArray, IntArray
from hpcscan.fitting.records import UNTRIED, PointResults, Status
from hpcscan.fitting.refit import needs_repair, refit_block
from hpcscan.grid import Grid
from hpcscan.guard.guard import Finished, Fit, Guard
from hpcscan.model.problem import Problem
from hpcscan.scanning.chunks import block_size
from hpcscan.scanning.work import Common, Task


@dataclass(frozen=True)
class Refit(Task[PointResults]):
    """Points to refit as one task. It leaves no record: waves are done again after an interruption.

    Attributes
    ----------
    starts : array, shape (n, n_neighbours, n_parameters)
        Minima of the neighbours; NaN where there is none.
    current : PointResults
        What is known of the points.
    """

    starts: Array
    current: PointResults

    @property
    def points(self) -> IntArray:
        """Its points."""
        return self.current.point_index

    def only(self, is_kept: BoolArray) -> Refit:
        """Give the refit of some of its points."""
        rows = np.flatnonzero(is_kept)
        return Refit(self.starts[rows], self.current.take(rows))

    def compute(self, common: Common, guard: Guard) -> Finished[PointResults]:
        """Refit its points."""

        def refit(rows: IntArray) -> PointResults:
            current = self.current.take(rows)
            points = common.points(current.point_index)
            begin = perf_counter()
            result = refit_block(common.model, points, self.starts[rows], current, common.settings)
            result.fit_seconds[:] += (perf_counter() - begin) / len(rows)
            return result

        return guard.run(self.points, Fit(refit, partial(self.give_up, common)))

    def give_up(self, common: Common, rows: IntArray, status: Status) -> PointResults:
        """Keep what the fits before it found; a time-out is said so."""
        if status == Status.FAILED:
            rows = rows[:0]
        result = self.current.take(rows)
        result.status[:] = status
        return result


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
    model: Problem,
    results: PointResults,
    n_waves: int,
    compute: Callable[[Wave], Iterable[PointResults]],
) -> Iterator[int]:
    """Repair the results of a scan in place, wave by wave.

    Parameters
    ----------
    grid : Grid
    model : Problem
    results : PointResults
        The whole grid; replaced point by point where a wave improves it.
    n_waves : int
        Most waves.
    compute : callable
        Refits the points of every task, and gives them in any order.

    Yields
    ------
    int
        Number of points that a wave improved; the last wave before the end may have improved none. Where it has, and
        its neighbours are still to be tried, it is marked as `UNTRIED`.
    """
    neighbours = grid.neighbours()
    if not neighbours.shape[1]:
        return
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
    if n_waves and _points(model, results, neighbours, is_fresh):
        results.repaired[is_fresh] = UNTRIED


def _points(model: Problem, results: PointResults, neighbours: IntArray, is_fresh: BoolArray) -> list[IntArray]:
    """Cut the unproven points that have a fresh neighbour into those of each task."""
    has_news = (is_fresh[neighbours] & (neighbours >= 0)).any(axis=1)
    todo = np.flatnonzero(needs_repair(results) & has_news)
    size = block_size(neighbours.shape[1], model)
    return [todo[i : i + size] for i in range(0, len(todo), size)]
