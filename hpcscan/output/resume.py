"""What earlier sessions of a scan left at its output, and what of it a run may keep."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hpcscan.arrays import BoolArray, IntArray
from hpcscan.dataset.inspection import Identity, Outline, read_outline
from hpcscan.errors import UsageError
from hpcscan.fitting.records import Status
from hpcscan.grid import Grid
from hpcscan.output.destination import journal_path
from hpcscan.output.identity import differences
from hpcscan.output.journal_header import Header
from hpcscan.output.journal_reading import Contents, read_journal
from hpcscan.output.journal_record import Latest, StoredRecord
from hpcscan.scanning.chunks import ScanState
from hpcscan.scanning.lattice import index_in, missing_values
from hpcscan.table import Layout, RecordKind, RecordTable, put_together
from hpcscan.version import __version__

OTHERWISE = "start over with --overwrite, or choose another output with -o"
#: Points that are tried again.
UNSUCCESSFUL = (Status.FAILED, Status.TIMED_OUT)


@dataclass(frozen=True)
class Requirements:
    """What a configuration asks for, as far as it decides what can be kept."""

    identity: Identity
    grid: Grid
    layout: Layout
    kinds: tuple[RecordKind, ...] = ()


@dataclass(frozen=True)
class Past:
    """What a run begins with.

    Attributes
    ----------
    records : tuple of StoredRecord
        What is known of points, numbered as on the grid of this run.
    tried : tuple of int
        Points that failed before and are not among them, so that they are tried again.
    history : tuple of str
        One line for each earlier session.
    warnings : tuple of str
        What was wrong with it.
    finished : int array or None
        Status of every point, where the scan is complete and nothing is left to do.
    tables : tuple of RecordTable
        Records of other kinds, one table for each that has some. They followed from all points of the grid, and so
        count where no point is computed again.
    libraries : str
        What computed the points.
    """

    records: tuple[StoredRecord, ...] = ()
    tried: tuple[int, ...] = ()
    history: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    finished: IntArray | None = None
    tables: tuple[RecordTable, ...] = ()
    libraries: str = ""

    def standing(self, n_points: int) -> ScanState:
        """Mark the points of the grid."""
        standing = ScanState.fresh(n_points)
        standing.is_known[:] = self.latest(n_points).is_whole
        standing.is_tried[list(self.tried)] = True
        return standing

    def latest(self, n_points: int) -> Latest:
        """Return how the points of the grid stand."""
        return Latest.of(self.records, n_points)


def look_back(output: Path, wanted: Requirements, *, resume: bool, overwrite: bool) -> Past:
    """Find out what a run can keep of what lies at its output.

    Parameters
    ----------
    resume, overwrite : bool
        What the user allows.

    Raises
    ------
    UsageError
        Where there is something that the user did not speak of, or that cannot be continued.
    """
    journal = journal_path(output)
    if overwrite or not (output.exists() or journal.exists()):
        return Past()
    refuse_existing(output, resume=resume, overwrite=overwrite)
    result = read_outline(output) if output.exists() else None
    contents = read_journal(journal) if journal.exists() else None
    header = contents.header if contents else None
    # A journal that was begun after the result was written is of a scan that was begun again.
    if result and result.is_complete and (header is None or header.session == result.session):
        return _after_its_end(output, result, contents, wanted)
    if contents is None:
        raise UsageError(f"output {output}: is unfinished, and its journal {journal} is missing; {OTHERWISE}")
    return _continued(output, contents, wanted)


def n_kept(records: Sequence[StoredRecord], n_points: int) -> int:
    """Count the fits that an unfinished scan keeps when it is resumed: of each point one, or one for every wave."""
    is_lost = _has_failed(Latest.of(records, n_points))
    return sum(int(np.count_nonzero(~is_lost[record.point_index])) for record in records)


def refuse_existing(output: Path, *, resume: bool, overwrite: bool) -> None:
    """Raise `UsageError` if the output exists and neither --resume nor --overwrite was given."""
    if not (overwrite or resume) and (output.exists() or journal_path(output).exists()):
        raise UsageError(_unspoken_of(output))


def _unspoken_of(output: Path) -> str:
    try:
        is_finished = output.exists() and read_outline(output).is_complete
    # What cannot be read is somebody else's, and to be treated as finished.
    except UsageError:
        is_finished = True
    if is_finished:
        return f"output {output}: exists; replace it with --overwrite, or choose another with -o"
    return f"output {output}: is unfinished; continue it with --resume, {OTHERWISE}"


def _after_its_end(output: Path, result: Outline, contents: Contents | None, wanted: Requirements) -> Past:
    """Resume a finished scan: its grid may have grown, and what failed is tried again; else nothing is left to do."""
    _refuse_another(output, result.identity, wanted)
    has_failed = bool(np.isin(result.status, UNSUCCESSFUL).any())
    # Only the journal has points with all that a fit has left; the file is for readers.
    has_journal = contents is not None and contents.header is not None
    is_whole = result.grid == wanted.grid
    if is_whole and not (has_failed and has_journal):
        return Past(finished=result.status)
    if contents is None or not has_journal:
        journal = journal_path(output)
        raise UsageError(
            f"output {output}: is complete and cannot grow, because {journal} is missing or damaged: it is kept where "
            f"a scan is run with --keep-journal; {OTHERWISE}"
        )
    return _continued(output, contents, wanted, is_finished=True)


def _continued(output: Path, contents: Contents, wanted: Requirements, *, is_finished: bool = False) -> Past:
    """Keep what a journal holds, except what failed."""
    header = contents.header
    if header is None:
        return _begin_again(journal_path(output))
    # From the plainest reason to the rarest: each message may rely on what was checked before it.
    _refuse_another(output, header.identity, wanted)
    _refuse_another_layout(output, header, wanted)
    _refuse_other_kinds(output, header, wanted)
    _refuse_smaller(output, header.grid, wanted.grid)
    has_grown = header.grid != wanted.grid
    # What is settled stays so while a scan goes on; a finished or grown one tries everything again.
    latest = Latest.of(contents.records, header.grid.n_points)
    has_failed = _has_failed(latest, tries_all=is_finished or has_grown)
    failed: IntArray = np.flatnonzero(has_failed)
    if has_grown:
        index = index_in(header.grid, wanted.grid)
        kept, failed = tuple(_taken_over(contents.records, latest, has_failed, index)), index[failed]
    else:
        kept = tuple(_selected(contents.records, has_failed))
    return Past(
        kept,
        tuple(failed.tolist()),
        header.history,
        tuple(_remarks(output, contents, header)),
        tables=() if has_grown else _tables(contents, wanted),
        libraries=header.libraries,
    )


def _tables(contents: Contents, wanted: Requirements) -> tuple[RecordTable, ...]:
    """Read the records of other kinds."""
    kinds = {kind.name: kind for kind in wanted.kinds}
    return tuple(put_together(stored.read(kinds[stored.kind]) for stored in contents.tables).values())


def _begin_again(journal: Path) -> Past:
    """Keep a journal of which nothing can be read, under another name: somebody may want to look at it."""
    damaged = journal.with_name(f"{journal.name}.damaged")
    journal.replace(damaged)
    return Past(warnings=(f"{journal}: its header is damaged; all is computed again, and it is now {damaged}",))


def _remarks(output: Path, contents: Contents, header: Header) -> Iterator[str]:
    for problem in contents.problems:
        yield f"{journal_path(output)}: {problem}; what is lost is computed again"
    if header.program != __version__:
        yield f"begun with hpcscan {header.program}, continued with {__version__}"


def _has_failed(latest: Latest, *, tries_all: bool = False) -> BoolArray:
    """Mark the points that are tried again: all that failed, or those that are not settled."""
    return np.isin(latest.status, UNSUCCESSFUL) & (tries_all | ~latest.is_settled)


def _selected(records: Iterable[StoredRecord], is_lost: BoolArray) -> Iterator[StoredRecord]:
    """Leave some points out of every record; a record without any is left out."""
    for record in records:
        is_kept = ~is_lost[record.point_index]
        if is_kept.any():
            yield record if is_kept.all() else record.take(np.flatnonzero(is_kept))


def _taken_over(
    records: Sequence[StoredRecord], latest: Latest, is_lost: BoolArray, index: IntArray
) -> Iterator[StoredRecord]:
    """Renumber points, as they stand, as on a grid that has grown."""
    for number, record in enumerate(records):
        points = record.point_index
        rows = np.flatnonzero((latest.record[points] == number) & ~is_lost[points])
        if len(rows):
            yield record.take(rows).taken_over(index[points[rows]])


def _refuse_another(output: Path, identity: Identity, wanted: Requirements) -> None:
    different = differences(identity, wanted.identity)
    if different:
        what = "\n".join(f"  {line}" for line in different)
        raise UsageError(f"output {output}: was begun with another model or fit, and cannot go on; {OTHERWISE}\n{what}")


def _refuse_another_layout(output: Path, header: Header, wanted: Requirements) -> None:
    """Refuse a journal whose records hold other things; other versions of the program may write such."""
    if header.layout != wanted.layout:
        raise UsageError(
            f"output {output}: its journal was written by hpcscan {header.program} and has other columns than this "
            f"version, {__version__}, writes; continue with that one, {OTHERWISE}"
        )


def _refuse_other_kinds(output: Path, header: Header, wanted: Requirements) -> None:
    """Refuse a journal with kinds of records that this program does not know: they would be lost."""
    known = {kind.name: kind.layout for kind in wanted.kinds}
    unknown = [name for name, layout in header.kinds.items() if known.get(name) != layout]
    if unknown:
        raise UsageError(
            f"output {output}: its journal was written by hpcscan {header.program} and may hold records of the kind "
            f"{', '.join(map(repr, unknown))}, which this version, {__version__}, does not know so; continue "
            f"with that one, {OTHERWISE}"
        )


def _refuse_smaller(output: Path, old: Grid, new: Grid) -> None:
    missing = missing_values(old, new)
    if missing:
        what = "; ".join(f"scan.{axis} lacks {_listed(values)}" for axis, values in missing.items())
        raise UsageError(
            f"output {output}: a scan may grow, but its grid must keep the values it has, and {what}; "
            f"add them to the axis, {OTHERWISE}"
        )


def _listed(values: tuple[float, ...]) -> str:
    """List some numbers; the first few of many."""
    more = f" and {len(values) - 5} more" if len(values) > 5 else ""
    return ", ".join(f"{value:.12g}" for value in values[:5]) + more
