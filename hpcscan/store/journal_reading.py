"""Reading a journal, whatever has happened to it: what is not beyond doubt is told and left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from hpcscan.errors import UsageError
from hpcscan.store.frames import HEADER, Damage, Frame, key_of, read_frames
from hpcscan.store.journal import Kind, Record
from hpcscan.store.journal_header import Header, read_header
from hpcscan.store.packing import unpack


@dataclass(frozen=True)
class Contents:
    """What a journal holds.

    Attributes
    ----------
    header : Header or None
        None where neither copy is readable: then nothing is.
    records : tuple of Record
        Those beyond doubt, in the order in which they were written; no point is in two of them.
    problems : tuple of str
        What is wrong with the others, in words.
    is_torn : bool
        Whether the last record was cut off while it was written: as it is when a run is killed, or still goes on.
    """

    header: Header | None
    records: tuple[Record, ...]
    problems: tuple[str, ...]
    is_torn: bool = False


def read_journal(path: Path) -> Contents:
    """Read a journal; that of a running scan, too.

    Raises
    ------
    UsageError
        Where the file cannot be opened, or another version of the program wrote it.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read the journal {path}: {error.strerror or error}") from error
    return parse_journal(data, str(path))


def parse_journal(data: bytes, name: str) -> Contents:
    """Do the same for bytes, as if they were the file with this name."""
    payload = _header_payload(data)
    if payload is None:
        return Contents(None, (), ("its header is damaged, so that none of its points can be used",))
    header = read_header(payload, name)
    items = list(read_frames(data, key_of(payload)))
    damages = [item for item in items if isinstance(item, Damage)]
    frames, problems = _in_place([item for item in items if isinstance(item, Frame) and item.kind != HEADER])
    records, unusable = _usable(frames, header)
    gaps = [] if damages else _gaps(items)
    told = (*map(_describe, damages), *problems, *gaps, *unusable)
    return Contents(header, tuple(records), told, any(damage.is_torn for damage in damages))


def _header_payload(data: bytes) -> bytes | None:
    intact = (item for item in read_frames(data, b"") if isinstance(item, Frame) and item.kind == HEADER)
    first = next(intact, None)
    return None if first is None else bytes(first.payload)


def _describe(damage: Damage) -> str:
    if damage.is_torn:
        return f"the last record was cut off while it was written, at byte {damage.stop:,}"
    return f"bytes {damage.first:,} to {damage.stop:,} are damaged"


def _in_place(frames: Sequence[Frame]) -> tuple[list[Frame], list[str]]:
    """Leave out second copies, and frames that do not stand between their neighbours in number."""
    once = {frame.sequence: frame for frame in reversed(frames)}
    first = [frame for frame in frames if once[frame.sequence] is frame]
    repeated = {frame.sequence for frame in frames if once[frame.sequence] is not frame}
    numbers = np.array([frame.sequence for frame in first], np.uint64)
    rises = numbers == np.maximum.accumulate(numbers)
    stays_below = numbers == np.minimum.accumulate(numbers[::-1])[::-1]
    kept = [frame for frame, is_in_place in zip(first, rises & stays_below, strict=True) if is_in_place]
    problems = [f"record {number} is there more than once; the first is used" for number in sorted(repeated)]
    problems += [f"record {number} is out of order" for number in numbers[~(rises & stays_below)]]
    return kept, problems


def _gaps(items: Sequence[Frame | Damage]) -> Iterator[str]:
    """Name the numbers that are missing where nothing is damaged."""
    numbers = sorted({0} | {item.sequence for item in items if isinstance(item, Frame)})
    for before, after in pairwise(numbers):
        if after > before + 1:
            first, last = before + 1, after - 1
            yield f"record {first} is missing" if first == last else f"records {first} to {last} are missing"


def _usable(frames: Sequence[Frame], header: Header) -> tuple[list[Record], list[str]]:
    """Unpack the records, and leave out those whose points cannot be."""
    records, problems = [], []
    seen = np.zeros(header.grid.n_points, bool)
    for frame in frames:
        try:
            record = Record(Kind(frame.kind), unpack(frame.payload, header.layout))
            _mark(record.results.point_index, seen)
        except ValueError as error:
            problems.append(f"record {frame.sequence}: {error}")
        else:
            records.append(record)
    return records, problems


def _mark(point_index: np.ndarray, seen: np.ndarray) -> None:
    """Note points as seen; refuse them where one cannot be, or has been seen before."""
    is_possible = (point_index >= 0) & (point_index < len(seen))
    if not is_possible.all() or seen[point_index].any() or len({*point_index.tolist()}) < len(point_index):
        raise ValueError("its points are not on the grid, or in another record too")
    seen[point_index] = True
