"""What becomes of a task at some points of which a rank hangs."""

from __future__ import annotations

import numpy as np

from hpcscan.arrays import BoolArray, IntArray
from hpcscan.fitting.records import Status
from hpcscan.guard.failure import describe_time_out
from hpcscan.guard.guard import Finished
from hpcscan.model.interface import Model
from hpcscan.scanning.chunks import Block, Chunk
from hpcscan.scanning.repair import Refit
from hpcscan.scanning.work import Task, keep_what_is_known, without_fit
from hpcscan.settings import FitSettings


def split_off(task: Task, step: IntArray) -> list[Task]:
    """Cut a task into what is to be done without this step, and the points of the step one by one, if they are many.

    Parameters
    ----------
    task : Task
    step : int array
        The points that a rank had begun, by index in the grid. A point alone is the culprit.
    """
    alone = [_take(task, points_of(task) == point) for point in step] if len(step) > 1 else []
    is_other = ~np.isin(points_of(task), step)
    return [*alone, *([_take(task, is_other)] if is_other.any() else [])]


def timed_out(model: Model, settings: FitSettings, task: Task, step: IntArray) -> list[Finished]:
    """Record the point at which a rank hangs, if it is known."""
    if len(step) > 1:
        return []
    failure = describe_time_out(int(step[0]), settings.time_limit or 0)
    if isinstance(task, Chunk):
        results = without_fit(model, settings, step, Status.TIMED_OUT)
    else:
        results = keep_what_is_known(task, np.flatnonzero(points_of(task) == step[0]), Status.TIMED_OUT)
    return [Finished(results, (failure,))]


def points_of(task: Task) -> IntArray:
    """Name the points of a task, in the order of their rows."""
    return task.point_index if isinstance(task, Chunk) else task.current.point_index


def _take(task: Task, is_kept: BoolArray) -> Task:
    if isinstance(task, Refit):
        rows = np.flatnonzero(is_kept)
        return Refit(task.starts[rows], task.current.take(rows))
    kept = points_of(task)[is_kept]
    blocks = [Block(block.point_index[np.isin(block.point_index, kept)]) for block in task.blocks]
    return Chunk(tuple(block for block in blocks if block.n_points))
