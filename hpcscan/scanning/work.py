"""The units of work: the fit of one chunk of grid points, and the refit of some of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from time import perf_counter

from hpcscan.arrays import Array, IntArray
from hpcscan.fitting.block import fit_block
from hpcscan.fitting.records import PointResults, Status
from hpcscan.fitting.refit import refit_block
from hpcscan.grid import Grid
from hpcscan.guard.guard import Finished, Fit, Guard, Promise
from hpcscan.guard.guarded import guarded
from hpcscan.guard.time_limit import TimeLimit
from hpcscan.model.interface import Model
from hpcscan.scanning.chunks import Block, Chunk
from hpcscan.scanning.repair import Refit
from hpcscan.settings import FitSettings

#: What a rank can be asked to do.
Task = Chunk | Refit


def promise_nothing(_points: IntArray, _seconds: float) -> None:
    """Hear a promise that nobody is waiting for."""


def perform(
    model: Model, grid: Grid, settings: FitSettings, task: Task, promise: Promise = promise_nothing
) -> Finished:
    """Do one task, whatever the model does at some points.

    Parameters
    ----------
    model : Model
    grid : Grid
    settings : FitSettings
    task : Task
    promise : callable, optional
        Told which points are begun, where their time is limited.
    """
    limit = TimeLimit(settings.time_limit)
    job = _Job(guarded(model, limit), grid, settings, Guard(limit, promise, model.batch_invariant))
    return job.fit(task) if isinstance(task, Chunk) else job.refit(task)


def model_points(model: Model, grid: Grid, point_index: IntArray) -> Array:
    """Coordinates of grid points in the order of the model's axes, shape (n, n_axes)."""
    names = [axis.name for axis in grid.axes]
    return grid.points(point_index)[:, [names.index(axis.name) for axis in model.axes]]


@dataclass(frozen=True)
class _Job:
    """What the fits of all tasks have in common."""

    model: Model
    grid: Grid
    settings: FitSettings
    guard: Guard

    def fit(self, chunk: Chunk) -> Finished:
        """Fit every block of a chunk."""
        return Finished.joined([self._fit(block) for block in chunk.blocks])

    def refit(self, task: Refit) -> Finished:
        """Refit the points of a task from their neighbours' minima; give those that changed."""
        fit = Fit(partial(self._refit_rows, task), partial(keep_what_is_known, task))
        return self.guard.run(task.current.point_index, fit)

    def _fit(self, block: Block) -> Finished:
        fit = Fit(partial(self._fit_rows, block), partial(self._give_up, block))
        return self.guard.run(block.point_index, fit)

    def _fit_rows(self, block: Block, rows: IntArray) -> PointResults:
        begin = perf_counter()
        point_index = block.point_index[rows]
        points = model_points(self.model, self.grid, point_index)
        result = fit_block(self.model, points, point_index, self.settings)
        result.fit_seconds[:] = (perf_counter() - begin) / len(rows)
        return result

    def _give_up(self, block: Block, rows: IntArray, status: Status) -> PointResults:
        return without_fit(self.model, self.settings, block.point_index[rows], status)

    def _refit_rows(self, task: Refit, rows: IntArray) -> PointResults:
        current = task.current.take(rows)
        points = model_points(self.model, self.grid, current.point_index)
        begin = perf_counter()
        result = refit_block(self.model, points, task.starts[rows], current, self.settings)
        result.fit_seconds[:] += (perf_counter() - begin) / len(rows)
        return result


def without_fit(model: Model, settings: FitSettings, point_index: IntArray, status: Status) -> PointResults:
    """Record points of which nothing is known but how their fit ended."""
    result = PointResults.not_run(model, point_index, settings.n_starts)
    result.status[:] = status
    return result


def keep_what_is_known(task: Refit, rows: IntArray, status: Status) -> PointResults:
    """Record points whose refit came to nothing: what the fits before it found holds, but for a time-out is said so."""
    if status == Status.FAILED:
        rows = rows[:0]
    result = task.current.take(rows)
    result.status[:] = status
    return result
