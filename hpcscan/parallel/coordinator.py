"""The coordinator: who may compute what, when, and what becomes of the tasks of a rank that is lost."""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Generic, TypeAlias

from hpcscan.errors import CrashError, Exit
from hpcscan.parallel.handout import HandOut, Watch
from hpcscan.parallel.messages import (
    Brief,
    Dismissal,
    Done,
    Failed,
    Goodbye,
    JobT,
    Prepare,
    Promise,
    Recall,
    Release,
    ResultT,
    Returned,
    StepT,
    TaskMessage,
    TaskT,
)
from hpcscan.parallel.stop import GraceOver, StopRequest
from hpcscan.parallel.worker import compute, compute_unbriefed, prepare_work
from hpcscan.parallel.world import World

logger = logging.getLogger(__name__)

# With few ranks, an idle rank 0 is a waste worth avoiding. With many it is a small one, and workers that
# wait until rank 0 has finished a task of its own would cost more.
MOST_RANKS_WHERE_COORDINATOR_COMPUTES = 8

#: A task at which so many ranks have died is not handed out again.
MOST_DEATHS_AT_A_TASK = 3

#: Seconds that a worker has to finish the task at hand.
PATIENCE = 10.0

#: Seconds for a rank that was given up, in case that it lives after all, and for all where time is up.
LAST_PATIENCE = 1.0


def ranks_that_compute(size: int) -> int:
    """Count the ranks of a team that take tasks: without rank 0 where they are many."""
    return size if size <= MOST_RANKS_WHERE_COORDINATOR_COMPUTES else size - 1


@dataclass(frozen=True)
class Rescue(Generic[TaskT, ResultT]):
    """What becomes of a task at whose step a rank hangs.

    Attributes
    ----------
    tasks : sequence
        To do instead; without the step, or so that it can be told apart.
    results : sequence
        What the step is taken to have given.
    """

    tasks: Sequence[TaskT] = ()
    results: Sequence[ResultT] = field(default=())


Rescuer: TypeAlias = Callable[[TaskT, StepT], Rescue[TaskT, ResultT]]


