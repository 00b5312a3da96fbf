"""Progress of a scan: one line now and then."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

import numpy as np

from hpcscan.fit.records import PointResults, Status
from hpcscan.terminal.numbers import chi2_text, duration, rate

#: Seconds between lines in the first minute, and after it.
EARLY_INTERVAL, LATE_INTERVAL, EARLY = 3.0, 30.0, 60.0


class Progress:
    """Counts finished points and writes a line every few seconds, later every half minute.

    Parameters
    ----------
    n_points : int
        Points to do.
    write : callable
        Takes a line.
    clock : callable
        Seconds from any fixed moment.
    """

    def __init__(self, n_points: int, write: Callable[[str], None], clock: Callable[[], float] = monotonic) -> None:
        self.n_points, self.n_done, self.n_unconverged = n_points, 0, 0
        self._best = np.inf
        self._write, self._clock = write, clock
        self._begin = self._last = clock()

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return self._clock() - self._begin

    def add(self, results: PointResults) -> None:
        """Count a part that has arrived."""
        self.n_done += len(results.status)
        self.n_unconverged += int(np.count_nonzero(results.status != Status.CONVERGED))
        self._best = float(np.fmin(self._best, np.fmin.reduce(results.chi2, initial=np.inf)))

    def tick(self) -> None:
        """Write a line if it is time for one."""
        now = self._clock()
        interval = EARLY_INTERVAL if now - self._begin < EARLY else LATE_INTERVAL
        if now - self._last >= interval:
            self._last = now
            self._write(self.line())

    def line(self) -> str:
        """Say how far the scan is."""
        elapsed = self.elapsed
        left = duration(elapsed * (self.n_points / self.n_done - 1)) if self.n_done else "unknown"
        best = chi2_text(self._best) if np.isfinite(self._best) else "none yet"
        return (
            f"{self.n_done:,}/{self.n_points:,} points, {rate(self.n_done, elapsed)} points/s, time left {left}, "
            f"{self.n_unconverged:,} not converged, best chi2 {best}"
        )
