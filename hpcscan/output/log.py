"""What a run tells as it goes: a line of progress, and a file that keeps the lines of the terminal."""

from __future__ import annotations

import logging
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from math import floor
from pathlib import Path
from time import monotonic

import numpy as np

from hpcscan.arrays import Array
from hpcscan.errors import HpcscanError
from hpcscan.fitting.records import Evidence, PointResults, Status
from hpcscan.words.numbers import count, duration, rate
from hpcscan.words.visible import visible

#: Seconds between lines in the first minute, and after it; and between changes of a line on a terminal.
EARLY_INTERVAL, LATE_INTERVAL, EARLY, LIVE_INTERVAL = 3.0, 30.0, 60.0, 0.2


def _nobody(parts: Sequence[str]) -> None:
    """Show nothing."""


@dataclass(frozen=True)
class Telling:
    """Where progress is told.

    Attributes
    ----------
    write : callable
        Takes a line, now and then.
    show : callable
        Takes the parts of a line that may change, often; as many of them are shown as there is room for.
    clock : callable
        Seconds from any fixed moment.
    """

    write: Callable[[str], None]
    show: Callable[[Sequence[str]], None] = _nobody
    clock: Callable[[], float] = monotonic


class _Told(ABC):
    """Something that goes on for a while."""

    def __init__(self, telling: Telling) -> None:
        self._telling = telling
        self._begin = self._written = self._shown = telling.clock()

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return self._telling.clock() - self._begin

    @abstractmethod
    def parts(self) -> list[str]:
        """Say how far it is, the most important first."""

    def tick(self) -> None:
        """Tell it if it is time for that."""
        now = self._telling.clock()
        interval = EARLY_INTERVAL if now - self._begin < EARLY else LATE_INTERVAL
        is_due, is_live = now - self._written >= interval, now - self._shown >= LIVE_INTERVAL
        if is_live:
            self._shown = now
            self._telling.show(self.parts())
        if is_due:
            self._written = now
            self._telling.write(", ".join(self.parts()))


class Progress(_Told):
    """Counts the points that are done.

    Parameters
    ----------
    n_points : int
        Points to do.
    telling : Telling
    results : PointResults
        The whole grid as it is known, which others fill.
    what : str
        Names a wave; "" where every point is fitted once.
    """

    def __init__(self, n_points: int, telling: Telling, results: PointResults, what: str = "") -> None:
        super().__init__(telling)
        self.n_points, self.n_done = n_points, 0
        self._results, self._what = results, what

    def add(self, n_points: int) -> None:
        """Count points that have arrived."""
        self.n_done += n_points

    def parts(self) -> list[str]:
        """Say how many are done and when all will be, and what is known of the whole grid."""
        begin = f"{self._what}: " if self._what else ""
        done, left = f"{begin}{self.n_done:,}/{self.n_points:,} points", "time left unknown"
        if self.n_done:
            left = f"{duration(self.elapsed * (self.n_points / self.n_done - 1))} left"
        return [done, left, f"{rate(self.n_done, self.elapsed)}/s", *self._known()]

    def _known(self) -> list[str]:
        """Tell shares of the grid, and its lowest χ²."""
        results = self._results
        found = {kind.name.lower(): int(np.count_nonzero(results.evidence == kind)) for kind in reversed(Evidence)}
        shares = [f"{_share(found[name], len(results.status))} {name}" for name in ("proven", "agreed") if found[name]]
        n_failed = int(np.isin(results.status, (Status.FAILED, Status.TIMED_OUT)).sum())
        failed = [f"{count(n_failed, 'point')} failed"] if n_failed else []
        best = _lowest(results.chi2)
        return [*(shares or ["none proven or agreed yet"]), *failed, f"best chi2 {best}"]


def _share(n: int, n_all: int) -> str:
    """Write a share; only all of them are 100 %, and only none 0 %."""
    percent = floor(100 * n / n_all)
    return f"{percent} %" if percent else "< 1 %"


def _lowest(chi2: Array) -> str:
    """Write the lowest χ² with so many digits that its changes are seen."""
    lowest = float(np.fmin.reduce(chi2, initial=np.inf))
    return f"{lowest:.6g}" if np.isfinite(lowest) else "none yet"


class RepairProgress(_Told):
    """Counts the tasks of one wave of repair.

    Parameters
    ----------
    wave, n_tasks : int
    telling : Telling
    """

    def __init__(self, wave: int, n_tasks: int, telling: Telling) -> None:
        super().__init__(telling)
        self.wave, self.n_tasks, self.n_done, self.n_improved = wave, n_tasks, 0, 0

    def add(self, n_improved: int) -> None:
        """Count a task that is done, and the points that it improved."""
        self.n_done += 1
        self.n_improved += n_improved

    def parts(self) -> list[str]:
        """Say how many tasks are done, and what came of them."""
        done = f"repair, wave {self.wave}: {self.n_done:,}/{self.n_tasks:,} tasks"
        return [done, f"{self.n_improved:,} points improved"]


class RoundProgress(_Told):
    """Counts the tasks of one round after another: fits of an answer, or toys.

    How many rounds follow is not known before this one is complete.

    Parameters
    ----------
    what : str
        What they are made for.
    telling : Telling
    """

    def __init__(self, what: str, telling: Telling) -> None:
        super().__init__(telling)
        self.n_toys, self._what, self._n_tasks, self._n_done, self._n_rounds = 0, what, 0, 0, 0
        self._round = telling.clock()

    def begin(self, n_tasks: int) -> None:
        """Begin a round of so many tasks."""
        self._n_tasks, self._n_done, self._round = n_tasks, 0, self._telling.clock()
        self._n_rounds += 1

    def add(self, n_toys: int) -> None:
        """Count a task that is done, and its toys; none where it was a fit of the data."""
        self._n_done += 1
        self.n_toys += n_toys

    def parts(self) -> list[str]:
        """Say how far the round is."""
        toys = f"{self.n_toys:,} made, " if self.n_toys else ""
        done = f"{self._what}: {toys}round {self._n_rounds:,}, {self._n_done:,}/{self._n_tasks:,} tasks"
        if not self._n_done:
            return [done]
        seconds = (self._telling.clock() - self._round) * (self._n_tasks / self._n_done - 1)
        return [done, f"{duration(seconds)} left for it"]

    def ended(self, n_toys: int) -> str:
        """Format how many were made, and how many of all an earlier session has left."""
        known = f", {n_toys - self.n_toys:,} taken from the journal" if n_toys > self.n_toys else ""
        return f"{self._what}: {self.n_toys:,} made in {duration(self.elapsed)}{known}"


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
