"""The unit of work: the fit of one chunk of grid points."""

from __future__ import annotations

from time import perf_counter

import numpy as np

from hpcscan.fit.block import fit_block
from hpcscan.fit.records import IntArray, PointResults
from hpcscan.fit.settings import FitSettings
from hpcscan.model.interface import Array, Model
from hpcscan.scan.chunks import Block, Chunk
from hpcscan.scan.grid import Grid


def fit_chunk(model: Model, grid: Grid, settings: FitSettings, chunk: Chunk) -> PointResults:
    """Fit every block of a chunk, and note how long its points took."""
    return PointResults.joined([_fit_block(model, grid, settings, block) for block in chunk.blocks])


def model_points(model: Model, grid: Grid, point_index: IntArray) -> Array:
    """Coordinates of grid points in the order of the model's axes, shape (n, n_axes)."""
    names = [axis.name for axis in grid.axes]
    return grid.points(point_index)[:, [names.index(axis.name) for axis in model.axes]]


def _fit_block(model: Model, grid: Grid, settings: FitSettings, block: Block) -> PointResults:
    begin = perf_counter()
    point_index = np.arange(block.first, block.stop)
    result = fit_block(model, model_points(model, grid, point_index), point_index, settings)
    result.fit_seconds[:] = (perf_counter() - begin) / block.n_points
    return result
