"""A record that is in a journal: what it is about is known, and its results are read when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np

from hpcscan.arrays import BoolArray, IntArray
from hpcscan.errors import StorageError
from hpcscan.fitting.records import UNKNOWN, UNTRIED, PointResults, Status
from hpcscan.output.frames import JournalFrame, read_frame
from hpcscan.output.journal import Kind, record_bytes, results_of, unpack
from hpcscan.output.journal_header import NEEDED
from hpcscan.table import Layout, RecordKind, RecordTable

_STATUSES, _SIDES = [int(status) for status in Status], [-1, 0, 1]


@dataclass(frozen=True)
class Source:
    """A journal to read from.

    Attributes
    ----------
    name : str
        Of the file, for messages.
    open : callable
        Opens it for reading.
    key : bytes
        Of its frames.
    layout : Layout
        Of its records of grid points.
    """

    name: str
    open: Callable[[], BinaryIO]
    key: bytes
    layout: Layout

    def payload(self, place: int) -> bytes:
        """Read the record that begins at this byte.

        Raises
        ------
        StorageError
            Where it is no longer there.
        """
        try:
            with self.open() as file:
                # Opened anew for each record: the file may have been replaced, and is checked again.
                frame = read_frame(file, place, self.key)
        except OSError as error:
            raise StorageError(f"cannot read the journal {self.name}: {error.strerror or error}") from error
        if frame is None:
            raise StorageError(
                f"{self.name}: the record at byte {place:,} was sound a moment ago and is not now; see who else writes "
                "to this file, or what is wrong with the disk, and start this run again with --resume"
            )
        return frame.payload


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """Points that were written together, or some of them.

    Attributes
    ----------
    point_index, status, wave, asked : int array, shape (n,)
    rows : int array, shape (n,), or None
        The points, by their place in the record; None for all.
    place : int
        Where it begins.
    """

    kind: Kind
    point_index: IntArray
    status: IntArray
    wave: IntArray
    asked: IntArray
    rows: IntArray | None
    place: int
    source: Source

    @classmethod
    def of(cls, frame: JournalFrame, source: Source) -> StoredRecord:
        """Note what a frame holds.

        Raises
        ------
        ValueError
            Where it is not a record.
        """
        kind, about = Kind(frame.kind), unpack(frame.payload, source.layout, [column.name for column in NEEDED])
        return cls(kind=kind, **about, rows=None, place=frame.place, source=source)

    @property
    def n_points(self) -> int:
        """Number of points."""
        return len(self.point_index)

    def read(self) -> PointResults:
        """Read the results of the points.

        Raises
        ------
        StorageError
        """
        results = results_of(unpack(self.source.payload(self.place), self.source.layout))
        chosen = results if self.rows is None else results.take(self.rows)
        return replace(chosen, point_index=self.point_index, asked=self.asked)

    def take(self, rows: IntArray) -> StoredRecord:
        """Select points."""
        of_record = rows if self.rows is None else self.rows[rows]
        about = {column.name: getattr(self, column.name)[rows] for column in NEEDED}
        return replace(self, **about, rows=of_record)

    def taken_over(self, point_index: IntArray) -> StoredRecord:
        """Renumber the points as on another grid, on which nothing was asked of them yet."""
        index = np.asarray(point_index, np.int64)
        return replace(self, kind=Kind.TAKEN_OVER, point_index=index, asked=np.zeros_like(index))


@dataclass(frozen=True, eq=False)
class Latest:
    """How the points of a grid stand by their latest records.

    Attributes
    ----------
    status : int array, shape (n_points,)
        `NOT_RUN` where no record tells of a whole point.
    is_settled : bool array, shape (n_points,)
        Whether they stay as they are until the scan is complete: where they failed again, and where waves ask more.
    record : int array, shape (n_points,)
        The number of the record among all; −1 where there is none.
    n_starts : int array, shape (n_points,)
        Starts that were run since, and wait for others.
    """

    status: IntArray
    is_settled: BoolArray
    record: IntArray
    n_starts: IntArray

    @property
    def is_whole(self) -> BoolArray:
        """Whether points are known."""
        return np.asarray(self.record >= 0)

    @classmethod
    def of(cls, records: Sequence[StoredRecord], n_points: int) -> Latest:
        """Find the latest record of every point."""
        wave = np.full(n_points, UNKNOWN - 1)
        status, is_settled = np.full(n_points, Status.NOT_RUN, np.int8), np.zeros(n_points, bool)
        found = cls(status, is_settled, np.full(n_points, -1), np.zeros(n_points, np.int64))
        for number, record in enumerate(records):
            if record.kind == Kind.STARTS:
                continue
            # By waves: what was lost of an early one is written again after later ones.
            number_of_wave = np.full_like(record.wave, UNKNOWN) if record.kind == Kind.TAKEN_OVER else record.wave
            rows = np.flatnonzero(number_of_wave >= wave[record.point_index])
            points = record.point_index[rows]
            wave[points], found.status[points], found.record[points] = number_of_wave[rows], record.status[rows], number
            found.is_settled[points] = (record.kind == Kind.SETTLED) | (record.asked[rows] != 0)
        for record in records:
            if record.kind == Kind.STARTS:
                np.add.at(found.n_starts, record.point_index, record.wave > wave[record.point_index])
        return found


@dataclass(frozen=True, slots=True)
class StoredTable:
    """Records of another kind that were written together.

    Attributes
    ----------
    place : int
        Where they begin.
    """

    kind: str
    layout: Layout
    place: int
    source: Source

    @classmethod
    def of(cls, frame: JournalFrame, kind: str, layout: Layout, source: Source) -> StoredTable:
        """Note what a frame holds.

        Raises
        ------
        ValueError
            Where it is not a whole number of records.
        """
        if len(frame.payload) % record_bytes(layout):
            raise ValueError(f"{len(frame.payload)} bytes are not a whole number of records of kind {kind!r}")
        return cls(kind, layout, frame.place, source)

    def read(self, kind: RecordKind) -> RecordTable:
        """Read the records.

        Parameters
        ----------
        kind : RecordKind
            With this name and layout.

        Raises
        ------
        StorageError
        """
        return RecordTable(kind, unpack(self.source.payload(self.place), self.layout))


def implausibility(results: PointResults) -> str:
    """Return the first thing that no fit leaves; nothing where there is none."""
    fitted = np.isfinite(results.chi2)
    counts = np.stack([results.n_starts, results.n_starts_converged, results.n_starts_at_minimum])
    with np.errstate(all="ignore"):
        rules = {
            "a status": np.isin(results.start_status, _STATUSES).all(),
            "a side of a bound": np.isin(results.at_bound, _SIDES).all(),
            "a mark of repair": np.isin(results.repaired, [0, 1, UNTRIED]).all(),
            "a number of starts": ((counts >= 0) & (counts <= results.start_chi2.shape[1])).all(),
            "a number of evaluations": all(
                (counts >= 0).all() for counts in (results.n_model_rows, results.n_evaluations, results.n_iterations)
            ),
            "a number of directions": (results.n_flat_directions >= UNKNOWN).all(),
            "a number of axes": (results.n_determined_axes >= UNKNOWN).all(),
            "a chi2": not np.isinf(results.chi2).any(),
            "a minimum": np.isfinite(results.profiled_parameter[fitted]).all(),
            "a multiplier": ((results.at_bound != 0) | ~(np.abs(results.bound_multiplier) > 0)).all(),
        }
    return next((name for name, is_kept in rules.items() if not is_kept), "")
