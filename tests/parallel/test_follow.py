"""A worker, with its mail written beforehand."""

from __future__ import annotations

import pickle
from typing import NoReturn

import pytest

from hpcscan.errors import HpcscanError, RemoteError, UsageError
from hpcscan.parallel import Coordinator, Done, SerialWorld, follow
from hpcscan.parallel.messages import Brief, Dismissal, Failed, Goodbye, Promise, Recall, Release, Returned, TaskMessage


class Mailbox:
    """Rank 3 of 4; each call of ``receive`` delivers the next of the batches."""

    rank, size, library, host = 3, 4, "none", "here"

    def __init__(self, *batches: list[object]) -> None:
        self.batches = list(batches)
        self.sent: list[object] = []
        self.has_left = self.has_said_goodbye = False

    def send(self, message: object, to: int) -> None:
        assert to == 0
        copy = pickle.loads(pickle.dumps(message))
        if isinstance(copy, Goodbye):
            self.has_said_goodbye = True
        else:
            self.sent.append(copy)

    def receive(self) -> list[object]:
        return self.batches.pop(0) if self.batches else []

    def nap(self) -> None:
        assert self.batches, "waits for ever"

    def dead(self) -> frozenset[int]:
        return frozenset()

    def replace(self, rank: int) -> bool:
        return False

    def leave(self) -> None:
        assert self.has_said_goodbye
        self.has_left = True

    def abort(self, exit_code: int) -> NoReturn:
        raise SystemExit(exit_code)


class UnpicklableError(HpcscanError):
    def __init__(self, one: str, two: str) -> None:
        super().__init__(one + two)


def raise_(error: Exception) -> NoReturn:
    raise error


def double(job, promise):
    return lambda task: job * task


def test_serves_tasks_and_leaves_with_the_code_it_is_given():
    """Also when mail comes late or several letters at once."""
    world = Mailbox(
        [], [Brief(2)], [TaskMessage(1), TaskMessage(5)], [], [], [TaskMessage(7)], [Dismissal(75)], [Release()]
    )
    assert follow(world, double) == 75
    assert world.sent == [Done(3, 2), Done(3, 10), Done(3, 14)]
    assert world.has_left


def test_dismissal_before_any_brief():
    """A configuration error: nothing is prepared, nothing is sent."""
    world = Mailbox([Dismissal(2)], [Release()])
    assert follow(world, pytest.fail) == 2
    assert world.sent == []


def test_dismissal_overtakes_the_task_ahead():
    """Nobody waits for its result any more."""
    world = Mailbox([Brief(1)], [TaskMessage(1), TaskMessage(2)], [Dismissal(70)], [Release()])
    assert follow(world, double) == 70
    assert world.sent == [Done(3, 1)]


def test_a_new_brief_replaces_the_old_one():
    """A second job for the same team."""
    world = Mailbox([Brief(2), TaskMessage(1), Brief(3), TaskMessage(1)], [], [], [], [Dismissal(0)], [Release()])
    follow(world, double)
    assert world.sent == [Done(3, 2), Done(3, 3)]


def test_every_task_has_one_answer_even_if_preparation_failed():
    """So the coordinator's count of what a worker holds stays right."""

    def refuse(job, promise):
        raise UsageError("no such model")

    world = Mailbox([Brief(2), TaskMessage(1), TaskMessage(2)], [], [], [Dismissal(2)], [Release()])
    assert follow(world, refuse) == 2
    assert [str(failed.error) for failed in world.sent] == ["no such model"] * 2


@pytest.mark.parametrize(
    ("work", "told"),
    [
        (lambda task: task["x"], "KeyError: 'x'"),
        (lambda task: lambda: task, "pickle"),
        (lambda task: raise_(UnpicklableError("sum ", "thing")), "UnpicklableError: sum thing"),
    ],
)
def test_what_cannot_cross_does_so_as_this_ranks_account(work, told):
    """A bug, a result that has no pickle, or an error that has none."""
    world = Mailbox([Brief(0), TaskMessage({})], [], [Dismissal(70)], [Release()])
    follow(world, lambda job, promise: work)
    (failed,) = world.sent
    assert type(failed.error) is RemoteError
    assert (failed.error.rank, failed.error.host) == (3, "here")
    assert told in failed.error.traceback


def test_a_bug_in_the_preparation_is_told_with_its_own_traceback():
    """Not that of the task which found out."""
    world = Mailbox([Brief({}), TaskMessage(1)], [], [Dismissal(70)], [Release()])
    follow(world, lambda job, promise: job["model"])
    (failed,) = world.sent
    assert "KeyError: 'model'" in failed.error.traceback


def test_a_task_before_the_brief_is_an_error_not_a_hang():
    """Rank 0 hears of it like of any other exception."""
    world = Mailbox([TaskMessage(1)], [Dismissal(70)], [Release()])
    follow(world, double)
    (failed,) = world.sent
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, RemoteError)
    assert (failed.error.rank, failed.error.host) == (3, "here")
    assert "before the brief" in failed.error.traceback


def test_results_that_came_with_a_failure_are_yielded_first():
    """What is finished is saved."""

    class Coordinated(Mailbox):
        rank, size = 0, 12

        def send(self, message: object, to: int) -> None:
            pass

    world = Coordinated([], [Failed(1, UsageError("bad")), Done(2, "good"), Done(3, "good")])
    wave = Coordinator(world, double).map(range(100))
    assert [next(wave).result, next(wave).result] == ["good", "good"]
    with pytest.raises(UsageError, match="bad"):
        next(wave)


def test_nobody_to_send_to_in_a_world_of_one():
    """A message would be lost without a word."""
    with pytest.raises(ValueError, match="no rank 1"):
        SerialWorld().send("hello", to=1)


def test_a_recall_overtakes_the_tasks_that_have_not_begun():
    """They are given back, and the worker goes on serving."""
    world = Mailbox(
        [Brief(1)],
        [TaskMessage(1)],
        [TaskMessage(2), TaskMessage(3), Recall()],
        [],
        [TaskMessage(4)],
        [],
        [Dismissal(75)],
        [Release()],
    )
    assert follow(world, double) == 75
    assert world.sent == [Done(3, 1), Returned(3, 2), Done(3, 4)]


def test_promises_of_the_work_go_to_the_coordinator():
    """With the rank that makes them."""

    def prepare(job, promise):
        def work(task):
            promise(f"step of {task}", 2.0)
            return task

        return work

    world = Mailbox([Brief(1), TaskMessage("a")], [], [Dismissal(0)], [Release()])
    follow(world, prepare)
    assert world.sent == [Promise(3, "step of a", 2.0), Done(3, "a")]


def test_a_worker_does_not_outlive_the_coordinator():
    """Where ranks survive one another."""

    class Orphaned(Mailbox):
        def dead(self) -> frozenset[int]:
            return frozenset([0])

    with pytest.raises(SystemExit):
        follow(Orphaned([]), double)
