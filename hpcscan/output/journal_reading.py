"""Reading a journal, whatever has happened to it: what is not beyond doubt is told and left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

import numpy as np

from hpcscan.arrays import BoolArray
from hpcscan.errors import UsageError
from hpcscan.fitting.records import Status
from hpcscan.output.frames import HEADER, Damage, JournalFrame, key_of, read_frames
from hpcscan.output.journal_header import Header, read_header
from hpcscan.output.journal_record import Source, StoredRecord, StoredTable

#: A file of which nothing is right would have as many as it has records.
MOST_PROBLEMS = 20
#: What a journal knows of a point.
_STATUSES = [int(status) for status in Status if status != Status.NOT_RUN]


@dataclass(frozen=True)
class Contents:
    """What a journal holds.

    Attributes
    ----------
    header : Header or None
        None where neither copy is readable: then nothing is.
    records : tuple of StoredRecord
        Those beyond doubt, in the order in which they were written; no point is in two of them.
    problems : tuple of str
        What is wrong with the others, in words.
    tables : tuple of StoredTable
        Records of other kinds, likewise.
    is_torn : bool
        Whether the last record was cut off while it was written: as it is when a run is killed, or still goes on.
    """

    header: Header | None
    records: tuple[StoredRecord, ...]
    problems: tuple[str, ...]
    is_torn: bool = False
    tables: tuple[StoredTable, ...] = ()


@dataclass(frozen=True, slots=True)
class _Entry:
    """A frame as it was found: the record in it, or what is wrong with it; neither in a header."""

    sequence: int
    record: StoredRecord | StoredTable | None = None
    problem: str = ""

    @property
    def is_header(self) -> bool:
        return self.record is None and not self.problem


def read_journal(path: Path) -> Contents:
    """Read a journal; that of a running scan, too.

    Raises
    ------
    UsageError
        Where the file cannot be opened, or another version of the program wrote it.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        # Opening a pipe would wait for whoever writes to it.
        raise UsageError(f"cannot read the journal {path}: it is not a regular file; move it away")
    try:
        return _read(lambda: path.open("rb"), str(path))
    except OSError as error:
        raise UsageError(f"cannot read the journal {path}: {error.strerror or error}") from error


def parse_journal(data: bytes, name: str) -> Contents:
    """Do the same for bytes, as if they were the file with this name."""
    return _read(partial(BytesIO, data), name)


def _read(opened: Callable[[], BinaryIO], name: str) -> Contents:
    with opened() as file:
        # The header tells the key of the checksums, and so comes first; one copy of two suffices.
        payload = _header_payload(file)
        if payload is None:
            return Contents(None, (), ("its header is damaged, so that none of its points can be used",))
        header = read_header(payload, name)
        source = Source(name, opened, key_of(payload), header.layout)
        items = [
            item if isinstance(item, Damage) else _entry(item, source, header) for item in read_frames(file, source.key)
        ]
    # Damaged bytes, frames out of their order, and points that cannot be: all are left out, and told.
    damages = [item for item in items if isinstance(item, Damage)]
    entries, problems = _in_place([item for item in items if isinstance(item, _Entry) and not item.is_header])
    records, unusable = _usable(entries, header)
    # Where bytes are damaged, missing numbers are no news.
    gaps = [] if damages else _gaps(items)
    told = _shortened([*map(_describe, damages), *problems, *gaps, *unusable])
    points = tuple(one for one in records if isinstance(one, StoredRecord))
    tables = tuple(one for one in records if isinstance(one, StoredTable))
    return Contents(header, points, told, any(damage.is_torn for damage in damages), tables)


def _header_payload(file: BinaryIO) -> bytes | None:
    frames = (item for item in read_frames(file, b"") if isinstance(item, JournalFrame))
    return next((frame.payload for frame in frames if frame.kind == HEADER), None)


def _entry(frame: JournalFrame, source: Source, header: Header) -> _Entry:
    if frame.kind == HEADER:
        return _Entry(frame.sequence)
    try:
        if (kind := header.kind_of(frame.kind)) is not None:
            return _Entry(frame.sequence, StoredTable.of(frame, kind, header.kinds[kind], source))
        return _Entry(frame.sequence, StoredRecord.of(frame, source))
    except ValueError as error:
        return _Entry(frame.sequence, problem=str(error))


def _shortened(problems: Sequence[str]) -> tuple[str, ...]:
    """Return the first problems and the number of the others."""
    more = len(problems) - MOST_PROBLEMS
    return (*problems[:MOST_PROBLEMS], *([f"and {more:,} more like these"] if more > 0 else []))


def _describe(damage: Damage) -> str:
    if damage.is_torn:
        return f"the last record was cut off while it was written, at byte {damage.stop:,}"
    return f"bytes {damage.first:,} to {damage.stop:,} are damaged"


def _in_place(entries: Sequence[_Entry]) -> tuple[list[_Entry], list[str]]:
    """Leave out second copies, and frames that do not stand between their neighbours in number."""
    # The first of equal numbers stays.
    once = {entry.sequence: entry for entry in reversed(entries)}
    first = [entry for entry in entries if once[entry.sequence] is entry]
    repeated = {entry.sequence for entry in entries if once[entry.sequence] is not entry}
    numbers = np.array([entry.sequence for entry in first], np.uint64)
    # In place is what has no larger number before it and no smaller one behind it.
    rises = numbers == np.maximum.accumulate(numbers)
    stays_below = numbers == np.minimum.accumulate(numbers[::-1])[::-1]
    kept = [entry for entry, is_in_place in zip(first, rises & stays_below, strict=True) if is_in_place]
    problems = [f"record {number} is there more than once; the first is used" for number in sorted(repeated)]
    problems += [f"record {number} is out of order" for number in numbers[~(rises & stays_below)]]
    return kept, problems


def _gaps(items: Sequence[_Entry | Damage]) -> Iterator[str]:
    """List the numbers that are missing where nothing is damaged."""
    numbers = sorted({0} | {item.sequence for item in items if isinstance(item, _Entry)})
    for before, after in pairwise(numbers):
        if after > before + 1:
            first, last = before + 1, after - 1
            yield f"record {first} is missing" if first == last else f"records {first} to {last} are missing"


def _usable(entries: Sequence[_Entry], header: Header) -> tuple[list[StoredRecord | StoredTable], list[str]]:
    """Leave out records whose points cannot be."""
    records: list[StoredRecord | StoredTable] = []
    problems = []
    seen = np.zeros(header.grid.n_points, bool)
    for entry in entries:
        problem = _mark(entry.record, seen) if isinstance(entry.record, StoredRecord) else entry.problem
        if problem:
            problems.append(f"record {entry.sequence}: {problem}")
        elif entry.record is not None:
            records.append(entry.record)
    return records, problems


def _mark(record: StoredRecord, seen: BoolArray) -> str:
    """Note points as seen; return what is wrong where one cannot be, or has been seen before."""
    point_index = record.point_index
    is_possible = (point_index >= 0) & (point_index < len(seen))
    if not is_possible.all() or seen[point_index].any() or len(np.unique(point_index)) < len(point_index):
        return "its points are not on the grid, or in another record too"
    if not np.isin(record.status, _STATUSES).all():
        return "it holds a status that no point has"
    seen[point_index] = True
    return ""
