"""Which points of a grid a region of fixed coverage is about, and which of them are in it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np

from hpcscan.arrays import Array, BoolArray


def around_levels(delta_chi2: Array, shape: tuple[int, ...], levels: Sequence[float]) -> BoolArray:
    """Mark the corners of the cells of a grid that a level crosses, and their neighbours: shape (n_points,).

    Parameters
    ----------
    delta_chi2 : array, shape (n_points,)
        NaN where it is not known: then nothing crosses there.
    shape : tuple of int
    levels : sequence of float
    """
    values = delta_chi2.reshape(shape)
    lowest, highest = (_over_cells(values, pick) for pick in (np.fmin, np.fmax))
    is_crossed = np.zeros(lowest.shape, bool)
    for level in levels:
        is_crossed |= (lowest < level) & (level <= highest)
    marked = np.zeros(shape, bool)
    for corner in product((0, 1), repeat=len(shape)):
        place = tuple(
            slice(c, c + n) if m > 1 else slice(None) for c, n, m in zip(corner, lowest.shape, shape, strict=True)
        )
        marked[place] |= is_crossed
    result: BoolArray = with_neighbours(marked) & np.isfinite(values)
    # Where no level is crossed, the lowest point stands for all.
    if not result.any() and np.isfinite(values).any():
        result.ravel()[np.nanargmin(values)] = True
    return result.ravel()


def _over_cells(values: Array, pick: np.ufunc) -> Array:
    for axis, n in enumerate(values.shape):
        if n > 1:
            first, second = (np.take(values, np.arange(k, n - 1 + k), axis=axis) for k in (0, 1))
            values = pick(first, second)
    return values


def with_neighbours(marked: BoolArray) -> BoolArray:
    """Mark what is marked, and everything one step away, also diagonally."""
    padded = np.pad(marked, 1)
    result = np.zeros_like(marked)
    for offset in product((0, 1, 2), repeat=marked.ndim):
        result |= padded[tuple(slice(o, o + n) for o, n in zip(offset, marked.shape, strict=True))]
    return result


def inside(p_value: Array, is_made: BoolArray, delta_chi2: Array, cl: float, level: float) -> BoolArray:
    """Tell which points are in the region; by Δχ² where no toys were made, which is far from its edge."""
    is_in: BoolArray = np.where(is_made, p_value > 1 - cl, delta_chi2 < level)
    return is_in


def at_the_rim(is_in: BoolArray, is_made: BoolArray, shape: tuple[int, ...]) -> BoolArray:
    """Mark points without toys beside one with toys that is on the other side: the edge is nearer than it seemed."""
    result = np.zeros(shape, bool)
    sides, made = is_in.reshape(shape), is_made.reshape(shape)
    for side in (True, False):
        result |= with_neighbours(made & (sides == side)) & ~made & (sides != side)
    return result.ravel()
