"""Who holds which tasks, and who gets the next one."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sized
from itertools import chain
from math import inf
from typing import Generic

from hpcscan.parallel.messages import TaskT

#: A worker holds the task it computes and one more, so that it never waits for an answer.
MOST_TASKS_HELD = 2


class HandOut(Generic[TaskT]):
    """Pairs the tasks still to do with the places free for one.

    Idle workers come first, then rank 0, then the places ahead of workers that are busy: a task must
    not wait behind another one while somebody has nothing to do. For the same reason the last tasks, one for each
    worker, wait here until somebody is idle, where their number is known and rank 0 is there to give them away.

    What a call costs grows with the answers since the last one, and not with the number of ranks.

    Parameters
    ----------
    tasks : iterable
        Taken from only when there is a place.
    held : mapping of int to deque
        The tasks of every worker, the one at hand first; the caller keeps it up to date, and calls `note`.
    """

    def __init__(self, tasks: Iterable[TaskT], held: Mapping[int, deque[TaskT]]) -> None:
        self._tasks = iter(tasks)
        self._n_left: float = len(tasks) if isinstance(tasks, Sized) else inf
        self._held = held
        # Used as sets that keep their order.
        self._idle: dict[int, None] = dict.fromkeys(rank for rank, its_tasks in held.items() if not its_tasks)
        self._ahead: dict[int, None] = {}
        self._is_closed = False

    def note(self, rank: int) -> None:
        """Look again at what a worker holds."""
        self._idle.pop(rank, None)
        self._ahead.pop(rank, None)
        if (tasks := self._held.get(rank)) is None:
            return
        if not tasks:
            self._idle[rank] = None
        elif len(tasks) < MOST_TASKS_HELD:
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
        """Tell whether nothing is left to hand out; takes a task to find out, and keeps it."""
        first = self._take()
        self.again(first)
        return not first

    def pairs(self, *, own_rank_too: bool) -> Iterator[tuple[int, TaskT]]:
        """Give ranks and tasks, as long as there are both; the caller hands over each pair before it takes the next."""
        own_is_free = own_rank_too
        # The place comes first: a task that is taken has to be done.
        while (rank := self._place(own_rank_too, own_is_free)) is not None and (taken := self._take()):
            yield rank, taken[0]
            own_is_free &= rank != 0
            self.note(rank)

    def _take(self) -> list[TaskT]:
        """Take one task, or none where none is left."""
        for task in self._tasks:
            self._n_left -= 1
            return [task]
        self._n_left = 0
        return []

    def _place(self, own_rank_too: bool, own_is_free: bool) -> int | None:
        if self._n_left == 0:
            return None
        if self._idle:
            return next(iter(self._idle))
        if own_is_free:
            return 0
        may_wait = own_rank_too or self._n_left > len(self._held)
        return next(iter(self._ahead)) if self._ahead and may_wait else None