class Coordinator(Generic[JobT, StepT, TaskT, ResultT]):
    """Hands tasks to ranks; rank 0 only.

    Parameters
    ----------
    world : World
        The ranks.
    prepare : callable
        From a job, and from the function by which work makes promises, make the function that turns a task into a
        result; the same on all ranks.
    stop : StopRequest, optional
        Once it is made, nothing new is begun.
    """

    def __init__(
        self, world: World, prepare: Prepare[JobT, StepT, TaskT, ResultT], stop: StopRequest | None = None
    ) -> None:
        self._world = world
        self._prepare = prepare
        self._stop = stop or StopRequest()
        self._is_stopping = False
        self._brief: Brief[JobT] | None = None
        self._rescue: Rescuer[TaskT, StepT, ResultT] | None = None
        self._work: Callable[[TaskT], ResultT] | None = None
        self._has_helper = False
        self._held: dict[int, deque[TaskT]] = {rank: deque() for rank in range(1, world.size)}
        self._watch: Watch[StepT] = Watch()
        self._silent: set[int] = set()
        self._n_deaths: Counter[int] = Counter()

    @property
    def n_ranks(self) -> int:
        """Ranks that take tasks."""
        return max(1, len(self._held) + self.computes)

    @property
    def computes(self) -> bool:
        """Whether rank 0 takes tasks too: in small teams, unless it has to watch the others."""
        return self._rescue is None and len(self._held) < MOST_RANKS_WHERE_COORDINATOR_COMPUTES

    def brief(self, job: JobT, *, rescue: Rescuer[TaskT, StepT, ResultT] | None = None) -> None:
        """Send all ranks what their tasks have in common.

        Parameters
        ----------
        rescue : callable, optional
            From a task and the step at which its rank hangs, make what to do instead. Where it is given, ranks
            are held to the promises of their work, rank 0 only watches, and a rank that is alone starts a process
            that can be watched.
        """
        if rescue is not None and self._world.size == 1:
            from hpcscan.parallel.helper import HelperWorld  # noqa: PLC0415 - seldom needed

            self._world, self._has_helper = HelperWorld(self._prepare), True
            self._held = {1: deque()}
        self._brief, self._rescue, self._work = Brief(job), rescue, None
        for worker in self._held:
            self._world.send(self._brief, to=worker)

    def map(self, tasks: Iterable[TaskT], *, tick: Callable[[], None] = lambda: None) -> Iterator[Done[ResultT]]:
        """Compute all tasks, and yield the results in the order in which they arrive.

        Tasks of a rank that dies are done by others. After a request to stop, what is running may finish within the
        grace period; the results are then incomplete.

        Parameters
        ----------
        tasks : iterable
            Taken from only when a rank is free for one, so a generator that ends early ends the
            hand-out early; what was handed out by then is still computed and yielded. Longest first
            keeps the ranks busy to the end.
        tick : callable, optional
            Called at least every few milliseconds while rank 0 waits, and between its own tasks.

        Yields
        ------
        Done
            A result and the rank that computed it; what its helper computes is rank 0's.

        Raises
        ------
        HpcscanError
            Raised by the work on some rank. Any other exception there arrives as ``RemoteError``.
            Results that arrived before it have been yielded. Afterwards, only `dismiss` is possible.
            ``CrashError`` if rank after rank dies at the same task.
        """
        if any(self._held.values()):
            raise RuntimeError("the previous map was left before its end; the team can only be dismissed")
        hand_out = HandOut(tasks, self._held)
        while True:
            self._heed_stop(hand_out)
            answers = self._collect(hand_out)
            own_tasks = self._hand_to_workers(hand_out)
            tick()
            for answer in answers:
                done = _done_or_raise(answer)
                yield Done(self._world.rank, done.result) if self._has_helper else done
            for task in own_tasks:
                yield from self._compute(task)
            if not answers and not own_tasks:
                if hand_out.nobody_works or self._stop.is_grace_over:
                    self._regret(hand_out)
                    return
                self._world.nap()

    def dismiss(self, exit_code: int, patience: float = PATIENCE) -> int:
        """Send all workers away; return the code when all ranks that live have agreed to leave.

        A worker finishes the task at hand and drops the one it holds ahead. If somebody does not come within the
        seconds of patience, the job is aborted with the code.
        """
        patience = LAST_PATIENCE if self._stop.is_grace_over else patience
        part(self._world, set(self._held), self._silent, int(exit_code), patience)
        return int(exit_code)

    def _heed_stop(self, hand_out: HandOut[TaskT]) -> None:
        """Begin nothing new once somebody asked to stop."""
        reason = self._stop.requested
        if reason is None:
            return
        hand_out.close()
        if not self._is_stopping:
            self._is_stopping = True
            n_running = sum(bool(tasks) for tasks in self._held.values())
            logger.warning(
                "stopping: %s; tasks that still run: %d, for at most %.0f s", reason, n_running, self._stop.seconds_left
            )
            for worker in self._held:
                self._world.send(Recall(), to=worker)

    def _collect(self, hand_out: HandOut[TaskT]) -> list[Done[ResultT] | Failed]:
        answers = [answer for message in self._world.receive() for answer in self._take(message, hand_out)]
        for rank in sorted(self._world.dead() & self._held.keys()):
            answers += self._bury(rank, hand_out)
        if not answers:
            for rank, step in self._watch.overdue():
                answers += self._give_up(rank, step, hand_out)
        # The first failure ends the map: what arrived with it goes first.
        return sorted(answers, key=lambda answer: isinstance(answer, Failed))

    def _take(self, message: object, hand_out: HandOut[TaskT]) -> Iterator[Done[ResultT] | Failed]:
        """Note what a message says of its sender; what a lost rank still says is ignored."""
        rank = getattr(message, "rank", None)
        if rank not in self._held:
            return
        match message:
            case Done() | Failed():
                self._held[rank].popleft()
                self._watch.forget(rank)
                hand_out.note_answer(rank)
                yield message
            case Promise():
                self._watch.expect(message)
            case Returned():
                for _ in range(message.n_tasks):
                    self._held[rank].pop()
                hand_out.note(rank)

    def _hand_to_workers(self, hand_out: HandOut[TaskT]) -> list[TaskT]:
        own_tasks = []
        for rank, task in hand_out.pairs(own_rank_too=self.computes):
            if rank == self._world.rank:
                own_tasks.append(task)
            else:
                self._world.send(TaskMessage(task), to=rank)
                self._held[rank].append(task)
        return own_tasks

    def _compute(self, task: TaskT) -> Iterator[Done[ResultT]]:
        """Do a task on rank 0; nothing comes of it if the grace period ends meanwhile."""
        if self._work is None and self._brief is not None:
            self._work = prepare_work(self._world, self._prepare, self._brief.job, lambda step, seconds: None)
        try:
            with self._stop.interrupting():
                answer = compute(self._world, self._work or compute_unbriefed, task)
        except GraceOver:
            return
        yield _done_or_raise(answer)

    def _regret(self, hand_out: HandOut[TaskT]) -> None:
        """Stop where nobody is left to do what is left."""
        if not self._held and not self.computes and not hand_out.is_empty():
            self._stop.ask("no rank is left to compute")
            self._heed_stop(hand_out)

    def _bury(self, rank: int, hand_out: HandOut[TaskT]) -> list[Failed]:
        """Let others do the tasks of a rank that has died."""
        tasks = self._lose(rank, hand_out)
        logger.warning("%s has died; tasks to do again: %d", self._name(rank), len(tasks))
        hand_out.again(tasks)
        self._n_deaths.update(id(task) for task in tasks[:1])
        crashes = any(self._n_deaths[id(task)] >= MOST_DEATHS_AT_A_TASK for task in tasks[:1])
        return [Failed(rank, CrashError(MOST_DEATHS_AT_A_TASK))] if crashes else []

    def _give_up(self, rank: int, step: StepT, hand_out: HandOut[TaskT]) -> list[Done[ResultT]]:
        """Let others do what a rank that hangs would have done, without the step at which it does."""
        assert self._rescue is not None
        at_hand, *ahead = self._lose(rank, hand_out)
        logger.warning("%s hangs in a call that cannot be interrupted, and is given up", self._name(rank))
        rescue = self._rescue(at_hand, step)
        hand_out.again([*rescue.tasks, *ahead])
        return [Done(rank, result) for result in rescue.results]

    def _name(self, rank: int) -> str:
        return "the helper process" if self._has_helper else f"rank {rank}"

    def _lose(self, rank: int, hand_out: HandOut[TaskT]) -> list[TaskT]:
        """Strike a rank off the list, or start it again where that is possible; return the tasks that it had."""
        tasks = list(self._held.pop(rank))
        self._watch.forget(rank)
        if self._world.replace(rank) and self._brief is not None:
            self._held[rank] = deque()
            self._world.send(self._brief, to=rank)
        elif rank not in self._world.dead():
            self._silent.add(rank)
        hand_out.note(rank)
        return tasks


