"""A scan in waves: a coarse lattice first, finer ones from its minima, then repair, and fresh starts as evidence.

A wave ends before the next begins, and what is asked in it follows from the complete results of earlier ones: so the
outcome does not depend on who computes what, or when.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import replace

import numpy as np

from hpcscan.arrays import Array, BoolArray, IntArray
from hpcscan.fitting.evidence import LEAST_FRESH
from hpcscan.fitting.guided import FAR
from hpcscan.fitting.records import UNTRIED, Evidence, PointResults, Status
from hpcscan.grid import Grid
from hpcscan.likelihood.box import Box
from hpcscan.model.problem import Problem
from hpcscan.scanning.chunks import block_size
from hpcscan.scanning.guided_wave import GuidedWave
from hpcscan.scanning.lattice import Lattice
from hpcscan.scanning.neighbours import settle
from hpcscan.scanning.strategy import LEAST_SHARE
from hpcscan.scanning.work import Common
from hpcscan.settings import FitSettings
from hpcscan.tolerance import is_gap_closed, tie_tolerance

#: Where no proof is tried the first wave has as many points as this at most: enough for many ranks, so that all of them
#: have something to do. Each has a fresh start, and so have later points beside warm ones, or as many as are chosen.
FIRST_POINTS = 64
#: Where they are fewer, each has more, up to so many.
FIRST_FRESH = 4
#: Rows of the model that a point of a wave may ask for at once: candidates, or differences.
TOGETHER = 4
#: Points between whose parents is interpolated at once.
AT_ONCE = 1024
#: A minimum that jumps from one point to the next by so many times the median jump along the axis is tried there.
JUMP = 4.0


def waves(grid: Grid, problem: Problem, settings: FitSettings, results: PointResults) -> Iterator[GuidedWave]:
    """Return the waves of a scan; what a wave asks for is put into `results` before the next one is made.

    Parameters
    ----------
    results : PointResults
        The whole grid.
    """
    program = _Program(grid, problem, settings, results)
    yield from program.lattice()
    yield from program.repair()
    yield from program.evidence()


def first_lattice(grid: Grid, settings: FitSettings) -> Lattice:
    """Return from which points a scan begins: few where proofs tell whether their minima are right."""
    return Lattice(grid.shape) if settings.is_enclosable else Lattice.beginning_with(grid.shape, FIRST_POINTS)


def first_starts(grid: Grid, settings: FitSettings) -> int:
    """Count the fresh starts of every point of the first wave."""
    if settings.is_enclosable:
        return settings.start_range.min
    n_points = int((first_lattice(grid, settings).level == 0).sum())
    return 1 if settings.fresh_starts is not None else min(FIRST_FRESH, -(-FIRST_POINTS // n_points))


class _Program:
    """The waves of a scan, one after another."""

    def __init__(self, grid: Grid, problem: Problem, settings: FitSettings, results: PointResults) -> None:
        self._grid, self._problem, self._settings, self._results = grid, problem, settings, results
        self._lattice, self._neighbours, self._number = first_lattice(grid, settings), grid.neighbours(), 0
        self._width = Box.of(problem).width[:, 0]
        self._left, self._has_proof = settings.repair_waves, settings.is_enclosable
        self._precision = Common(problem, grid, settings).precision

    def lattice(self) -> Iterator[GuidedWave]:
        """Return the points of one level after another."""
        # The coarse lattice has nobody to begin from: fresh starts alone. It also shows whether proofs are worth it.
        level, first = self._lattice.level, first_starts(self._grid, self._settings)
        points = np.flatnonzero(level == 0)
        # Without a proof of what they find, a row for each start, so that ranks share those of a point.
        rows, n_each = (points, first) if self._has_proof else (np.repeat(points, first), 1)
        yield self._wave("coarse lattice", rows, n_fresh=np.full(len(rows), n_each))
        remark = self._proofs_given_up(points)
        if not self._has_proof and level.any():
            for wave in self._exchange():
                yield replace(wave, what=f"{wave.what}{remark}")
                remark = ""
        # Later levels begin between their parents and at the corners of the cell.
        for number in range(1, int(level.max()) + 1):
            points = np.flatnonzero(level == number)
            n_fresh = self._beside_warm(len(points))
            parts = [self._parents(points[i : i + AT_ONCE]) for i in range(0, len(points), AT_ONCE)]
            blended, corners = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
            yield self._wave(f"lattice {number}{remark}", points, corners, blended, n_fresh)
            remark = ""
        # A point whose parents have all failed begins like the first.
        lost = np.flatnonzero(~np.isfinite(self._results.chi2) & (self._results.n_starts < first))
        if len(lost):
            yield self._wave("points without a minimum", lost, n_fresh=np.full(len(lost), first))

    def _parents(self, points: IntArray) -> tuple[Array, IntArray]:
        """Return what the minima of earlier levels let expect at points, and the corners of their cells."""
        index, weight, corners = self._lattice.parents(points)
        return (weight[:, :, None] * self._minima(index.ravel()).reshape(*index.shape, -1)).sum(axis=1), corners

    def _beside_warm(self, n: int) -> IntArray:
        """Count the fresh starts of n points that begin from minima of others, evenly over them."""
        share = self._settings.fresh_starts
        some: IntArray = np.diff(np.floor(np.arange(n + 1) * (1.0 if share is None else share))).astype(np.int64)
        return some * (not self._has_proof)

    def _proofs_given_up(self, coarse: IntArray) -> str:
        """Give up proofs where too few of the coarse lattice have closed within the budget; say so, or nothing."""
        results = self._results
        known = coarse[np.isfinite(results.chi2[coarse])]
        n_closed = int(is_gap_closed(results.chi2[known], results.chi2_lower_bound[known]).sum())
        if not self._has_proof or n_closed >= LEAST_SHARE * len(known):
            return ""
        self._has_proof = False
        return f" (no more proofs: {n_closed} of {len(known)} closed within the budget; evidence is agreement)"

    def _exchange(self) -> Iterator[GuidedWave]:
        """Try minima of the coarse lattice at its neighbours: a start each may end anywhere, and many begin from it."""
        near = self._lattice.first_neighbours()
        is_known = np.isfinite(self._results.chi2)
        is_lost = ~is_known[:, None] & is_known[near] & (near >= 0)
        yield from self._tried(near, self._jumps(near) | is_lost, "coarse lattice, repair")
        self._left = self._settings.repair_waves

    def repair(self, has_improved: BoolArray | None = None) -> Iterator[GuidedWave]:
        """Refit points from neighbours that have improved, or at first across jumps, until none improves."""
        near = self._neighbours
        is_tried = self._jumps(near) if has_improved is None else self._beside(near, has_improved)
        has_improved = yield from self._tried(near, is_tried, "repair", has_improved)
        self._results.repaired[has_improved & (self._settings.repair_waves > 0)] = UNTRIED

    def _jumps(self, near: IntArray) -> BoolArray:
        """Mark the pairs of neighbours, shape (n_points, n_neighbours), between which a minimum jumps."""
        x = self._results.profiled_parameter / self._width
        if not near.size or not x.shape[1]:
            return np.zeros(near.shape, bool)
        # Largest step of any parameter to every neighbour, in widths of the start ranges.
        step = np.abs(x[near] - x[:, None]).max(axis=2)
        step = np.where(near >= 0, step, np.nan)
        # Usual is the median, in each direction of the grid; of two steps the shorter.
        known = [np.sort(column[np.isfinite(column)]) for column in step.T]
        usual = np.array([column[(len(column) - 1) // 2] if len(column) else np.inf for column in known])
        # Where most steps are long, nothing tells a jump from a step.
        return np.asarray((step > FAR) & ((step > JUMP * usual) | (usual > FAR)))

    def _tried(
        self, near: IntArray, is_tried: BoolArray, what: str, has_improved: BoolArray | None = None
    ) -> Generator[GuidedWave, None, BoolArray]:
        """Refit points from neighbours, first where it is said, then where a neighbour has improved, until none has.

        Parameters
        ----------
        near : int array, shape (n_points, n_neighbours)
        is_tried : bool array, shape (n_points, n_neighbours)
        has_improved : bool array, shape (n_points,), optional
            Which points have improved for this to be said.

        Returns
        -------
        bool array, shape (n_points,)
            Points that have improved, and that no wave is left to try at their neighbours.
        """
        results = self._results
        nobody = np.zeros(len(results.chi2), bool)
        has_improved = nobody if has_improved is None else has_improved
        while len(points := np.flatnonzero(is_tried.any(axis=1) & _is_open(results))):
            if self._left <= 0:
                return has_improved
            self._left -= 1
            before = results.chi2.copy()
            # Only from the neighbours that have something new to offer.
            yield self._wave(what, points, np.where(is_tried[points], near[points], -1))
            has_improved = _has_improved(results.chi2, before)
            is_tried = self._beside(near, has_improved)
        return nobody

    def evidence(self) -> Iterator[GuidedWave]:
        """Run more fresh starts where they do not agree yet; each round is followed by its repair."""
        results, most, round_ = self._results, self._settings.start_range.max, 1
        while True:
            settle(self._grid, self._problem, self._settings, results)
            if self._settings.fresh_starts is not None:
                return
            # Points that were fitted and that nothing supports yet.
            is_open = np.isin(results.evidence, (Evidence.NONE, Evidence.UNIQUE)) & np.isin(
                results.status, (Status.CONVERGED, Status.NOT_CONVERGED, Status.FAILED)
            )
            n_fresh = self._shares(is_open & (results.n_fresh < most), round_)
            # A row for each start, so that ranks share those of a point.
            points = np.repeat(np.arange(len(n_fresh)), n_fresh)
            if not len(points):
                return
            before, n_run = results.chi2.copy(), int(results.n_starts.sum())
            yield self._wave("fresh starts", points, n_fresh=np.ones_like(points))
            # No start was run: all are used up, and another round would be the same.
            if results.n_starts.sum() == n_run:
                return
            yield from self.repair(_has_improved(results.chi2, before))
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

    def _beside(self, near: IntArray, has_improved: BoolArray) -> BoolArray:
        """Mark the neighbours of every point that have improved."""
        if not self._settings.about.is_repaired:
            return np.zeros(near.shape, bool)
        return np.asarray(has_improved[near] & (near >= 0))

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
        n_fresh = np.zeros(n, np.int64) if n_fresh is None else n_fresh
        # Starts of a point that it has in rows before.
        n_so_far = np.cumsum(n_fresh) - n_fresh
        n_before = n_so_far - n_so_far[np.searchsorted(points, points)]
        self._number += 1
        return GuidedWave(
            self._number - 1,
            what,
            points,
            np.empty((n, 0), np.int64) if sources is None else sources,
            np.full((n, len(self._width)), np.nan) if blended is None else blended,
            n_fresh,
            n_before,
            self._results,
            self._minima(every),
            self._has_proof,
            self._precision,
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


def most_together(settings: FitSettings, problem: Problem) -> int:
    """Return the most points of a task of a wave."""
    return block_size(1 if settings.is_enclosable else TOGETHER, problem)
