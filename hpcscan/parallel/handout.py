"""Who holds which tasks, who gets the next one, and who has been silent for longer than promised."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from dataclasses import dataclass
from itertools import chain
from math import inf
from time import monotonic
from typing import Generic

from hpcscan.parallel.messages import Promise, StepT, TaskT

#: A worker holds the task it computes and one more, so that it never waits for an answer; and a third where rank 0
#: computes too, which answers only between its own tasks, and not always soon enough.
MOST_TASKS_HELD = 3
#: Seconds of a task from which on that is not worth it: an answer takes two naps at most, a hundredth of this each, and
#: a long task must not wait behind a longer one.
LONG_TASK = 1.0

#: Time between two looks counts up to this many seconds: rank 0 may have been away, and the answers be on their way.
LONGEST_LOOK = 1.0


class HandOut(Generic[TaskT]):
    """Pairs the tasks still to do with the places free for one.

    Idle workers come first, then rank 0, then the places ahead of workers that are busy: a task must
    not wait behind another one while somebody has nothing to do. For the same reason long tasks wait here until
    somebody is idle, and so do the last ones, one for each worker, where their number is known. Where rank 0 computes
    too, it may have no time when somebody is: there, only the third places stay free towards the end.

    What a call costs grows with the answers since the last one, and not with the number of ranks.

    Parameters
    ----------
    tasks : iterable
        Taken from only when there is a place.
    held : mapping of int to deque
        The tasks of every worker, the one at hand first; the caller keeps it up to date, and calls `note` or
        `note_answer`.
    clock : callable, optional
        Seconds from any fixed moment.
    """

    def __init__(
        self, tasks: Iterable[TaskT], held: Mapping[int, deque[TaskT]], clock: Callable[[], float] = monotonic
    ) -> None:
        self._tasks = iter(tasks)
        self._n_left: float = len(tasks) if isinstance(tasks, Sized) else inf
        self._held = held
        # Used as sets that keep their order.
        self._idle: dict[int, None] = dict.fromkeys(rank for rank, its_tasks in held.items() if not its_tasks)
        self._ahead: dict[int, None] = {}
        self._clock, self._begun = clock, dict.fromkeys(held, -inf)
        self._is_quick = dict.fromkeys(held, False)
        self._is_closed = self._own_rank_too = False

    def note_answer(self, rank: int) -> None:
        """Note that a worker has done a task: it begins the next one, if it has one."""
        now = self._clock()
        self._is_quick[rank], self._begun[rank] = now - self._begun[rank] < LONG_TASK, now
        self.note(rank)

    def note(self, rank: int) -> None:
        """Look again at what a worker holds."""
        self._idle.pop(rank, None)
        self._ahead.pop(rank, None)
        if (tasks := self._held.get(rank)) is None:
            return
        if not tasks:
            self._idle[rank] = None
        elif len(tasks) < (MOST_TASKS_HELD if self._own_rank_too else 2) and (
            self._own_rank_too or self._is_quick[rank]
        ):
            self._ahead[rank] = None

    @property
    def nobody_works(self) -> bool:
        """Whether no worker holds a task."""
        return len(self._idle) == len(self._held)

    def again(self, tasks: Iterable[TaskT]) -> None:
        """Hand out these first: somebody had them and will not do them."""
        if not self._is_closed:
            first = list(tasks)
            self._tasks = chain(first, self._tasks)
            self._n_left += len(first)

    def close(self) -> None:
        """Hand out nothing more."""
        self._tasks, self._n_left, self._is_closed = iter(()), 0, True

    def is_empty(self) -> bool:
        """Whether nothing is left to hand out; takes a task to find out, and keeps it."""
        first = self._take()
        self.again(first)
        return not first

    def pairs(self, *, own_rank_too: bool) -> Iterator[tuple[int, TaskT]]:
        """Yield ranks and tasks while there are both; the caller hands over each pair before it takes the next."""
        own_is_free = self._own_rank_too = own_rank_too
        # The place comes first: a task that is taken has to be done.
        while (rank := self._place(own_is_free)) is not None and (taken := self._take()):
            is_idle = rank in self._idle
            yield rank, taken[0]
            own_is_free &= rank != 0
            if is_idle:
                self._begun[rank] = self._clock()
            self.note(rank)

    def _take(self) -> list[TaskT]:
        """Take one task, or none where none is left."""
        for task in self._tasks:
            self._n_left -= 1
            return [task]
        self._n_left = 0
        return []

    def _place(self, own_is_free: bool) -> int | None:
        if self._n_left == 0:
            return None
        if self._idle:
            return next(iter(self._idle))
        if own_is_free:
            return 0
        most = self._most_held()
        # In a large team the first one has a place, if anybody has.
        return next((rank for rank in self._ahead if len(self._held[rank]) < most), None) if most > 1 else None

    def _most_held(self) -> int:
        """Count the tasks that a worker may hold, so many of them being left."""
        if self._own_rank_too:
            return MOST_TASKS_HELD if self._n_left > 2 * (len(self._held) + 1) else 2
        return 2 if self._n_left > len(self._held) else 1


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
        """Grant a rank the time that it asks for, from now on."""
        self._patience[promise.rank] = _Patience(promise.step, promise.seconds)

    def forget(self, rank: int) -> None:
        """Expect nothing of a rank."""
        self._patience.pop(rank, None)

    def overdue(self) -> list[tuple[int, StepT]]:
        """Return the ranks that broke their promise, and the step at which they did."""
        now = self._clock()
        elapsed, self._last_look = min(now - self._last_look, LONGEST_LOOK), now
        for patience in self._patience.values():
            patience.seconds_left -= elapsed
        return [(rank, patience.step) for rank, patience in self._patience.items() if patience.seconds_left < 0]
