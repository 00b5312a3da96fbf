"""Who holds which tasks, and who gets the next one."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import Generic

from hpcscan.parallel.messages import TaskT

#: A worker holds the task it computes and one more, so that it never waits for an answer.
MOST_TASKS_HELD = 2


class HandOut(Generic[TaskT]):
    """Pairs the tasks still to do with the places free for one.

    Idle workers come first, then rank 0, then the places ahead of workers that are busy: a task must
    not wait behind another one while somebody has nothing to do.

    Parameters
    ----------
    tasks : iterable
        Taken from only when there is a place.
    held : mapping of int to deque
        The tasks of every worker, the one at hand first; the caller keeps it up to date.
    """

    def __init__(self, tasks: Iterable[TaskT], held: Mapping[int, deque[TaskT]]) -> None:
        self._tasks = iter(tasks)
        self._held = held
        self._is_closed = False

    def again(self, tasks: Iterable[TaskT]) -> None:
        """Hand out these first: somebody had them and will not do them."""
        if not self._is_closed:
            self._tasks = chain(list(tasks), self._tasks)

    def close(self) -> None:
        """Hand out nothing more."""
        self._tasks, self._is_closed = iter(()), True

    def is_empty(self) -> bool:
        """Tell whether nothing is left to hand out; takes a task to find out, and keeps it."""
        first = list(islice(self._tasks, 1))
        self.again(first)
        return not first

    def pairs(self, *, own_rank_too: bool) -> Iterator[tuple[int, TaskT]]:
        """Give ranks and tasks, as long as there are both; the caller hands over each pair before it takes the next."""
        # The places come first: a task that is taken has to be done.
        return zip(self._places(own_rank_too), self._tasks, strict=False)

    def _places(self, own_rank_too: bool) -> Iterator[int]:
        idle = [rank for rank, tasks in self._held.items() if not tasks]
        ahead = [rank for rank, tasks in self._held.items() if 0 < len(tasks) < MOST_TASKS_HELD]
        return chain(idle, [0] * own_rank_too, ahead, idle)
