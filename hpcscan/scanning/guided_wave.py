"""What a wave asks for: points to fit further, cut into tasks, and what its starts say of a point put together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from hashlib import blake2b
from itertools import chain
from time import perf_counter

import numpy as np

from hpcscan.arrays import Array, BoolArray, IntArray
from hpcscan.fitting.guided import fit_guided, joined_starts
from hpcscan.fitting.records import QUANTITIES, PointResults, Status
from hpcscan.guard.guard import Finished, Fit, Guard
from hpcscan.scanning.chunks import sizes_of_chunks
from hpcscan.scanning.work import GRID_POINT, Common, ScanTask
from hpcscan.tolerance import Precision

#: What is known of a point, as far as it decides what comes of a fit: not how the run went, nor in which wave.
_DECISIVE = tuple(name for name, about in QUANTITIES.items() if about.role != "run" and name not in {"wave", "asked"})


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

    @cached_property
    def asked(self) -> IntArray:
        """Digests of what is asked in each row, shape (n,): model and settings apart, nothing else decides its bits."""
        known = [getattr(self.current, name) for name in _DECISIVE] + [*self.current.derived.values()]
        columns = [*known, self.warm, self.n_fresh, np.full(len(self.n_fresh), self.has_proof)]
        n_bytes = [column[:1].nbytes for column in columns]
        data = np.empty((len(self.n_fresh), sum(n_bytes)), np.uint8)
        for column, stop, n in zip(columns, np.cumsum(n_bytes).tolist(), n_bytes, strict=True):
            data[:, stop - n : stop] = np.frombuffer(column.tobytes(), np.uint8).reshape(-1, n) if n else 0
        digests = b"".join(blake2b(row, digest_size=8).digest() for row in data)
        return np.frombuffer(digests, "<i8").astype(np.int64)

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
            result.asked[:] = self.asked[rows]
            return result

        return guard.run(self.points, Fit(fit, partial(self.give_up, common)))

    def give_up(self, common: Common, rows: IntArray, status: Status) -> PointResults:
        """Keep what earlier waves found; a point of which nothing is known has failed, or timed out.

        So have the starts that were asked for: they are not run again.
        """
        result = self.current.take(rows)
        result.asked[:] = self.asked[rows]
        is_new = ~np.isfinite(result.chi2)
        result.status[is_new] = status
        number, begun = np.arange(result.start_status.shape[1]), result.n_starts[:, None]
        is_asked = (number >= begun) & (number < begun + self.n_fresh[rows, None])
        result.start_status[is_asked] = status
        result.n_starts[:] += is_asked.sum(axis=1).astype(np.int32)
        return result


def forget(_part: PointResults) -> None:
    """Hear of rows that nobody keeps."""


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

    @cached_property
    def is_shared(self) -> BoolArray:
        """Mark the points of the grid that have several rows."""
        return np.asarray(np.bincount(self.points, minlength=len(self.results.status)) > 1)

    def tasks(self, is_todo: BoolArray, most: int, ranks: int, chunk: int | None) -> WaveTasks:
        """Cut the rows of the wave that are to be done into tasks."""
        todo = np.flatnonzero(is_todo)
        return WaveTasks(self, todo, sizes_of_chunks(len(todo), most, ranks, chunk))

    def task(self, rows: IntArray) -> Guided:
        """Make the task of some rows."""
        near = self.sources[rows]
        warm = np.where((near >= 0)[:, :, None], self.minima[near], np.nan)
        warm = np.concatenate([self.blended[rows][:, None], warm], axis=1)
        current = self.results.take(self.points[rows])
        current.n_starts[:] += self.n_before[rows].astype(np.int32)
        return Guided(current, warm, self.n_fresh[rows], self.has_proof)

    def whole(self, points: IntArray) -> Guided:
        """Make one task of all that is asked of some points, each once and in order."""
        first, last = (np.searchsorted(self.points, points, side) for side in ("left", "right"))
        return replace(self.task(first), n_fresh=self.n_before[last - 1] + self.n_fresh[last - 1])

    def complete(
        self,
        parts: Iterable[PointResults],
        begun: Sequence[PointResults] = (),
        keep: Callable[[PointResults], None] = forget,
    ) -> Iterator[PointResults]:
        """Yield points of which all rows are there.

        Parameters
        ----------
        parts : iterable of PointResults
            What tasks give, in any order.
        begun : sequence of PointResults
            Rows that were there before, of points that lack others.
        keep : callable, optional
            Told which rows of parts wait for others.
        """
        n_left = np.bincount(self.points, minlength=len(self.results.status))
        waiting: list[PointResults] = []
        for number, part in enumerate(chain(begun, parts)):
            part.wave[:] = self.number
            if not self.is_shared.any():
                yield part
                continue
            np.subtract.at(n_left, part.point_index, 1)
            waits = n_left[part.point_index] > 0
            if waits.any() and number >= len(begun):
                keep(part.take(np.flatnonzero(waits)))
            waiting.append(part)
            if waits.all():
                continue
            # Points of which the last row has come.
            known = PointResults.joined(waiting)
            waits = n_left[known.point_index] > 0
            done, rows = np.unique(known.point_index[~waits]), np.flatnonzero(~waits)
            whole = joined_starts(self.results.take(done), known.take(rows), self.precision)
            whole.wave[:], whole.asked[:] = self.number, self.whole(done).asked
            yield whole
            waiting = [known.take(np.flatnonzero(waits))]


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
