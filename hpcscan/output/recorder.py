"""What a scan has found so far: in memory, in its journal, and now and then as a file that anybody can read."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain
from pathlib import Path
from time import monotonic

import numpy as np

from hpcscan.answer.answer_record import AnswerRecord
from hpcscan.arrays import BoolArray, IntArray
from hpcscan.config.validated import Config
from hpcscan.dataset.inspection import outline_attributes
from hpcscan.dataset.provenance import attributes, computing_platform
from hpcscan.dataset.record_variables import refuse_clashes
from hpcscan.dataset.replacing import remove_leftovers
from hpcscan.dataset.writer import write_dataset
from hpcscan.errors import StorageError, UsageError
from hpcscan.fitting.records import PointResults, Status
from hpcscan.model.problem import Problem
from hpcscan.output.destination import Claim, journal_path
from hpcscan.output.identity import identity
from hpcscan.output.journal import Journal, JournalGoneError, Kind, Record, layout_of
from hpcscan.output.journal_header import Header, new_session
from hpcscan.output.journal_record import StoredRecord, implausibility
from hpcscan.output.resume import OTHERWISE, UNSUCCESSFUL, Past, Requirements
from hpcscan.scanning.guided_wave import Guided, GuidedWave
from hpcscan.table import RecordKind, RecordTable
from hpcscan.toys.toy_record import ToyRecord

logger = logging.getLogger(__name__)

#: Seconds between two unfinished files.
SAVE_INTERVAL = 300.0
#: Writing them takes at most this share of the time.
SAVE_SHARE = 0.02
#: Of a journal that is written again.
POINTS_PER_RECORD = 1000


@dataclass(frozen=True)
class Session:
    """One run of a scan, and the file that it is to write.

    Attributes
    ----------
    argv : tuple of str
        The command line.
    kinds : tuple of RecordKind
        What the run may record beside grid points.
    overwrite : bool
        Whether the user lets a file be replaced that appears at the output during the run.
    """

    config: Config
    model: Problem
    output: Path
    ranks: int
    mpi_library: str
    started: datetime
    argv: tuple[str, ...]
    kinds: tuple[RecordKind, ...] = ()
    overwrite: bool = False

    def blank(self) -> PointResults:
        """Account for all points before anything is known of them."""
        return PointResults.not_run(self.model, np.arange(self.config.grid.n_points), self.config.fit.n_starts)

    def wanted(self) -> Requirements:
        """Return what must agree with what lies at the output already."""
        layout = layout_of(PointResults.not_run(self.model, np.arange(0), self.config.fit.n_starts))
        return Requirements(identity(self.config), self.config.grid, layout, self.kinds)

    def facts(self) -> dict[str, str | int | float]:
        """Describe the run, for the attributes of a file."""
        return attributes(
            self.config,
            self.model,
            ranks=self.ranks,
            mpi_library=self.mpi_library,
            started=self.started,
            argv=self.argv,
        )


class Recorder:
    """Takes results as they arrive. Made by `recording`.

    Attributes
    ----------
    results : PointResults
        The whole grid.
    answer : AnswerRecord or None
        What the scan says, once it is known.
    toys : ToyRecord or None
        What toys say, likewise.
    """

    answer: AnswerRecord | None = None
    toys: ToyRecord | None = None

    def __init__(
        self,
        session: Session,
        header: Header,
        past: Past,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.results = session.blank()
        self._tables = [*past.tables]
        self._session, self._header = session, header
        self._earlier = _Earlier()
        self._kind = np.zeros(session.config.grid.n_points, np.int8)
        self._n_rows = np.zeros(session.config.grid.n_points, np.int64)
        self._claim = Claim(session.output, overwrite=session.overwrite)
        self._is_tried = past.standing(session.config.grid.n_points).is_tried
        # Read while the new journal is written, one record at a time.
        kept: Iterable[Record | RecordTable] = chain(map(self._kept, past.records), self._tables)
        self.journal = Journal.create(journal_path(session.output), header, kept)
        self._clock, self._next_save = clock, clock() + SAVE_INTERVAL

    def _kept(self, stored: StoredRecord) -> Record:
        """Read a record of an earlier session.

        Raises
        ------
        UsageError
            Where no session can have written it; the journal stays as it is.
        """
        record = Record(stored.kind, stored.read())
        if what := implausibility(record.results):
            raise UsageError(
                f"{stored.source.name}: the record at byte {stored.place:,} holds {what} that no fit leaves, so that "
                f"it cannot be continued; {OTHERWISE}"
            )
        # What waves have asked counts when they ask it again: bits follow from complete waves.
        was_asked = record.results.asked != 0
        if was_asked.any():
            self._earlier.add(record.kind, record.results)
        if not was_asked.all():
            self._put(record.kind, record.results.take(np.flatnonzero(~was_asked)))
        return record

    def _put(self, kind: Kind, part: PointResults) -> None:
        self._kind[part.point_index] = kind
        self._n_rows[part.point_index] = part.n_model_rows
        self.results.put(part)

    def begin_wave(self, wave: GuidedWave) -> tuple[BoolArray, list[PointResults]]:
        """Take what earlier sessions have kept of a wave.

        Returns
        -------
        is_todo : bool array, shape (n_rows,)
            Which rows of the wave are left.
        starts : list of PointResults
            Rows that are known, of points that are not whole.
        """
        # Whole points; the first wave asks nothing of those that a smaller grid had.
        is_open = (self.results.status == Status.NOT_RUN) | (wave.number > 0)
        points = np.unique(wave.points[is_open[wave.points]])
        for found, kind, part in self._earlier.find(wave.whole, points, are_starts=False):
            part.wave[:] = wave.number
            self._put(kind, part)
            is_open[found] = False
        # Single starts of the others.
        is_todo, starts = is_open[wave.points], []
        rows = np.flatnonzero(is_todo & wave.is_shared[wave.points])
        for found, _, part in self._earlier.find(wave.task, rows, are_starts=True):
            starts.append(part)
            is_todo[found] = False
        return is_todo, starts

    def keep_starts(self, part: PointResults) -> None:
        """Keep starts of points that have others in the same wave, whatever becomes of these.

        Raises
        ------
        StorageError
        """
        self._append(Record(Kind.STARTS, part))

    def add(self, part: PointResults) -> None:
        """Keep some points.

        Raises
        ------
        StorageError
            Where the journal cannot be written: then nothing that comes later would be safe.
        """
        self.results.put(part)
        self._n_rows[part.point_index] = part.n_model_rows
        # What failed twice is not tried a third time by the next --resume of an unfinished scan.
        has_failed_again = self._is_tried[part.point_index]
        if has_failed_again.any():
            has_failed_again &= np.isin(part.status, (Status.FAILED, Status.TIMED_OUT))
        for kind, chosen in ((Kind.FITTED, ~has_failed_again), (Kind.SETTLED, has_failed_again)):
            if chosen.any():
                self._kind[part.point_index[chosen]] = kind
                self._append(Record(kind, part if chosen.all() else part.take(np.flatnonzero(chosen))))

    def keep(self, part: RecordTable) -> None:
        """Keep some records of another kind.

        Raises
        ------
        StorageError
        """
        self._tables.append(part)
        self._append(part)

    def table(self, kind: RecordKind) -> RecordTable:
        """Return all records of a kind, in the order of their keys."""
        return RecordTable.joined(
            [RecordTable.empty(kind), *(part for part in self._tables if part.kind == kind)]
        ).ordered()

    def tick(self) -> None:
        """Do what is due from time to time."""
        with self._written_again():
            self.journal.tick()
        begin = self._clock()
        if begin >= self._next_save:
            self._save()
            now = self._clock()
            # A slow file system is written to less often.
            self._next_save = now + max(SAVE_INTERVAL, (now - begin) / SAVE_SHARE)

    def write(self, *, is_complete: bool) -> Path:
        """Write the result file, with points that are not known as `not_run`; return its place."""
        with self._written_again():
            self.journal.sync()
        # The journal is safe on the disk before a file says how far the scan is.
        facts = self._session.facts() | outline_attributes(
            self._header.session, self._header.identity, is_complete=is_complete
        )
        facts["history"] = "\n".join(self._header.history)
        session = self._session
        try:
            tables = [self.table(kind) for kind in session.kinds if kind.is_in_file]
            write_dataset(
                self._claim.place,
                session.config.grid,
                session.model,
                self.results,
                facts,
                tables=tables,
                answer=self.answer,
                toys=self.toys,
                choose=self._claim.choose,
            )
        except StorageError as error:
            raise StorageError(
                f"{error}; all points are safe in {self.journal.path}, continue with --resume"
            ) from error
        self._claim.settle()
        return self._claim.place

    def finish(self, *, keep_journal: bool) -> str:
        """Remove the journal of a scan whose file is complete, unless it is of use; return what became of it."""
        path = self.journal.path
        if np.isin(self.results.status, UNSUCCESSFUL).any():
            return f"{path} is kept: with --resume, the points that failed are tried again"
        if keep_journal:
            return f"{path} is kept: with --resume, the grid can grow"
        self.journal.remove()
        return f"{path} is removed; a grid that is to grow later needs it: run --keep-journal"

    def _append(self, record: Record | RecordTable) -> None:
        with self._written_again():
            self.journal.append(record)

    @contextmanager
    def _written_again(self) -> Iterator[None]:
        """Write the journal again from memory where it has gone."""
        try:
            yield
        except JournalGoneError as error:
            logger.warning("%s; it is written again", error)
            self.journal.close()
            self.journal = Journal.create(self.journal.path, self._header, chain(self._remembered(), self._tables))

    def _remembered(self) -> Iterator[Record]:
        """Return the points as their fits left them; those that were refitted since, at a cost, are computed again."""
        is_as_fitted = (self.results.repaired == 0) & (self.results.n_model_rows == self._n_rows)
        for kind in Kind:
            points = np.flatnonzero((self._kind == kind) & is_as_fitted)
            for first in range(0, len(points), POINTS_PER_RECORD):
                yield Record(kind, self.results.take(points[first : first + POINTS_PER_RECORD]))

    def _save(self) -> None:
        """Write an unfinished file; without one, the journal still has everything."""
        try:
            self.write(is_complete=False)
        except StorageError as error:
            logger.warning("%s; the scan goes on", error)


class _Earlier:
    """What earlier sessions have kept of waves, to be found by what is asked."""

    def __init__(self) -> None:
        self._parts: list[tuple[Kind, PointResults]] = []
        self._place: dict[tuple[int, int, bool], tuple[int, int]] = {}

    def add(self, kind: Kind, part: PointResults) -> None:
        """Add what was written together."""
        for row, (point, asked) in enumerate(zip(part.point_index.tolist(), part.asked.tolist(), strict=True)):
            self._place[point, asked, kind == Kind.STARTS] = len(self._parts), row
        self._parts.append((kind, part))

    def find(
        self, task_of: Callable[[IntArray], Guided], index: IntArray, *, are_starts: bool
    ) -> Iterator[tuple[IntArray, Kind, PointResults]]:
        """Find the answers to what is asked.

        Parameters
        ----------
        task_of : callable
            From some of the index, make the task that asks.
        are_starts : bool
            Whether it is about single starts, and not about whole points.

        Yields
        ------
        index : int array
            What has an answer.
        kind : Kind
        results : PointResults
        """
        found: dict[int, list[tuple[int, int]]] = {}
        # What is asked takes as much memory as the answers.
        for first in range(0, len(index) if self._parts else 0, POINTS_PER_RECORD):
            some = index[first : first + POINTS_PER_RECORD]
            task = task_of(some)
            for i, point, asked in zip(some.tolist(), task.points.tolist(), task.asked.tolist(), strict=True):
                if (place := self._place.get((point, asked, are_starts))) is not None:
                    found.setdefault(place[0], []).append((i, place[1]))
        for number, pairs in found.items():
            kind, part = self._parts[number]
            which, rows = np.array(pairs).T
            yield which, kind, part.take(rows)


@contextmanager
def recording(session: Session, past: Past) -> Iterator[Recorder]:
    """Begin the journal of a run with what is known, and close it at the end.

    Raises
    ------
    UsageError
        Where the model has names that kinds of records have, too.
    """
    refuse_clashes(session.config.grid, session.model, session.kinds)
    remove_leftovers(session.output)
    wanted, config = session.wanted(), session.config
    is_known = past.standing(config.grid.n_points).is_known
    # The new journal says what it is of, what it began with, and who has worked on it.
    header = Header(
        session=new_session(),
        identity=wanted.identity,
        grid=wanted.grid,
        layout=wanted.layout,
        config=config.resolved,
        started=session.started.timestamp(),
        n_kept=int(is_known.sum()),
        history=(*past.history, str(session.facts()["history"])),
        kinds={kind.name: kind.layout for kind in session.kinds},
        libraries=computing_platform(),
    )
    # Answer and toys followed from all points: where one is computed again they are, too.
    if not is_known.all():
        past = replace(past, tables=())
    recorder = Recorder(session, header, past)
    try:
        yield recorder
    finally:
        recorder.journal.close()
