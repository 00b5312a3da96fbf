"""Points that disagree with their neighbours more than the neighbours' own slope explains."""

from __future__ import annotations

import numpy as np

from hpcscan.arrays import Array, BoolArray
from hpcscan.grid import Grid
from hpcscan.tolerance import tie_tolerance

#: On an axis of three values nothing tells a spike from a smooth minimum.
LEAST_VALUES = 4


def spikes(grid: Grid, chi2: Array) -> BoolArray:
    """Find points that disagree with their neighbours more than the neighbours' own slope explains.

    Along each axis a point is compared with the straight line through its two neighbours. It is a spike where it lies
    off that line by more than the steepest slope around it, without the point, would move χ² in one step.

    Parameters
    ----------
    grid : Grid
    chi2 : array, shape (n_points,)

    Returns
    -------
    bool array, shape (n_points,)
        False at the ends of an axis, on axes too short to tell, and where a neighbour has no χ².
    """
    surface = chi2.reshape(grid.shape)
    found = np.zeros(grid.shape, bool)
    for number, axis in enumerate(grid.axes):
        if len(axis.values) >= LEAST_VALUES:
            along = np.moveaxis(surface, number, 0).reshape(len(axis.values), -1)
            is_spike = _spikes_along(np.array(axis.values)[:, None], along)
            others = tuple(n for k, n in enumerate(grid.shape) if k != number)
            found |= np.moveaxis(is_spike.reshape(len(axis.values), *others), 0, number)
    return found.ravel()


def _spikes_along(x: Array, f: Array) -> BoolArray:
    """Compare the inner rows of f, shape (n, m), with the line through the rows before and after them."""
    found = np.zeros(f.shape, bool)
    left, right = x[1:-1] - x[:-2], x[2:] - x[1:-1]
    across = (f[2:] - f[:-2]) / (left + right)
    off = np.abs(f[1:-1] - (f[:-2] + across * left))
    slope = np.abs(np.diff(f, axis=0) / np.diff(x, axis=0))
    nothing = np.zeros((1, f.shape[1]))
    before, after = np.concatenate([nothing, slope[:-2]]), np.concatenate([slope[2:], nothing])
    steepest = np.fmax(np.fmax(before, after), np.abs(across))
    found[1:-1] = off > steepest * np.maximum(left, right) + tie_tolerance(np.abs(f[1:-1]))
    return found
