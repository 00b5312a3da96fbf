"""A world with a clock of its own: whole jobs in microseconds, in an order that is the same every time."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import NoReturn

from hpcscan.parallel import Done
from hpcscan.parallel.messages import Brief, Dismissal, Goodbye, Release, TaskMessage


class SimulatedWorld:
    """Rank 0 of a team whose workers compute ``task → task``, a task being the seconds that it takes."""

    rank = 0
    library = "simulated"
    host = "nowhere"

    def __init__(self, size: int) -> None:
        self.size = size
        self.now = 0.0
        self.busy_until = dict.fromkeys(range(1, size), 0.0)
        self.jobs: list[object] = []
        self.dismissed: list[int] = []
        self.released: list[int] = []
        self._goodbyes: list[Goodbye] = []
        self.n_held = dict.fromkeys(range(1, size), 0)
        self.most_held = 0
        self.n_held_before: list[int] = []
        self._underway: list[tuple[float, int, Done[float]]] = []
        self._n_sent = 0

    def send(self, message: object, to: int) -> None:
        match message:
            case Brief(job):
                self.jobs.append(job)
            case Dismissal():
                self.dismissed.append(to)
                self._goodbyes.append(Goodbye(to))
            case Release():
                self.released.append(to)
            case TaskMessage(seconds):
                finish = max(self.now, self.busy_until[to]) + seconds
                self.busy_until[to] = finish
                self._n_sent += 1
                heapq.heappush(self._underway, (finish, self._n_sent, Done(to, seconds)))
                self.n_held_before.append(self.n_held[to])
                self.n_held[to] += 1
                self.most_held = max(self.most_held, self.n_held[to])

    def receive(self) -> list[object]:
        messages: list[object] = [self._goodbyes.pop() for _ in range(len(self._goodbyes))]
        while self._underway and self._underway[0][0] <= self.now:
            done = heapq.heappop(self._underway)[2]
            self.n_held[done.rank] -= 1
            messages.append(done)
        return messages

    def nap(self) -> None:
        assert self._underway, "rank 0 waits for nobody"
        self.now = max(self.now, self._underway[0][0])

    def dead(self) -> frozenset[int]:
        return frozenset()

    def replace(self, rank: int) -> bool:
        return False

    def leave(self) -> None:
        pass

    def abort(self, exit_code: int) -> NoReturn:
        raise SystemExit(exit_code)

    def prepare(self, job: object, promise: object) -> Callable[[float], float]:
        """The work of rank 0: it moves the clock."""

        def compute(seconds: float) -> float:
            self.now += seconds
            return seconds

        return compute
