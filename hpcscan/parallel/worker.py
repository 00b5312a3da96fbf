"""A worker: computes what rank 0 sends, one task after another, until it is sent away."""

from __future__ import annotations

import pickle
import traceback
from collections import deque
from collections.abc import Callable
from typing import NoReturn

from hpcscan.errors import Exit, HpcscanError, RemoteError
from hpcscan.parallel.messages import (
    Brief,
    Dismissal,
    Done,
    Failed,
    Goodbye,
    JobT,
    Prepare,
    Promise,
    PromiseMaker,
    Recall,
    Release,
    ResultT,
    Returned,
    StepT,
    TaskMessage,
    TaskT,
)
from hpcscan.parallel.world import World


class _Mailbox:
    """Messages that have arrived and are not dealt with."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.letters: deque[object] = deque()

    def wait(self) -> None:
        """Wait for news; return at once where there is unread mail and none."""
        while not (news := self._world.receive()) and not self.letters:
            self._stop_without_coordinator()
            self._world.nap()
        self.letters.extend(news)

    def find(self, kind: type) -> object | None:
        """Look for a message that overtakes the others."""
        return next((letter for letter in self.letters if isinstance(letter, kind)), None)

    def return_tasks(self) -> int:
        """Throw away the tasks that have not begun, and the recalls; count the tasks."""
        n_tasks = sum(isinstance(letter, TaskMessage) for letter in self.letters)
        self.letters = deque(letter for letter in self.letters if not isinstance(letter, TaskMessage | Recall))
        return n_tasks

    def _stop_without_coordinator(self) -> None:
        if 0 in self._world.dead():
            self._world.abort(Exit.INTERNAL)


def follow(
    world: World, prepare: Prepare[JobT, StepT, TaskT, ResultT], before_task: Callable[[], None] = lambda: None
) -> int:
    """Serve the coordinator until it sends this rank away; every rank but 0.

    Parameters
    ----------
    world : World
        The ranks.
    prepare : callable
        From a job, and from the function by which work makes promises, make the function that turns a task into a
        result.
    before_task : callable, optional
        Called before every task.

    Returns
    -------
    int
        The exit code that came with the dismissal, after all ranks agreed to leave.
    """
    work: Callable[[TaskT], ResultT] = compute_unbriefed
    mailbox = _Mailbox(world)
    while True:
        mailbox.wait()
        # A dismissal overtakes the task ahead: nobody waits for its result any more.
        if isinstance(dismissal := mailbox.find(Dismissal), Dismissal):
            _say_goodbye(world, mailbox)
            return dismissal.exit_code
        if mailbox.find(Recall):
            world.send(Returned(world.rank, mailbox.return_tasks()), to=0)
            continue
        match mailbox.letters.popleft():
            case Brief(job):
                work = prepare_work(world, prepare, job, _promise_to_coordinator(world))
            case TaskMessage(task):
                before_task()
                _answer(world, compute(world, work, task))


def _say_goodbye(world: World, mailbox: _Mailbox) -> None:
    """Leave together: some launchers end the job with the first rank that goes."""
    world.send(Goodbye(world.rank), to=0)
    while not mailbox.find(Release):
        mailbox.letters.clear()
        mailbox.wait()
    world.leave()


def _promise_to_coordinator(world: World) -> PromiseMaker[StepT]:
    def promise(step: StepT, seconds: float) -> None:
        world.send(Promise(world.rank, step, seconds), to=0)

    return promise


def prepare_work(
    world: World,
    prepare: Prepare[JobT, StepT, TaskT, ResultT],
    job: JobT,
    promise: PromiseMaker[StepT],
) -> Callable[[TaskT], ResultT]:
    """Make the work; if that fails, every task fails for that reason, so that each still has one answer."""
    try:
        return prepare(job, promise)
    except Exception as error:  # noqa: BLE001 - crosses to rank 0, which raises it
        reason = _portable(error, world)

    def fail(task: TaskT) -> ResultT:
        raise reason

    return fail


def compute_unbriefed(task: object) -> NoReturn:
    """Refuse: without a brief there is nothing to compute with."""
    raise RuntimeError("a task came before the brief")


def compute(world: World, work: Callable[[TaskT], ResultT], task: TaskT) -> Done[ResultT] | Failed:
    """Do one task; what it raises becomes a message."""
    try:
        return Done(world.rank, work(task))
    except Exception as error:  # noqa: BLE001 - crosses to rank 0, which raises it
        return Failed(world.rank, _portable(error, world))


def _answer(world: World, answer: Done[ResultT] | Failed) -> None:
    try:
        world.send(answer, to=0)
    except Exception as error:  # noqa: BLE001 - a result that cannot be pickled crosses as an error
        world.send(Failed(world.rank, _portable(error, world)), to=0)


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
