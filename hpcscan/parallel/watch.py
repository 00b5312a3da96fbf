"""Which ranks have been silent for longer than they promised."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Generic

from hpcscan.parallel.messages import Promise, StepT

#: Time between two looks counts up to this many seconds: rank 0 may have been away, and the answers be on their way.
LONGEST_LOOK = 1.0


@dataclass
class _Patience(Generic[StepT]):
    step: StepT
    seconds_left: float


class Watch(Generic[StepT]):
    """Remembers the last promise of every rank.

    Parameters
    ----------
    clock : callable
        Seconds from any fixed moment.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._last_look = clock()
        self._patience: dict[int, _Patience[StepT]] = {}

    def expect(self, promise: Promise[StepT]) -> None:
        """Give a rank the time that it asks for, from now on."""
        self._patience[promise.rank] = _Patience(promise.step, promise.seconds)

    def forget(self, rank: int) -> None:
        """Expect nothing of a rank."""
        self._patience.pop(rank, None)

    def overdue(self) -> list[tuple[int, StepT]]:
        """Give the ranks that broke their promise, and the step at which they did."""
        now = self._clock()
        elapsed, self._last_look = min(now - self._last_look, LONGEST_LOOK), now
        for patience in self._patience.values():
            patience.seconds_left -= elapsed
        return [(rank, patience.step) for rank, patience in self._patience.items() if patience.seconds_left < 0]