def _done_or_raise(answer: Done[ResultT] | Failed) -> Done[ResultT]:
    if isinstance(answer, Failed):
        raise answer.error
    return answer


def part(world: World, workers: set[int], given_up: set[int], exit_code: int, patience: float = PATIENCE) -> None:
    """Send everybody away and leave; abort the job if somebody lives but does not answer.

    Parameters
    ----------
    workers : set of int
        Ranks that should answer.
    given_up : set of int
        Ranks that may answer.
    patience : float
        Seconds that workers have to finish the task at hand.
    """
    everybody = workers | given_up
    for rank in everybody:
        world.send(Dismissal(exit_code), to=rank)
    missing = set(everybody)
    _await_goodbyes(world, missing, workers, patience)
    _await_goodbyes(world, missing, given_up, LAST_PATIENCE)
    if missing - world.dead():
        # An abort with 0 would pass for success, and not end a rank that hangs.
        world.abort(exit_code or Exit.INTERNAL)
    for rank in everybody:
        world.send(Release(), to=rank)
    world.leave()


def _await_goodbyes(world: World, missing: set[int], awaited: set[int], seconds: float) -> None:
    """Strike off who says goodbye, until all that are awaited and live have; other messages are thrown away."""
    deadline = monotonic() + seconds
    while (missing & awaited) - world.dead():
        messages = world.receive()
        missing -= {message.rank for message in messages if isinstance(message, Goodbye)}
        if not messages:
            if monotonic() > deadline:
                return
            world.nap()
