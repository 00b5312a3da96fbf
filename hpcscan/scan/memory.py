"""Whether the results of a grid fit into memory: asked before anything is computed."""

from __future__ import annotations

import os

import numpy as np

from hpcscan.errors import UsageError
from hpcscan.fit.records import PointResults
from hpcscan.model.interface import Model
from hpcscan.scan.grid import Grid


def bytes_per_point(model: Model, n_starts: int) -> int:
    """Memory that rank 0 keeps for one grid point."""
    n = 2
    return sum(array.nbytes for array in PointResults.not_run(model, np.arange(n), n_starts).arrays()) // n


def available_memory() -> int:
    """Memory of this machine, in bytes."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def check_memory(grid: Grid, model: Model, n_starts: int) -> None:
    """Refuse a grid whose results rank 0 cannot hold.

    Raises
    ------
    UsageError
        With the size found and the size available.
    """
    needed, available = grid.n_points * bytes_per_point(model, n_starts), available_memory()
    if needed > available:
        raise UsageError(
            f"scan: the results of {grid.n_points:,} points with {n_starts} starts need {needed / 1e9:.1f} GB "
            f"on rank 0, which has {available / 1e9:.1f} GB; use fewer points or starts"
        )
