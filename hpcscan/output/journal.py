"""The journal of a scan: every finished part is appended at once, so that no end of a run can take it away.

The file begins with its header, twice, and goes on with one frame for each record. It is made anew, aside, for each
session: so its records are numbered without a gap. A point is in it once; where it is fitted in waves, once for each
question that a wave has asked of it. Records are raw bytes, the same bit for bit when they are read; the columns of a
grid point follow from the fields of `PointResults`: a new field needs no line here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from enum import IntEnum
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcscan.dataset.replacing import replacing, write_failure
from hpcscan.errors import StorageError
from hpcscan.fitting.records import PointResults
from hpcscan.output.frames import HEADER, JournalFrame, key_of, write_frame
from hpcscan.output.journal_header import Header, header_bytes
from hpcscan.table import Column, Layout, RecordTable

Columns = Mapping[str, NDArray[Any]]

#: What is written survives the process at once, and the machine after so many seconds.
SYNC_INTERVAL = 1.0

#: A slow disk is waited for during at most this share of the time.
SYNC_SHARE = 0.05

#: Copies of the header: without one, no record can be read.
HEADER_COPIES = 2


def layout_of(results: PointResults) -> Layout:
    """Describe the arrays of some results."""
    return tuple(
        Column(name, values.dtype.newbyteorder("<").str, values.shape[1:])
        for name, values in columns_of(results).items()
    )


def record_bytes(layout: Layout) -> int:
    """Size of a packed record."""
    return sum(column.n_bytes for column in layout)


def pack(columns: Columns, layout: Layout) -> bytes:
    """Write all arrays one after another, each in C order.

    Raises
    ------
    ValueError
        Where they have another layout.
    """
    found = [(name, array.dtype, array.shape[1:]) for name, array in columns.items()]
    if found != [(column.name, column.native, column.shape) for column in layout]:
        raise ValueError("these results have other columns than the others")
    # Little-endian in the file, whatever the machine.
    pairs = zip(columns.values(), layout, strict=True)
    return b"".join([np.ascontiguousarray(array, column.stored).data for array, column in pairs])


def unpack(data: bytes | memoryview, layout: Layout, names: Iterable[str] | None = None) -> dict[str, NDArray[Any]]:
    """Read what `pack` wrote; only some columns where they are named.

    Raises
    ------
    ValueError
        Where the bytes are not a whole number of records.
    """
    n, rest = divmod(len(data), record_bytes(layout))
    if rest:
        raise ValueError(f"{len(data)} bytes are not a whole number of records of {record_bytes(layout)} bytes")
    wanted = {column.name for column in layout} if names is None else {*names}
    arrays, begin = {}, 0
    for column in layout:
        if column.name in wanted:
            values: NDArray[Any] = np.ndarray((n, *column.shape), column.stored, data, begin)
            # A copy, which may be changed.
            arrays[column.name] = values.astype(column.native)
        begin += n * column.n_bytes
    return arrays


def columns_of(results: PointResults) -> dict[str, NDArray[Any]]:
    """List all arrays of some results: ``field.key`` where a field is a mapping."""
    return dict(_columns(results))


def results_of(columns: Columns) -> PointResults:
    """Do the opposite of `columns_of`."""
    return PointResults(**{field.name: _field(field.name, columns) for field in fields(PointResults)})


def _columns(results: PointResults) -> Iterator[tuple[str, NDArray[Any]]]:
    for field in fields(results):
        value = getattr(results, field.name)
        if isinstance(value, np.ndarray):
            yield field.name, value
        else:
            yield from ((f"{field.name}.{key}", array) for key, array in value.items())


def _field(name: str, arrays: Columns) -> Any:
    if name in arrays:
        return arrays[name]
    prefix = f"{name}."
    return {key.removeprefix(prefix): array for key, array in arrays.items() if key.startswith(prefix)}


class Kind(IntEnum):
    """What a record of grid points holds; all have the same columns. Other kinds are numbered by the header."""

    #: Points as the first pass left them, whole blocks of this grid.
    FITTED = 1
    #: Points from a smaller grid of the same scan.
    TAKEN_OVER = 2
    #: Points that failed again when they were tried again: they stay so until the scan is complete.
    SETTLED = 3
    #: Some starts of points that have others in the same wave: alone they say nothing of how a point stands.
    STARTS = 4


@dataclass(frozen=True)
class Record:
    """Points that were written together."""

    kind: Kind
    results: PointResults


class JournalGoneError(StorageError):
    """The file was removed or emptied under the run that writes it; it can be written again."""


class Journal:
    """A journal that grows. Made by `Journal.create`; only rank 0 has one."""

    def __init__(self, path: Path, header: Header, descriptor: int, clock: Callable[[], float]) -> None:
        self.path = path
        self._header, self._key = header, key_of(header_bytes(header))
        self._descriptor, self._n_bytes, self._n_records = descriptor, 0, 0
        self._clock, self._last_sync, self._sync_seconds, self._is_dirty = clock, clock(), 0.0, False

    @classmethod
    def create(
        cls,
        path: Path,
        header: Header,
        records: Iterable[Record | RecordTable] = (),
        clock: Callable[[], float] = monotonic,
    ) -> Journal:
        """Write a journal with these records, aside, and put it in the place of an older one.

        Raises
        ------
        StorageError
        """
        try:
            with replacing(path) as temporary:
                # Every write goes to the end, and no child of the model's inherits the file.
                descriptor = os.open(
                    temporary, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666
                )
                journal = cls(path, header, descriptor, clock)
                # Twice, because nothing can be read without it.
                copy = write_frame(JournalFrame(0, HEADER, header_bytes(header)), journal._key)
                journal._write(copy * HEADER_COPIES)
                for record in records:
                    journal._put(record)
        except OSError as error:
            raise StorageError(write_failure(path, error, 0)) from error
        return journal

    def append(self, record: Record | RecordTable) -> None:
        """Write a record, whole or not at all.

        Raises
        ------
        StorageError
            What was written before stays readable.
        """
        try:
            self._put(record)
            self._is_dirty = True
            self.tick()
        except OSError as error:
            raise self._failure(error) from error

    def tick(self) -> None:
        """Bring to the disk what was written, if it is time for that."""
        if self._is_dirty and self._clock() - self._last_sync >= max(SYNC_INTERVAL, self._sync_seconds / SYNC_SHARE):
            self.sync()

    def sync(self) -> None:
        """Bring to the disk what was written, and make sure that it can be found there.

        Raises
        ------
        StorageError
            Among them `JournalGoneError`, where it cannot be found, or is empty.
        """
        begin = self._clock()
        try:
            os.fsync(self._descriptor)
            self._refuse_gone()
            # The file that this process holds may not be the one that has its name.
            is_in_place = self._is_in_place()
        except OSError as error:
            raise self._failure(error) from error
        if not is_in_place:
            raise StorageError(
                f"{self.path} has been replaced while this run was writing it; another run has taken over this output, "
                "let it finish, or start this one again with another output (-o)"
            )
        self._last_sync, self._is_dirty = self._clock(), False
        self._sync_seconds = self._last_sync - begin

    def _is_in_place(self) -> bool:
        return os.path.samestat(os.fstat(self._descriptor), self.path.stat())

    def _refuse_gone(self) -> None:
        """Notice that nothing is where the journal should be, or too little; another run would put its own there."""
        if not self.path.exists() and self.path.parent.is_dir():
            raise JournalGoneError(f"{self.path} was removed while this run was writing it")
        if self.path.stat().st_size == 0 or os.fstat(self._descriptor).st_size < self._n_bytes:
            raise JournalGoneError(f"{self.path} was emptied or cut while this run was writing it")

    def remove(self) -> None:
        """Remove the file, if it is still the one that this run has written."""
        with suppress(OSError):
            if self._is_in_place():
                Path(os.path.realpath(self.path)).unlink()

    def close(self) -> None:
        """Let go of the file, which stays."""
        os.close(self._descriptor)

    def _put(self, record: Record | RecordTable) -> None:
        number = self._n_records + 1
        if isinstance(record, RecordTable):
            kind, layout, columns = *self._header.number_and_layout(record.kind.name), record.columns
        else:
            kind, layout, columns = record.kind, self._header.layout, columns_of(record.results)
        self._write(write_frame(JournalFrame(number, kind, pack(columns, layout)), self._key))
        self._n_records = number

    def _write(self, data: bytes) -> None:
        """Write all of it, or leave the file as it was."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError:
            with suppress(OSError):
                # A full disk leaves half a record, which would stand in the way of the next one.
                os.ftruncate(self._descriptor, self._n_bytes)
            raise
        self._n_bytes += len(data)

    def _failure(self, error: OSError) -> StorageError:
        remedy = "; what it holds is safe, continue later with --resume" if self.path.exists() else ""
        return StorageError(write_failure(self.path, error, 0) + remedy)
