"""`hpcscan status`: how far a scan is, read from what it writes while it goes on; nothing is locked or changed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from time import time

import numpy as np

from hpcscan.arrays import IntArray
from hpcscan.dataset.inspection import Outline, read_outline
from hpcscan.errors import Exit, UsageError
from hpcscan.fitting.records import Status
from hpcscan.output.destination import is_there, journal_path, lock_path, toy_journal_path
from hpcscan.output.journal_header import Header
from hpcscan.output.journal_reading import Contents, read_journal
from hpcscan.output.journal_record import Latest
from hpcscan.output.lock import Lock, read_lock
from hpcscan.output.resume import n_kept
from hpcscan.words.numbers import count, duration, rate
from hpcscan.words.tables import facts


def status(path: str) -> tuple[str, int]:
    """Describe the scan whose result is, or will be, at a path.

    Returns
    -------
    text : str
    exit_code : int
        That of the finished scan; `Exit.EARLY` while it is unfinished, whether it runs or not.

    Raises
    ------
    UsageError
        Where there is no scan.
    """
    output = _output(path)
    journal = journal_path(output)
    result = read_outline(output) if is_there(output) else None
    contents = read_journal(journal) if is_there(journal) else None
    lock = read_lock(lock_path(output))
    is_running = lock is not None and not lock.is_stale()
    if result and result.is_complete and not _is_newer(contents, result):
        rows = [("scan", f"{output} is complete"), *_counts(result.status), *_toys(output, is_running=is_running)]
        return facts(rows), _exit_code(result.status)
    if contents is None or contents.header is None:
        raise UsageError(_nothing(output, contents, lock if is_running else None))
    state = f"running: {lock.owner}" if lock and is_running else "interrupted; continue it with --resume"
    latest = Latest.of(contents.records, contents.header.grid.n_points)
    known, n_starts = latest.status, int(latest.n_starts.sum())
    begun = f"{count(n_starts, 'start')} of {count(int((latest.n_starts > 0).sum()), 'point')} with more to come"
    rows = [
        ("scan", f"{output} is {state}"),
        *_counts(known),
        *([("begun", begun)] if n_starts else []),
        *_speed(contents.header, known, journal, is_running=is_running),
    ]
    return facts([*rows, *_damage(contents, is_running=is_running)]), Exit.EARLY


def n_finished(path: str) -> int:
    """Count the fits of a scan that need not be done again; none where there is no scan.

    A point has one, or one for every wave and start. The number rises from one attempt at a scan to the next, unless
    the attempt was in vain: points that failed are counted once they have failed a second time.
    """
    output = _output(path)
    journal = journal_path(output)
    contents = read_journal(journal) if is_there(journal) else None
    if contents and contents.header:
        return n_kept(contents.records, contents.header.grid.n_points)
    result = read_outline(output) if is_there(output) else None
    return int(np.count_nonzero(result.status != Status.NOT_RUN)) if result and result.is_complete else 0


def _output(path: str) -> Path:
    if not Path(path).name:
        raise UsageError(f"{path or 'an empty name'}: expected the name of a file, such as results/full.nc")
    return Path(path)


def _is_newer(contents: Contents | None, result: Outline) -> bool:
    """Whether a journal was begun after the result was written."""
    return bool(contents and contents.header and contents.header.session != result.session)


def _nothing(output: Path, contents: Contents | None, lock: Lock | None) -> str:
    if lock:
        owner = f", {lock.owner}" if lock.owner else ""
        return f"output {output}: a run is beginning{owner}; ask again in a moment"
    if contents:
        return f"output {output}: its journal is damaged; run it with --resume to compute it again"
    return (
        f"output {output}: there is no scan, neither a result nor a journal; expected a file that `hpcscan run` writes"
    )


def _toys(output: Path, *, is_running: bool) -> list[tuple[str, str]]:
    """Describe toys that are being made, or have been stopped, after the scan."""
    if not is_there(toy_journal_path(output)):
        return []
    return [("toys", "being made" if is_running else "interrupted; go on with the command that began them")]


def _counts(known: IntArray) -> list[tuple[str, str]]:
    """Count points that are done, left, and of every status."""
    counts = {one: int(np.count_nonzero(known == one)) for one in Status}
    n_left = counts.pop(Status.NOT_RUN)
    n_done = len(known) - n_left
    parts = [f"{n:,} {one.name.lower().replace('_', ' ')}" for one, n in counts.items() if n]
    rows = [("done", f"{n_done:,} of {count(len(known), 'point')} ({n_done / len(known):.0%})")]
    if parts:
        rows.append(("status", ", ".join(parts)))
    return [*rows, ("left", count(n_left, "point"))] if n_left else rows


def _speed(header: Header, known: IntArray, journal: Path, *, is_running: bool) -> list[tuple[str, str]]:
    """Describe how fast the last session was, and how long the rest takes at that rate."""
    # An interrupted session ended with its last record.
    until = time() if is_running else journal.stat().st_mtime
    elapsed = until - header.started
    n_done = int(np.count_nonzero(known != Status.NOT_RUN))
    n_new, n_left = n_done - header.n_kept, len(known) - n_done
    since = datetime.fromtimestamp(header.started, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    what = "this session" if is_running else "last session"
    if n_new <= 0 or elapsed <= 0:
        return [(what, f"from {since}, {duration(max(elapsed, 0))}, no point finished yet")]
    speed = f"{count(n_new, 'point')}, {rate(n_new, elapsed)} points/s"
    rows = [(what, f"from {since}, {duration(elapsed)}: {speed}")]
    if not n_left:
        return [*rows, ("time left", "all points are fitted; what is left is their repair, evidence and the file")]
    return [*rows, ("time left", duration(n_left * elapsed / n_new) + ("" if is_running else " once it runs again"))]


def _damage(contents: Contents, *, is_running: bool) -> list[tuple[str, str]]:
    """Describe what is wrong with the journal; a last record that is being written is as it should be."""
    # What looks torn is just being written.
    if is_running and contents.is_torn and len(contents.problems) == 1:
        return []
    return [("journal", f"{problem}; --resume computes what is lost again") for problem in contents.problems]


def _exit_code(known: IntArray) -> int:
    return Exit.COMPLETE if np.all(known == Status.CONVERGED) else Exit.INCOMPLETE
