"""What neighbours know: points without a proof are refitted from their minima, and fresh starts count for all of them.

A wave of repair sees only what the waves before it left, and ends before the next begins, so that the outcome does not
depend on who computed what, or when.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from time import perf_counter

import numpy as np

from hpcscan.arrays import Array, BoolArray, IntArray
from hpcscan.fitting.evidence import has_full_rank, is_agreed, judge
from hpcscan.fitting.records import UNTRIED, PointResults, Status
from hpcscan.fitting.refit import needs_repair, refit_block
from hpcscan.grid import Grid
from hpcscan.guard.guard import Finished, Fit, Guard
from hpcscan.likelihood.scalar import objective_of
from hpcscan.model.problem import Problem
from hpcscan.scanning.chunks import block_size
from hpcscan.scanning.work import Common, ScanTask
from hpcscan.settings import FitSettings


@dataclass(frozen=True)
class Refit(ScanTask[PointResults]):
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
        """Return the refit of some of its points."""
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
        # A refit that fails changes nothing: the point keeps the minimum that it has.
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
        # Starts are the minima around, as the last wave left them.
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
    # At first every minimum is news to its neighbours; later those alone that have changed.
    is_fresh = np.isfinite(results.chi2)
    for _ in range(n_waves):
        points = _points(model, results, neighbours, is_fresh)
        if not points:
            return
        is_fresh[:] = False
        for changed in compute(Wave(results, results.profiled_parameter.copy(), neighbours, points)):
            rows = changed.point_index
            is_fresh[rows] = is_news(changed, results)
            results.put(changed)
        yield int(np.count_nonzero(is_fresh))
    # Waves are used up while there is still news: the result says so.
    if n_waves and _points(model, results, neighbours, is_fresh):
        results.repaired[is_fresh] = UNTRIED


def is_news(changed: PointResults, results: PointResults) -> BoolArray:
    """Return which points of a refit differ from what was known; one that failed again is no news."""
    news: BoolArray = np.isfinite(changed.chi2) & (changed.chi2 != results.chi2[changed.point_index])
    return news


def _points(model: Problem, results: PointResults, neighbours: IntArray, is_fresh: BoolArray) -> list[IntArray]:
    """Cut the unproven points that have a fresh neighbour into those of each task."""
    has_news = (is_fresh[neighbours] & (neighbours >= 0)).any(axis=1)
    todo = np.flatnonzero(needs_repair(results) & has_news)
    size = block_size(neighbours.shape[1], model)
    return [todo[i : i + size] for i in range(0, len(todo), size)]


def settle(grid: Grid, problem: Problem, settings: FitSettings, results: PointResults) -> None:
    """Judge every point of a scan in the light of the others, in place.

    Fresh starts are pooled over the points within one step of the grid. Starts that begin at one place, because their
    ranges have no width, are one start, also at several points.

    Parameters
    ----------
    results : PointResults
        The whole grid, after its last repair.
    """
    if not settings.about.has_agreement:
        return
    objective = objective_of(problem, settings.precision, floor=settings.precision_floor)
    # Starts of a range without width are one start, however many points have it.
    box = objective.box
    n_own, n_hits = results.n_starts.astype(np.int64), results.n_starts_at_minimum.astype(np.int64)
    is_one = bool((box.start == box.stop).all())
    shape = grid.shape
    results.n_fresh[:] = np.minimum(n_own, 1) if is_one else pooled(n_own, shape, np.add)
    results.n_hits[:] = np.minimum(n_hits, 1) if is_one else pooled(n_hits, shape, np.add)
    # The rank is that of the model, which some starts may miss: the largest around counts.
    largest = pooled(results.largest_rank.astype(np.int64), shape, np.maximum)
    is_full = has_full_rank(results, box.is_fixed.ravel(), largest)
    # Where nothing is free there is nothing to agree on.
    is_supported = is_agreed(results.n_fresh, results.n_hits) & is_full if box.has_freedom else results.n_starts > 0
    judge(results, is_supported & (results.status != Status.NOT_RUN), objective.precision)


def pooled(values: IntArray, shape: tuple[int, ...], combine: Callable[..., IntArray]) -> IntArray:
    """Combine the values within one step along every axis, shape (n_points,)."""
    # Axis by axis: a box of 3 values along every axis is 3 by 3 by 3.
    grid = values.reshape(shape)
    for axis in range(len(shape)):
        along = np.moveaxis(grid, axis, 0)
        pooled = along.copy()
        pooled[1:] = combine(pooled[1:], along[:-1])
        pooled[:-1] = combine(pooled[:-1], along[1:])
        grid = np.moveaxis(pooled, 0, axis)
    return np.ascontiguousarray(grid).ravel()
