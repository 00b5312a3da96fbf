"""Reading a journal, whatever has happened to it: what is not beyond doubt is told and left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

import numpy as np

from hpcscan.errors import UsageError
from hpcscan.fitting.records import Status
from hpcscan.output.frames import HEADER, Damage, JournalFrame, key_of, read_frames
from hpcscan.output.journal import Kind
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
        Those beyond doubt, in the order in which they were written; no two have the same point, asked the same.
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
    problem = {entry.sequence: _problem(entry, header.grid.n_points) for entry in entries}
    possible = [entry for entry in entries if not problem[entry.sequence]]
    points = {entry.sequence: entry.record for entry in possible if isinstance(entry.record, StoredRecord)}
    problem |= dict.fromkeys(_repeated(points), "it has points that are there already")
    records = [entry.record for entry in entries if entry.record is not None and not problem[entry.sequence]]
    return records, [f"record {number}: {what}" for number, what in problem.items() if what]


def _problem(entry: _Entry, n_points: int) -> str:
    """Return what is wrong with a record of points, whatever the others are."""
    if not isinstance(entry.record, StoredRecord):
        return entry.problem
    if not ((entry.record.point_index >= 0) & (entry.record.point_index < n_points)).all():
        return "its points are not on the grid"
    return "" if np.isin(entry.record.status, _STATUSES).all() else "it holds a status that no point has"


def _repeated(records: Mapping[int, StoredRecord]) -> list[int]:
    """Return the numbers of records with a point that was asked the same in an earlier one."""
    if not records:
        return []
    # Whole points and single starts are asked apart.
    keys = [
        (record.point_index, record.asked, np.full(record.n_points, record.kind == Kind.STARTS))
        for record in records.values()
    ]
    point, asked, is_start = (np.concatenate(columns) for columns in zip(*keys, strict=True))
    number = np.repeat(np.array([*records], np.uint64), [record.n_points for record in records.values()])
    order = np.lexsort((number, is_start, asked, point))
    is_again = [values[order][1:] == values[order][:-1] for values in (point, asked, is_start)]
    return sorted({*number[order][1:][np.logical_and.reduce(is_again)].tolist()})
