"""A scan in waves: a coarse lattice first, finer ones from its minima, then repair, and fresh starts as evidence.

A wave ends before the next begins, and what is asked in it follows from the complete results of earlier ones: so the
outcome does not depend on who computes what, or when.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter

import numpy as np

from hpcscan.arrays import Array, BoolArray, IntArray
from hpcscan.fitting.evidence import LEAST_FRESH
from hpcscan.fitting.guided import FAR, fit_guided
from hpcscan.fitting.records import UNTRIED, Evidence, PointResults, Status
from hpcscan.grid import Grid
from hpcscan.guard.guard import Finished, Fit, Guard
from hpcscan.likelihood.box import Box
from hpcscan.model.problem import Problem
from hpcscan.scanning.chunks import block_size, sizes_of_chunks
from hpcscan.scanning.lattice import Lattice
from hpcscan.scanning.neighbours import settle
from hpcscan.scanning.strategy import LEAST_SHARE
from hpcscan.scanning.work import GRID_POINT, Common, ScanTask
from hpcscan.settings import FitSettings
from hpcscan.tolerance import is_gap_closed, tie_tolerance

#: Fresh starts of a point of the first wave, and beside the warm ones of later waves, where no proof is tried.
FIRST_FRESH, LATER_FRESH = 4, 1
#: A minimum that jumps from one point to the next by so many times the median jump along the axis is tried there.
JUMP = 4.0


@dataclass(frozen=True)
class Guided(ScanTask[PointResults]):
    """Points to fit, or to fit further, as one task.

    Attributes
    ----------
    current : PointResults
        What is known of the points.
    warm : array, shape (n, n_candidates, n_parameters)
        Where warm starts may begin; NaN where there is none.
    n_fresh : int array, shape (n,)
        More fresh starts of each.
    has_proof : bool
        Whether proofs are tried, where the model can be enclosed.
    """

    kind = GRID_POINT
    current: PointResults
    warm: Array
    n_fresh: IntArray
    has_proof: bool = True

    @property
    def points(self) -> IntArray:
        """Its points."""
        return self.current.point_index

    def only(self, is_kept: BoolArray) -> Guided:
        """Return what is left of it with some of its points."""
        rows = np.flatnonzero(is_kept)
        return Guided(self.current.take(rows), self.warm[rows], self.n_fresh[rows], self.has_proof)

    def compute(self, common: Common, guard: Guard) -> Finished[PointResults]:
        """Fit its points."""
        settings = common.settings
        # Proofs that were given up for the scan are none of a task, either.
        settings = replace(settings, is_enclosable=settings.is_enclosable and self.has_proof)

        def fit(rows: IntArray) -> PointResults:
            current, begin = self.current.take(rows), perf_counter()
            points = common.points(current.point_index)
            result = fit_guided(common.model, points, current, self.warm[rows], self.n_fresh[rows], settings)
            # The time of a point is that of all its waves; a task is shared equally by its points.
            before = np.where(current.status == Status.NOT_RUN, 0.0, current.fit_seconds)
            result.fit_seconds[:] = before + (perf_counter() - begin) / len(rows)
            return result

        return guard.run(self.points, Fit(fit, partial(self.give_up, common)))

    def give_up(self, common: Common, rows: IntArray, status: Status) -> PointResults:
        """Keep what earlier waves found; a point of which nothing is known has failed, or timed out."""
        result = self.current.take(rows)
        is_new = ~np.isfinite(result.chi2)
        result.status[is_new] = status
        return result


@dataclass(frozen=True, eq=False)
class GuidedWave:
    """What is asked in a wave. Tasks are made when they are asked for: together they are as large as the results.

    Attributes
    ----------
    what : str
        In words.
    points : int array, shape (n,)
    sources : int array, shape (n, n_sources)
        Points at whose minima candidates begin; −1 where there is none.
    blended : array, shape (n, n_parameters)
        Candidates between the minima of points; NaN where there is none.
    n_fresh : int array, shape (n,)
    results : PointResults
        Of the whole grid, before the wave.
    minima : array, shape (n_points, n_parameters)
        As they were then.
    has_proof : bool
        Whether proofs are tried.
    """

    number: int
    what: str
    points: IntArray
    sources: IntArray
    blended: Array
    n_fresh: IntArray
    results: PointResults
    minima: Array
    has_proof: bool

    def tasks(self, is_todo: BoolArray, most: int, ranks: int, chunk: int | None) -> Iterator[Guided]:
        """Cut the points of the wave that are to be done into tasks."""
        todo, first = np.flatnonzero(is_todo[self.points]), 0
        for size in sizes_of_chunks(len(todo), most, ranks, chunk):
            yield self._task(todo[first : first + size])
            first += size

    def _task(self, rows: IntArray) -> Guided:
        near = self.sources[rows]
        warm = np.where((near >= 0)[:, :, None], self.minima[near], np.nan)
        warm = np.concatenate([self.blended[rows][:, None], warm], axis=1)
        return Guided(self.results.take(self.points[rows]), warm, self.n_fresh[rows], self.has_proof)


def waves(grid: Grid, problem: Problem, settings: FitSettings, results: PointResults) -> Iterator[GuidedWave]:
    """Return the waves of a scan; what a wave asks for is put into `results` before the next one is made.

    Parameters
    ----------
    results : PointResults
        The whole grid.
    """
    program = _Program(grid, problem, settings, results)
    yield from program.lattice()
    yield from program.repair(program.jumps(), np.zeros(grid.n_points, bool))
    yield from program.evidence()


class _Program:
    """The waves of a scan, one after another."""

    def __init__(self, grid: Grid, problem: Problem, settings: FitSettings, results: PointResults) -> None:
        self._grid, self._problem, self._settings, self._results = grid, problem, settings, results
        self._lattice, self._neighbours, self._number = Lattice(grid.shape), grid.neighbours(), 0
        self._width = Box.of(problem).width[:, 0]
        self._left, self._has_proof = settings.repair_waves, settings.is_enclosable

    def lattice(self) -> Iterator[GuidedWave]:
        """Return the points of one level after another."""
        level = self._lattice.level
        first, remark = self._settings.start_range.min if self._has_proof else FIRST_FRESH, ""
        for number in range(int(level.max()) + 1):
            points = np.flatnonzero(level == number)
            if not len(points):
                continue
            # The coarse lattice has nobody to begin from: fresh starts alone. It also shows whether proofs are worth
            # trying.
            if number == 0:
                yield self._wave("coarse lattice", points, n_fresh=np.full(len(points), first))
                remark = self._proofs_given_up(points)
                continue
            # Later levels begin between their parents and at the corners of the cell.
            n_fresh = np.full(len(points), 0 if self._has_proof else LATER_FRESH)
            index, weight, corners = zip(*(self._lattice.parents(int(p)) for p in points), strict=True)
            blended = np.stack([w @ self._minima(i) for i, w in zip(index, weight, strict=True)])
            yield self._wave(f"lattice {number}{remark}", points, _ragged(corners), blended, n_fresh)
            remark = ""
        # A point whose parents have all failed begins like the first.
        lost = np.flatnonzero(~np.isfinite(self._results.chi2) & (self._results.n_starts < first))
        if len(lost):
            yield self._wave("points without a minimum", lost, n_fresh=np.full(len(lost), first))

    def _proofs_given_up(self, coarse: IntArray) -> str:
        """Give up proofs where too few of the coarse lattice have closed within the budget; say so, or nothing."""
        results = self._results
        known = coarse[np.isfinite(results.chi2[coarse])]
        n_closed = int(is_gap_closed(results.chi2[known], results.chi2_lower_bound[known]).sum())
        if not self._has_proof or n_closed >= LEAST_SHARE * len(known):
            return ""
        self._has_proof = False
        return f" (no more proofs: {n_closed} of {len(known)} closed within the budget; evidence is agreement)"

    def jumps(self) -> BoolArray:
        """Mark the pairs of neighbours, shape (n_points, n_neighbours), between which a minimum jumps."""
        near, x = self._neighbours, self._results.profiled_parameter / self._width
        if not near.size or not x.shape[1]:
            return np.zeros(near.shape, bool)
        # Largest step of any parameter to every neighbour, in widths of the start ranges.
        step = np.abs(x[near] - x[:, None]).max(axis=2)
        step = np.where(near >= 0, step, np.nan)
        # Usual is the median, in each direction of the grid.
        known = [column[np.isfinite(column)] for column in step.T]
        usual = np.array([np.median(column) if len(column) else np.inf for column in known])
        # Where most steps are long, nothing tells a jump from a step.
        return np.asarray((step > FAR) & ((step > JUMP * usual) | (usual > FAR)))

    def repair(self, is_tried: BoolArray, has_improved: BoolArray) -> Iterator[GuidedWave]:
        """Refit points from neighbours, first where it is said, then where a neighbour has improved, until none has.

        Parameters
        ----------
        is_tried : bool array, shape (n_points, n_neighbours)
        has_improved : bool array, shape (n_points,)
            Which points have improved for this to be said: they are marked where no wave is left.
        """
        results = self._results
        while len(points := np.flatnonzero(is_tried.any(axis=1) & _is_open(results))):
            if self._left <= 0:
                results.repaired[has_improved & (self._settings.repair_waves > 0)] = UNTRIED
                return
            self._left -= 1
            before = results.chi2.copy()
            # Only from the neighbours that have something new to offer.
            sources = np.where(is_tried[points], self._neighbours[points], -1)
            yield self._wave("repair", points, sources)
            has_improved = _has_improved(results.chi2, before)
            is_tried = self._beside(has_improved)

    def evidence(self) -> Iterator[GuidedWave]:
        """Run more fresh starts where they do not agree yet; each round is followed by its repair."""
        results, most, round_ = self._results, self._settings.start_range.max, 1
        while True:
            settle(self._grid, self._problem, self._settings, results)
            # Points that were fitted and that nothing supports yet.
            is_open = np.isin(results.evidence, (Evidence.NONE, Evidence.UNIQUE)) & np.isin(
                results.status, (Status.CONVERGED, Status.NOT_CONVERGED, Status.FAILED)
            )
            n_fresh = self._shares(is_open & (results.n_fresh < most), round_)
            points = np.flatnonzero(n_fresh)
            if not len(points):
                return
            before, n_before = results.chi2.copy(), int(results.n_starts.sum())
            yield self._wave("fresh starts", points, n_fresh=n_fresh[points])
            # No start was run: all are used up, and another round would be the same.
            if results.n_starts.sum() == n_before:
                return
            has_improved = _has_improved(results.chi2, before)
            yield from self.repair(self._beside(has_improved), has_improved)
            round_ *= 2

    def _shares(self, is_open: BoolArray, more: int) -> IntArray:
        """Share out fresh starts: until pools are large enough, in the middle of those that lack them, then more each.

        A start counts for all points within one step. Points are taken in order, and what one lacks is given to the
        point one step further along every axis, which has it in common with the points beyond.
        """
        results, shape = self._results, self._grid.shape
        lacks = np.maximum(LEAST_FRESH - results.n_fresh, 0)
        n_fresh = np.where(is_open & (lacks == 0), more, 0).reshape(shape)
        room = np.maximum(self._settings.n_starts - results.n_starts, 0).reshape(shape)
        given, want = np.zeros(shape, np.int64), np.where(is_open, lacks, 0).reshape(shape)
        # Greedy, in the order of the grid, so that the same starts are shared out on any number of ranks.
        for place in map(tuple, np.argwhere(want).tolist()):
            around = tuple(slice(max(i - 1, 0), i + 2) for i in place)
            missing = int(want[place]) - int(given[around].sum())
            middle = tuple(min(i + 1, n - 1) for i, n in zip(place, shape, strict=True))
            given[middle] += max(missing, 0)
        return np.minimum(np.maximum(n_fresh, given), room).ravel()

    def _beside(self, has_improved: BoolArray) -> BoolArray:
        """Mark the neighbours of every point that have improved."""
        if not self._settings.about.is_repaired:
            return np.zeros(self._neighbours.shape, bool)
        return np.asarray(has_improved[self._neighbours] & (self._neighbours >= 0))

    def _minima(self, points: IntArray) -> Array:
        """Return minima; NaN where there is none."""
        is_known = np.isfinite(self._results.chi2[points])
        return np.where(is_known[:, None], self._results.profiled_parameter[points], np.nan)

    def _wave(
        self,
        what: str,
        points: IntArray,
        sources: IntArray | None = None,
        blended: Array | None = None,
        n_fresh: IntArray | None = None,
    ) -> GuidedWave:
        n, every = len(points), np.arange(self._grid.n_points)
        self._number += 1
        return GuidedWave(
            self._number - 1,
            what,
            points,
            np.empty((n, 0), np.int64) if sources is None else sources,
            np.full((n, len(self._width)), np.nan) if blended is None else blended,
            np.zeros(n, np.int64) if n_fresh is None else n_fresh,
            self._results,
            self._minima(every),
            self._has_proof,
        )


def _is_open(results: PointResults) -> BoolArray:
    """Whether points were fitted, without a proof that theirs is the minimum."""
    was_fitted = np.isin(results.status, (Status.CONVERGED, Status.NOT_CONVERGED, Status.FAILED))
    return np.asarray(was_fitted & ~is_gap_closed(results.chi2, results.chi2_lower_bound))


def _has_improved(chi2: Array, before: Array) -> BoolArray:
    """Whether χ² fell by more than the tie tolerance, or is there for the first time."""
    is_known, was_known = np.isfinite(chi2), np.isfinite(before)
    old, new = np.where(was_known, before, 0.0), np.where(is_known, chi2, 0.0)
    return np.asarray(is_known & (~was_known | (new < old - tie_tolerance(old))))


def _ragged(rows: tuple[IntArray, ...]) -> IntArray:
    """Put rows of different lengths into one array, filled up with −1."""
    result = np.full((len(rows), max(map(len, rows))), -1, np.int64)
    for row, values in zip(result, rows, strict=True):
        row[: len(values)] = values
    return result


def most_together(settings: FitSettings, problem: Problem) -> int:
    """Return the most points of a task of a wave."""
    return block_size(1 if settings.is_enclosable else FIRST_FRESH, problem)


def points_alone(problem: Problem) -> int | None:
    """Return the points of a task where that is one: a dear model's, so that a task that is lost is little."""
    return 1 if problem.rows_per_call == 1 and not problem.batch_invariant else None
