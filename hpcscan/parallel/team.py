"""A coordinator hands tasks to workers: who may compute what, when, and how everybody stops.

Rank 0 leads and all others follow. What goes over the wire:

    coordinator → worker    Brief, then any number of Task, then Dismissal
    worker → coordinator    for each Task one Done or Failed

A worker holds two tasks: the one it computes and one more, so that it never waits for an answer.
"""

from __future__ import annotations

import logging
import pickle
import sys
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, NoReturn, TypeVar

from hpcscan.errors import Exit, HpcscanError, RemoteError
from hpcscan.parallel.world import World

logger = logging.getLogger(__name__)

JobT = TypeVar("JobT")
TaskT = TypeVar("TaskT")
ResultT = TypeVar("ResultT")

# With few ranks, an idle rank 0 is a waste worth avoiding. With many it is a small one, and workers that
# wait until rank 0 has finished a task of its own would cost more.
MOST_RANKS_WHERE_COORDINATOR_COMPUTES = 8

INTERRUPTED = 130  # what a shell reports after ^C


@dataclass(frozen=True, slots=True)
class Brief(Generic[JobT]):
    """What all tasks have in common."""

    job: JobT


@dataclass(frozen=True, slots=True)
class Task(Generic[TaskT]):
    """One thing to compute."""

    task: TaskT


@dataclass(frozen=True, slots=True)
class Done(Generic[ResultT]):
    """The result of one task, and the rank that computed it."""

    rank: int
    result: ResultT


@dataclass(frozen=True, slots=True)
class Failed:
    """A task, or the preparation for it, raised."""

    rank: int
    error: HpcscanError


@dataclass(frozen=True, slots=True)
class Dismissal:
    """Nothing more to do: leave with this code."""

    exit_code: int


def run_team(
    world: World,
    lead: Callable[[Coordinator[JobT, TaskT, ResultT]], int],
    prepare: Callable[[JobT], Callable[[TaskT], ResultT]],
) -> int:
    """Run a whole job: rank 0 leads, all others follow, and all come back with the same exit code.

    Parameters
    ----------
    world : World
        From :func:`hpcscan.parallel.connect`.
    lead : callable
        Called on rank 0 only, with the coordinator; returns the exit code. An ``HpcscanError`` that
        leaves it is logged on rank 0 and its exit code is used.
    prepare : callable
        Called on every rank that computes, with the job of :meth:`Coordinator.brief`; returns the
        function that turns a task into a result.

    Returns
    -------
    int
        The exit code, after all ranks agreed to leave; the caller only has to ``sys.exit`` it.
    """
    with lifeline(world):
        if world.rank > 0:
            return follow(world, prepare)
        coordinator = Coordinator(world, prepare)
        try:
            exit_code = lead(coordinator)
        except HpcscanError as error:
            logger.error("%s", error)
            exit_code = error.exit_code
        return coordinator.dismiss(exit_code)


@contextmanager
def lifeline(world: World) -> Iterator[None]:
    """End the whole job if anything unforeseen leaves this block: the other ranks would wait for ever."""
    try:
        yield
    except KeyboardInterrupt:
        world.abort(INTERRUPTED)
    except BaseException:  # noqa: BLE001 - even a plugin's sys.exit() would leave the other ranks waiting
        sys.stderr.write(f"rank {world.rank} on {world.host}: internal error\n{traceback.format_exc()}")
        world.abort(Exit.INTERNAL)


class Coordinator(Generic[JobT, TaskT, ResultT]):
    """Hands tasks to ranks; rank 0 only.

    Parameters
    ----------
    world : World
        The ranks.
    prepare : callable
        From a job, make the function that turns a task into a result; the same on all ranks.
    """

    def __init__(self, world: World, prepare: Callable[[JobT], Callable[[TaskT], ResultT]]) -> None:
        self._world = world
        self._prepare = prepare
        self._work: Callable[[TaskT], ResultT] = _compute_unbriefed
        self._n_tasks_held = dict.fromkeys(range(1, world.size), 0)

    @property
    def computes(self) -> bool:
        """Whether rank 0 takes tasks too."""
        return self._world.size <= MOST_RANKS_WHERE_COORDINATOR_COMPUTES

    def brief(self, job: JobT) -> None:
        """Give all ranks what their tasks have in common, and prepare this one."""
        for worker in self._n_tasks_held:
            self._world.send(Brief(job), to=worker)
        if self.computes:
            self._work = _prepare_work(self._world, self._prepare, job)

    def map(self, tasks: Iterable[TaskT], *, tick: Callable[[], None] = lambda: None) -> Iterator[Done[ResultT]]:
        """Compute all tasks, and yield the results in the order in which they arrive.

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
            A result and the rank that computed it.

        Raises
        ------
        HpcscanError
            Raised by the work on some rank. Any other exception there arrives as ``RemoteError``.
            Results that arrived before it have been yielded. Afterwards, only `dismiss` is possible.
        """
        if any(self._n_tasks_held.values()):
            raise RuntimeError("the previous map was left before its end; the team can only be dismissed")
        hand_out = _HandOut(tasks, list(self._n_tasks_held), own_rank_too=self.computes)
        while True:
            answers = self._collect(hand_out)
            own_tasks = self._hand_to_workers(hand_out)
            tick()
            for answer in answers:
                yield _done_or_raise(answer)
            for task in own_tasks:
                yield _done_or_raise(_compute(self._world, self._work, task))
                hand_out.add_place(self._world.rank, ahead=False)
            if not answers and not own_tasks:
                if not any(self._n_tasks_held.values()):
                    return
                self._world.nap()

    def dismiss(self, exit_code: int) -> int:
        """Send all workers away; return the code when all ranks have agreed to leave.

        A worker finishes the task at hand and drops the one it holds ahead.
        """
        for worker in self._n_tasks_held:
            self._world.send(Dismissal(int(exit_code)), to=worker)
        self._world.leave()
        return int(exit_code)

    def _collect(self, hand_out: _HandOut[TaskT]) -> list[Done[ResultT] | Failed]:
        answers = [message for message in self._world.receive() if isinstance(message, Done | Failed)]
        for answer in answers:
            self._n_tasks_held[answer.rank] -= 1
            hand_out.add_place(answer.rank, ahead=self._n_tasks_held[answer.rank] > 0)
        # The first failure ends the map: what arrived with it goes first.
        return sorted(answers, key=lambda answer: isinstance(answer, Failed))

    def _hand_to_workers(self, hand_out: _HandOut[TaskT]) -> list[TaskT]:
        own_tasks = []
        for rank, task in hand_out:
            if rank == self._world.rank:
                own_tasks.append(task)
            else:
                self._world.send(Task(task), to=rank)
                self._n_tasks_held[rank] += 1
        return own_tasks


