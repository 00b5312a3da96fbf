"""The units of work: the fit of one chunk of grid points, and the refit of some of them."""

from __future__ import annotations

from time import perf_counter

from hpcscan.fit.block import fit_block
from hpcscan.fit.records import IntArray, PointResults
from hpcscan.fit.refit import refit_block
from hpcscan.fit.settings import FitSettings
from hpcscan.model.interface import Array, Model
from hpcscan.scan.chunks import Block, Chunk
from hpcscan.scan.grid import Grid
from hpcscan.scan.repair import Refit

#: What a rank can be asked to do.
Task = Chunk | Refit


def fit_chunk(model: Model, grid: Grid, settings: FitSettings, chunk: Chunk) -> PointResults:
    """Fit every block of a chunk, and note how long its points took."""
    return PointResults.joined([_fit_block(model, grid, settings, block) for block in chunk.blocks])


def refit(model: Model, grid: Grid, settings: FitSettings, task: Refit) -> PointResults:
    """Refit the points of a task from their neighbours' minima; give those that changed."""
    points = model_points(model, grid, task.current.point_index)
    return refit_block(model, points, task.starts, task.current, settings)


def perform(model: Model, grid: Grid, settings: FitSettings, task: Task) -> PointResults:
    """Do one task."""
    return fit_chunk(model, grid, settings, task) if isinstance(task, Chunk) else refit(model, grid, settings, task)


def model_points(model: Model, grid: Grid, point_index: IntArray) -> Array:
    """Coordinates of grid points in the order of the model's axes, shape (n, n_axes)."""
    names = [axis.name for axis in grid.axes]
    return grid.points(point_index)[:, [names.index(axis.name) for axis in model.axes]]


def _fit_block(model: Model, grid: Grid, settings: FitSettings, block: Block) -> PointResults:
    begin = perf_counter()
    point_index = block.point_index
    result = fit_block(model, model_points(model, grid, point_index), point_index, settings)
    result.fit_seconds[:] = (perf_counter() - begin) / block.n_points
    return result
