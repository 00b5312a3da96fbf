"""The units of work: what every task knows of itself, and what all tasks of a run have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar, Generic, Protocol, Self, TypeAlias, TypeVar

import numpy as np

from hpcscan.arrays import Array, BoolArray, IntArray
from hpcscan.errors import PointError
from hpcscan.fitting.records import PointResults, Status
from hpcscan.grid import Grid
from hpcscan.guard.failures import describe_exception, describe_time_out
from hpcscan.guard.guard import Finished, Fit, Guard, Promise, ResultsT
from hpcscan.guard.guarded import guarded
from hpcscan.guard.process import keep_streams
from hpcscan.guard.spot import Doubt, SpotCheck
from hpcscan.guard.time_limit import TimeLimit, TimeUpError
from hpcscan.likelihood.terms import Terms
from hpcscan.model.problem import Problem
from hpcscan.settings import FitSettings
from hpcscan.table import RecordTable
from hpcscan.tolerance import Precision

#: The kind of record of a grid point.
GRID_POINT = "point"
#: Makes the context in which the model is called outside of tasks, where that has to be interrupted.
Calling = Callable[[], AbstractContextManager[None]]


@dataclass(frozen=True)
class Common:
    """What the tasks of a run have in common."""

    model: Problem
    grid: Grid
    settings: FitSettings

    def points(self, point_index: IntArray) -> Array:
        """Coordinates of grid points in the order of the model's axes, shape (n, n_axes)."""
        names = [axis.name for axis in self.grid.axes]
        return self.grid.points(point_index)[:, [names.index(axis.name) for axis in self.model.axes]]

    @property
    def precision(self) -> Precision:
        """Of the model's numbers, as it was measured."""
        relative = self.settings.precision or 0.0
        if self.model.is_scalar:
            return Precision(relative, floor=self.settings.precision_floor)
        return Precision(relative, Terms.of(self.model).size)


class ScanTask(ABC, Generic[ResultsT]):
    """What a rank can be asked to do. It is about some points: of the grid, or whatever else it numbers.

    Attributes
    ----------
    kind : str or None
        Of the records that it leaves in the journal: `GRID_POINT`, or the name of a `RecordKind`. None where it leaves
        none, so that it is done again after an interruption.
    """

    kind: ClassVar[str | None] = None

    @property
    @abstractmethod
    def points(self) -> IntArray:
        """Its points, in the order of its rows."""

    @abstractmethod
    def only(self, is_kept: BoolArray) -> ScanTask[ResultsT]:
        """Return what is left of it with some of its points, at least one."""

    @abstractmethod
    def compute(self, common: Common, guard: Guard) -> Finished[ResultsT]:
        """Do it, whatever the model does at some points: each is computed or given up."""

    @abstractmethod
    def give_up(self, common: Common, rows: IntArray, status: Status) -> ResultsT:
        """Record points, by their rows, whose fit came to nothing."""

    def without(self, step: IntArray) -> list[ScanTask[ResultsT]]:
        """Return what is to be done where a rank hangs at a step: the other points, and those of the step one by one.

        Parameters
        ----------
        step : int array
            The points that the rank had begun. A point alone is the culprit, and is left out.
        """
        # A point may have several rows.
        points = list(dict.fromkeys(step.tolist()))
        alone = [self.only(self.points == point) for point in points] if len(points) > 1 else []
        is_other = ~np.isin(self.points, step)
        return [*alone, *([self.only(is_other)] if is_other.any() else [])]

    def hung(self, common: Common, step: IntArray) -> Sequence[Finished[ResultsT]]:
        """Record the point at which a rank hangs, if it is known."""
        if len(np.unique(step)) > 1:
            return []
        failure = describe_time_out(int(step[0]), common.settings.time_limit or 0)
        results = self.give_up(common, np.flatnonzero(self.points == step[0]), Status.TIMED_OUT)
        return [Finished(results, (failure,))]


class Selectable(Protocol):
    """Rows of which some can be selected."""

    def take(self, rows: IntArray) -> Self:
        """Select rows."""


AskedT = TypeVar("AskedT", bound=Selectable)