class _HandOut(Generic[TaskT]):
    """Pairs the tasks still to do with the places free for one.

    Idle workers come first, then rank 0, then the places ahead of workers that are busy: a task must
    not wait behind another one while somebody has nothing to do.
    """

    def __init__(self, tasks: Iterable[TaskT], workers: list[int], own_rank_too: bool) -> None:
        self._tasks = iter(tasks)
        self._idle = deque([*workers, 0] if own_rank_too else workers)
        self._ahead = deque(workers)

    def add_place(self, rank: int, *, ahead: bool) -> None:
        if ahead:
            self._ahead.append(rank)
        elif rank == 0:
            self._idle.append(rank)
        else:
            self._idle.appendleft(rank)

    def __iter__(self) -> Iterator[tuple[int, TaskT]]:
        while places := self._idle or self._ahead:
            try:
                task = next(self._tasks)
            except StopIteration:
                return
            yield places.popleft(), task


def follow(world: World, prepare: Callable[[JobT], Callable[[TaskT], ResultT]]) -> int:
    """Serve the coordinator until it sends this rank away; every rank but 0.

    Parameters
    ----------
    world : World
        The ranks.
    prepare : callable
        From a job, make the function that turns a task into a result.

    Returns
    -------
    int
        The exit code that came with the dismissal, after all ranks agreed to leave.
    """
    work: Callable[[TaskT], ResultT] = _compute_unbriefed
    mailbox: deque[object] = deque()
    while True:
        while not (news := world.receive()) and not mailbox:
            world.nap()
        mailbox.extend(news)
        # A dismissal overtakes the task ahead: nobody waits for its result any more.
        for message in mailbox:
            if isinstance(message, Dismissal):
                world.leave()
                return message.exit_code
        match mailbox.popleft():
            case Brief(job):
                work = _prepare_work(world, prepare, job)
            case Task(task):
                _answer(world, _compute(world, work, task))


def _prepare_work(
    world: World, prepare: Callable[[JobT], Callable[[TaskT], ResultT]], job: JobT
) -> Callable[[TaskT], ResultT]:
    """Make the work; if that fails, every task fails for that reason, so that each still has one answer."""
    try:
        return prepare(job)
    except Exception as error:  # noqa: BLE001 - crosses to rank 0, which raises it
        reason = _portable(error, world)

    def fail(task: TaskT) -> ResultT:
        raise reason

    return fail


def _compute_unbriefed(task: object) -> NoReturn:
    raise RuntimeError("a task came before the brief")


def _compute(world: World, work: Callable[[TaskT], ResultT], task: TaskT) -> Done[ResultT] | Failed:
    try:
        return Done(world.rank, work(task))
    except Exception as error:  # noqa: BLE001 - crosses to rank 0, which raises it
        return Failed(world.rank, _portable(error, world))


def _answer(world: World, answer: Done[ResultT] | Failed) -> None:
    try:
        world.send(answer, to=0)
    except Exception as error:  # noqa: BLE001 - a result that cannot be pickled crosses as an error
        world.send(Failed(world.rank, _portable(error, world)), to=0)


def _done_or_raise(answer: Done[ResultT] | Failed) -> Done[ResultT]:
    if isinstance(answer, Failed):
        raise answer.error
    return answer


def _portable(error: Exception, world: World) -> HpcscanError:
    """Return the error itself if it is meant for the user and survives the journey, else this rank's account of it."""
    if isinstance(error, HpcscanError) and _is_picklable(error):
        return error
    return RemoteError(world.rank, world.host, "".join(traceback.format_exception(error)))


def _is_picklable(error: HpcscanError) -> bool:
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001 - a class of somebody else's may raise anything here
        return False
    return True
