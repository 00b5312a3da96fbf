"""What a wave asks for: points to fit further, cut into tasks, and what its starts say of a point put together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter

import numpy as np

from hpcscan.arrays import Array, BoolArray, IntArray
from hpcscan.fitting.guided import fit_guided, joined_starts
from hpcscan.fitting.records import PointResults, Status
from hpcscan.guard.guard import Finished, Fit, Guard
from hpcscan.scanning.chunks import sizes_of_chunks
from hpcscan.scanning.work import GRID_POINT, Common, ScanTask
from hpcscan.tolerance import Precision


@dataclass(frozen=True)
class Guided(ScanTask[PointResults]):
    """Points to fit, or to fit further, as one task.

    Attributes
    ----------
    current : PointResults
        What is known of the points; `n_starts` tells with which start each goes on.
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
        """Keep what earlier waves found; a point of which nothing is known has failed, or timed out.

        So have the starts that were asked for: they are not run again.
        """
        result = self.current.take(rows)
        is_new = ~np.isfinite(result.chi2)
        result.status[is_new] = status
        number, begun = np.arange(result.start_status.shape[1]), result.n_starts[:, None]
        is_asked = (number >= begun) & (number < begun + self.n_fresh[rows, None])
        result.start_status[is_asked] = status
        result.n_starts[:] += is_asked.sum(axis=1).astype(np.int32)
        return result


@dataclass(frozen=True, eq=False)
class GuidedWave:
    """What is asked in a wave: rows, each of a point.

    A point may have several rows, each with starts of its own, so that many ranks can share them. All begin with what
    was known before the wave; what they find is put together when the last of them is there.

    Attributes
    ----------
    what : str
        In words.
    points : int array, shape (n,)
        In order.
    sources : int array, shape (n, n_sources)
        Points at whose minima candidates begin; −1 where there is none.
    blended : array, shape (n, n_parameters)
        Candidates between the minima of points; NaN where there is none.
    n_fresh, n_before : int array, shape (n,)
        Fresh starts, and those that earlier rows of the point have in this wave.
    results : PointResults
        Of the whole grid, before the wave; complete points are put into it as they come.
    minima : array, shape (n_points, n_parameters)
        As they were then.
    has_proof : bool
        Whether proofs are tried.
    precision : Precision
        Of the model's numbers.
    """

    number: int
    what: str
    points: IntArray
    sources: IntArray
    blended: Array
    n_fresh: IntArray
    n_before: IntArray
    results: PointResults
    minima: Array
    has_proof: bool
    precision: Precision

    def tasks(self, is_todo: BoolArray, most: int, ranks: int, chunk: int | None) -> WaveTasks:
        """Cut the points of the wave that are to be done into tasks."""
        todo = np.flatnonzero(is_todo[self.points])
        return WaveTasks(self, todo, sizes_of_chunks(len(todo), most, ranks, chunk))

    def task(self, rows: IntArray) -> Guided:
        """Make the task of some rows."""
        near = self.sources[rows]
        warm = np.where((near >= 0)[:, :, None], self.minima[near], np.nan)
        warm = np.concatenate([self.blended[rows][:, None], warm], axis=1)
        current = self.results.take(self.points[rows])
        current.n_starts[:] += self.n_before[rows].astype(np.int32)
        return Guided(current, warm, self.n_fresh[rows], self.has_proof)

    def complete(self, parts: Iterable[PointResults]) -> Iterator[PointResults]:
        """Yield points of which all rows are there, out of what tasks give in any order."""
        n_left = np.bincount(self.points, minlength=len(self.results.status))
        if n_left.max(initial=0) <= 1:
            yield from parts
            return
        waiting: list[PointResults] = []
        for part in parts:
            np.subtract.at(n_left, part.point_index, 1)
            waiting.append(part)
            done = np.unique(part.point_index[n_left[part.point_index] == 0])
            if not len(done):
                continue
            known = PointResults.joined(waiting)
            is_done = np.isin(known.point_index, done)
            yield joined_starts(self.results.take(done), known.take(np.flatnonzero(is_done)), self.precision)
            waiting = [known.take(np.flatnonzero(~is_done))]


@dataclass(frozen=True, eq=False)
class WaveTasks:
    """The tasks of a wave. They are made when they are asked for: together they are as large as the results."""

    wave: GuidedWave
    rows: IntArray
    sizes: list[int]

    def __len__(self) -> int:
        return len(self.sizes)

    def __iter__(self) -> Iterator[Guided]:
        first = 0
        for size in self.sizes:
            yield self.wave.task(self.rows[first : first + size])
            first += size
