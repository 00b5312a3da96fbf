"""What goes over the wire between rank 0 and the others.

coordinator → worker    Brief, then any number of Task; Recall; at the end Dismissal and Release
worker → coordinator    for each Task any number of Promise and one Done or Failed; Returned; at the end Goodbye
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from hpcscan.errors import HpcscanError

JobT = TypeVar("JobT")
TaskT = TypeVar("TaskT")
ResultT = TypeVar("ResultT")
StepT = TypeVar("StepT")

#: How work says what it begins, and within how many seconds it will have begun something else or ended.
PromiseMaker: TypeAlias = Callable[[StepT, float], None]
#: From a job, make the function that turns a task into a result.
Prepare: TypeAlias = Callable[[JobT, PromiseMaker[StepT]], Callable[[TaskT], ResultT]]


@dataclass(frozen=True)
class Brief(Generic[JobT]):
    """What all tasks have in common."""

    job: JobT


@dataclass(frozen=True)
class TaskMessage(Generic[TaskT]):
    """One thing to compute."""

    task: TaskT


@dataclass(frozen=True)
class Promise(Generic[StepT]):
    """A rank begins this step of its task; if nothing is heard of it for so many seconds, it hangs."""

    rank: int
    step: StepT
    seconds: float


@dataclass(frozen=True)
class Done(Generic[ResultT]):
    """The result of one task, and the rank that computed it."""

    rank: int
    result: ResultT


@dataclass(frozen=True)
class Failed:
    """A task, or the preparation for it, raised."""

    rank: int
    error: HpcscanError


@dataclass(frozen=True)
class Recall:
    """Give back the tasks that have not begun."""


@dataclass(frozen=True)
class Returned:
    """So many tasks, the last ones received, will not be computed."""

    rank: int
    n_tasks: int


@dataclass(frozen=True)
class Dismissal:
    """Nothing more to do: leave with this code, when released."""

    exit_code: int


@dataclass(frozen=True)
class Goodbye:
    """The last message of a rank: it has nothing more to say."""

    rank: int


@dataclass(frozen=True)
class Release:
    """Everybody has said goodbye, so nobody is cut short by the end of another."""
