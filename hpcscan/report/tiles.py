"""Cells of a figure that stand for several points, where a grid has more of them than paper and eye tell apart."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Cells along one axis of a figure; a grid with more values there has several points in a cell.
MOST_CELLS = 400


def steps(shape: tuple[int, ...], most: int | None = None) -> tuple[int, ...]:
    """Count the points that a cell stands for along each axis of a grid, with at most so many cells there."""
    return tuple(-(-n // (most or MOST_CELLS)) for n in shape)


def gathered(values: NDArray[Any], step: tuple[int, ...], fill: float) -> NDArray[Any]:
    """Bring the points of every cell together, along one last axis.

    Parameters
    ----------
    values : array, shape (n, m, …, rest)
        With one more axis than there are steps.
    step : tuple of int
        Points of a cell along each axis.
    fill : float
        Stands in where the last cell of an axis has fewer points than the others.

    Returns
    -------
    array, shape (⌈n/step⌉, ⌈m/step⌉, …, points of a cell × rest)
    """
    shape = values.shape[:-1]
    n_cells = [-(-n // size) for n, size in zip(shape, step, strict=True)]
    missing = [(0, k * size - n) for k, size, n in zip(n_cells, step, shape, strict=True)]
    whole = np.pad(values, [*missing, (0, 0)], constant_values=fill)
    sides = [number for pair in zip(n_cells, step, strict=True) for number in pair]
    parts = whole.reshape(*sides, values.shape[-1])
    n_axes = len(step)
    order = [*range(0, 2 * n_axes, 2), *range(1, 2 * n_axes, 2), 2 * n_axes]
    return parts.transpose(order).reshape(*n_cells, -1)


def lowest_in(values: NDArray[np.float64], step: tuple[int, ...]) -> NDArray[np.float64]:
    """Take the lowest value of each cell; NaN where none is known."""
    filled = np.where(np.isfinite(values), values, np.inf)
    lowest = gathered(filled[..., None], step, np.inf).min(axis=-1)
    return np.where(np.isinf(lowest), np.nan, lowest)


def any_in(is_so: NDArray[np.bool_], step: tuple[int, ...]) -> NDArray[np.bool_]:
    """Tell of each cell whether it is so at any of its points."""
    return np.asarray(gathered(is_so[..., None], step, False).any(axis=-1))


def size_text(step: tuple[int, ...]) -> str:
    """Write how many points a cell stands for, such as "3 × 3"."""
    return " × ".join(f"{size:,}" for size in step)
