"""A limit on the time that fits may take, enforced inside the model's own Python code and nowhere else."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from hpcscan.errors import Interruption

#: Seconds after which the alarm rings again: code that catches everything may have swallowed the first one.
RING_AGAIN = 1.0


class TimeUpError(Interruption):
    """A fit took too long."""


class TimeLimit:
    """An alarm for the main thread of a process.

    A call of the model is a block ``with time_limit:``. The alarm interrupts it there; elsewhere it waits for the
    next such block. A call that is stuck in C cannot be interrupted.

    Parameters
    ----------
    seconds : float or None
        What a fit may take; None for no limit.
    """

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds
        self._is_inside = self._is_over = False

    def __enter__(self) -> None:
        self._is_inside = True
        if self._is_over:
            raise TimeUpError

    def __exit__(self, *_: object) -> None:
        self._is_inside = False

    @contextmanager
    def armed(self) -> Iterator[None]:
        """Limit the time of this block."""
        self._is_inside = self._is_over = False
        if self.seconds is None:
            yield
            return
        before = signal.signal(signal.SIGALRM, self._ring)
        signal.setitimer(signal.ITIMER_REAL, self.seconds, RING_AGAIN)
        try:
            yield
        finally:
            self._is_inside = False
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)

    def _ring(self, _number: int, _frame: FrameType | None) -> None:
        self._is_over = True
        if self._is_inside:
            raise TimeUpError