@dataclass(frozen=True)
class WaveTask(ScanTask[RecordTable], Generic[AskedT]):
    """Some rows of what one wave asks for.

    Attributes
    ----------
    rows : int array, shape (n,)
        Their places in the wave.
    asked : Selectable
        What is asked for in these n rows.
    """

    rows: IntArray
    asked: AskedT

    @property
    def points(self) -> IntArray:
        """Their places in the wave."""
        return self.rows

    def only(self, is_kept: BoolArray) -> Self:
        """Return what is left of it with some of its rows."""
        return replace(self, rows=self.rows[is_kept], asked=self.asked.take(np.flatnonzero(is_kept)))

    def compute(self, common: Common, guard: Guard) -> Finished[RecordTable]:
        """Do what is asked for; a row that raises comes to nothing."""
        return guard.run(self.rows, Fit(partial(self.done, common), partial(self.give_up, common)))

    @abstractmethod
    def done(self, common: Common, rows: IntArray) -> RecordTable:
        """Do what is asked for in some rows, by their numbers in the task."""


@contextmanager
def failing(where: str, limit: TimeLimit, calling: Calling = nullcontext) -> Iterator[None]:
    """Raise a PointError that says where, if the model fails or takes too long outside of a task.

    Parameters
    ----------
    calling : callable, optional
        See `Calling`.
    """
    try:
        with calling(), limit.armed():
            yield
    except TimeUpError as error:
        raise PointError(f"{where}: {describe_time_out(0, limit.seconds or 0.0).kind}") from error
    except Exception as error:
        raise PointError(f"{where}: {describe_exception(0, error).in_short}") from error


#: A task about points of the grid, and what comes of it.
GridTask: TypeAlias = ScanTask[PointResults]
GridAnswer: TypeAlias = Finished[PointResults]


def promise_nothing(_points: IntArray, _seconds: float) -> None:
    """Hear a promise that nobody is waiting for."""


def perform(  # noqa: PLR0913, PLR0917  (the last two are for ranks that are watched)
    model: Problem,
    grid: Grid,
    settings: FitSettings,
    task: ScanTask[ResultsT],
    promise: Promise = promise_nothing,
    spot: SpotCheck | None = None,
) -> Finished[ResultsT]:
    """Do one task, whatever the model does at some points.

    Parameters
    ----------
    promise : callable, optional
        Told which points are begun, where their time is limited.
    spot : SpotCheck, optional
        Looks at the model after the task.
    """
    limit = TimeLimit(settings.time_limit)
    common = Common(guarded(model, limit, spot), grid, settings)
    finished = task.compute(common, Guard(limit, promise, not model.batch_invariant))
    keep_streams()
    return finished if spot is None else replace(finished, doubts=_looked(spot, model, limit))


def _looked(spot: SpotCheck, model: Problem, limit: TimeLimit) -> tuple[Doubt, ...]:
    try:
        with limit.armed():
            return spot.look(guarded(model, limit))
    except TimeUpError:
        text = "predict takes longer than fit.time_limit for rows that it had computed before"
        return (Doubt(text, text),)


@dataclass(frozen=True)
class _DoneHere(Generic[ResultsT]):
    """What comes of a task that was done on this process."""

    result: Finished[ResultsT]


@dataclass(frozen=True)
class Alone:
    """A team of this process alone."""

    common: Common
    n_ranks: ClassVar[int] = 1

    def map(self, tasks: Iterable[ScanTask[ResultsT]]) -> Iterator[_DoneHere[ResultsT]]:
        """Compute tasks, one after the other."""
        about = self.common
        for task in tasks:
            yield _DoneHere(perform(about.model, about.grid, about.settings, task))


class Run(Protocol):
    """Does the tasks of a wave, and gives what comes of them in any order."""

    @property
    def n_ranks(self) -> int:
        """Who does them; no result depends on it."""

    def __call__(self, tasks: Sequence[ScanTask[RecordTable]]) -> Iterable[RecordTable]:
        """Do some tasks."""


@dataclass(frozen=True)
class DoneBy:
    """Has tasks done by a team, and keeps no journal of them."""

    team: Any

    @property
    def n_ranks(self) -> int:
        """Who does them."""
        return int(self.team.n_ranks)

    def __call__(self, tasks: Sequence[ScanTask[RecordTable]]) -> Iterator[RecordTable]:
        """Do some tasks."""
        for done in self.team.map(tasks):
            yield done.result.results
