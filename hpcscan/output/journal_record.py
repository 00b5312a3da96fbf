"""A record that is in a journal: what it is about is known, and its results are read when they are asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np

from hpcscan.arrays import IntArray
from hpcscan.errors import StorageError
from hpcscan.fitting.records import UNKNOWN, UNTRIED, PointResults, Status
from hpcscan.output.frames import JournalFrame, read_frame
from hpcscan.output.journal import Kind, record_bytes, results_of, unpack
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
    point_index, status : int array, shape (n,)
    rows : int array, shape (n,), or None
        The points, by their place in the record; None for all.
    place : int
        Where it begins.
    """

    kind: Kind
    point_index: IntArray
    status: IntArray
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
        kind, about = Kind(frame.kind), unpack(frame.payload, source.layout, ("point_index", "status"))
        return cls(kind, about["point_index"], about["status"], None, frame.place, source)

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
        return replace(chosen, point_index=self.point_index)

    def take(self, rows: IntArray) -> StoredRecord:
        """Select points."""
        of_record = rows if self.rows is None else self.rows[rows]
        return replace(self, point_index=self.point_index[rows], status=self.status[rows], rows=of_record)

    def taken_over(self, point_index: IntArray) -> StoredRecord:
        """Renumber the points as on another grid."""
        return replace(self, kind=Kind.TAKEN_OVER, point_index=np.asarray(point_index, np.int64))


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
