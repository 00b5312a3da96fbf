"""What a run tells as it goes: one line of progress now and then, and a file that keeps the lines of the terminal."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

import numpy as np

from hpcscan.errors import HpcscanError
from hpcscan.fitting.records import PointResults, Status
from hpcscan.words.numbers import chi2_text, duration, rate
from hpcscan.words.visible import visible

#: Seconds between lines in the first minute, and after it.
EARLY_INTERVAL, LATE_INTERVAL, EARLY = 3.0, 30.0, 60.0


class Cadence:
    """Says when it is time for a line.

    Parameters
    ----------
    clock : callable
        Seconds from any fixed moment.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._begin = self._last = clock()

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return self._clock() - self._begin

    def is_due(self) -> bool:
        """Whether the last line is old enough; if so, the next one is written now."""
        now = self._clock()
        interval = EARLY_INTERVAL if now - self._begin < EARLY else LATE_INTERVAL
        is_due = now - self._last >= interval
        # The interval counts from the last line, not from when it was due.
        self._last = now if is_due else self._last
        return is_due


class RepairProgress:
    """Counts the tasks of one wave of repair, and writes a line as often as `Progress`.

    Parameters
    ----------
    write, clock : callable
        As for `Progress`.
    """

    def __init__(
        self, wave: int, n_tasks: int, write: Callable[[str], None], clock: Callable[[], float] = monotonic
    ) -> None:
        self.wave, self.n_tasks, self.n_done, self.n_improved = wave, n_tasks, 0, 0
        self._write, self._cadence = write, Cadence(clock)

    def add(self, n_improved: int) -> None:
        """Count a task that is done, and the points that it improved."""
        self.n_done += 1
        self.n_improved += n_improved

    def tick(self) -> None:
        """Write a line if it is time for one."""
        if self._cadence.is_due():
            improved = f"{self.n_improved:,} points improved"
            self._write(f"repair, wave {self.wave}: {self.n_done:,}/{self.n_tasks:,} tasks, {improved}")


class ToyProgress:
    """Counts toys, and the tasks of one round of them, and writes a line as often as `Progress`.

    How many rounds follow is not known before this one is complete.

    Parameters
    ----------
    write, clock : callable
        As for `Progress`.
    """

    def __init__(self, write: Callable[[str], None], clock: Callable[[], float] = monotonic) -> None:
        self.n_toys, self._n_tasks, self._n_done = 0, 0, 0
        self._write, self._clock, self._cadence = write, clock, Cadence(clock)
        self._begin = clock()

    def begin(self, n_tasks: int) -> None:
        """Begin a round of so many tasks."""
        self._n_tasks, self._n_done, self._begin = n_tasks, 0, self._clock()

    def add(self, n_toys: int) -> None:
        """Count a task that is done, and its toys; none where it was a fit of the data."""
        self._n_done += 1
        self.n_toys += n_toys

    def tick(self) -> None:
        """Write a line if it is time for one."""
        if self._cadence.is_due():
            elapsed = self._clock() - self._begin
            left = duration(elapsed * (self._n_tasks / self._n_done - 1)) if self._n_done else "unknown"
            done = f"{self._n_done:,}/{self._n_tasks:,} tasks of this round"
            self._write(f"toys: {self.n_toys:,} made, {done}, time left for it {left}")

    def end(self, n_toys: int) -> None:
        """Write how many were made, and how many of all an earlier session has left."""
        known = f", {n_toys - self.n_toys:,} taken from the journal" if n_toys > self.n_toys else ""
        self._write(f"toys: {self.n_toys:,} made in {duration(self._cadence.elapsed)}{known}")


class Progress:
    """Counts finished points and writes a line every few seconds, later every half minute.

    Parameters
    ----------
    n_points : int
        Points to do.
    write : callable
        Takes a line.
    what : str
        In front of it.
    clock : callable
        Seconds from any fixed moment.
    """

    def __init__(
        self, n_points: int, write: Callable[[str], None], clock: Callable[[], float] = monotonic, what: str = ""
    ) -> None:
        self._what = what
        self.n_points, self.n_done, self.n_unconverged, self.n_rows = n_points, 0, 0, 0
        self._best = np.inf
        self._write, self._cadence = write, Cadence(clock)

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return self._cadence.elapsed

    def add(self, results: PointResults, n_rows: int) -> None:
        """Count a part that has arrived, and the rows of the model that it took."""
        self.n_done += len(results.status)
        self.n_rows += n_rows
        self.n_unconverged += int(np.count_nonzero(results.status != Status.CONVERGED))
        self._best = float(np.fmin(self._best, np.fmin.reduce(results.chi2, initial=np.inf)))

    def tick(self) -> None:
        """Write a line if it is time for one."""
        if self._cadence.is_due():
            self._write(self.line())

    def line(self) -> str:
        """Format how far the scan is."""
        elapsed = self.elapsed
        left = duration(elapsed * (self.n_points / self.n_done - 1)) if self.n_done else "unknown"
        # In a wave nothing is judged yet.
        unconverged = "" if self._what else f", {self.n_unconverged:,} not converged"
        best = chi2_text(self._best) if np.isfinite(self._best) else "none yet"
        return (
            f"{self._what}{self.n_done:,}/{self.n_points:,} points, {rate(self.n_done, elapsed)} points/s, "
            f"{self.n_rows:,} model rows, time left {left}{unconverged}, best chi2 {best}"
        )


@contextmanager
def logging_to(path: Path) -> Iterator[None]:
    """Append everything that hpcscan says to a file; what was in it stays."""
    handler = _LogFile(path, delay=True, encoding="utf-8", errors="backslashreplace")
    handler.setFormatter(_TimedLines())
    logger = logging.getLogger("hpcscan")
    logger.addHandler(handler)
    try:
        yield
    except Exception as error:
        # The terminal learns it from whoever catches it.
        account = str(error) if isinstance(error, HpcscanError) else traceback.format_exc().rstrip()
        handler.emit(logging.makeLogRecord({"msg": account}))
        raise
    finally:
        # Another run in the same process has a log of its own.
        logger.removeHandler(handler)
        with suppress(OSError):
            handler.close()


class _TimedLines(logging.Formatter):
    """Puts the time, in UTC, before every line of a message."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return "\n".join(f"{moment} {line}" for line in visible(super().format(record)).split("\n"))


class _LogFile(logging.FileHandler):
    """A log that does not matter enough to stop anything: where it cannot be written, the journal tells."""

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(OSError):
            super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  (the name is logging's)
        """Ignore it: nobody is left to be told."""
