"""Quantities of all points, seen on the one or two axes of a figure, in cells that may stand for several points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcscan.analysis.landscape import Landscape
from hpcscan.arrays import Array

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
    # Pad to whole cells, split every axis into (cell, point of the cell), and bring these together.
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
    """Return for each cell whether it is so at any of its points."""
    return np.asarray(gathered(is_so[..., None], step, False).any(axis=-1))


def size_text(step: tuple[int, ...]) -> str:
    """Write how many points a cell stands for, such as "3 × 3"."""
    return " × ".join(f"{size:,}" for size in step)


@dataclass(frozen=True)
class Projection:
    """Which axes a figure has, and what happens to the others.

    Attributes
    ----------
    shown : tuple of int
        One or two axes; those with the most values.
    hidden : tuple of int
        All other axes, also those with one value.
    step : tuple of int
        Points of a cell along each shown axis.
    """

    landscape: Landscape
    shown: tuple[int, ...]
    hidden: tuple[int, ...]
    step: tuple[int, ...]

    @classmethod
    def of(cls, landscape: Landscape) -> Projection:
        """Choose the axes; of a grid with a single point the first."""
        shape = landscape.grid.shape
        scanned = landscape.scanned or (0,)
        shown = tuple(sorted(sorted(scanned, key=lambda k: -shape[k])[:2]))
        hidden = tuple(k for k in range(len(shape)) if k not in shown)
        return cls(landscape, shown, hidden, steps(tuple(shape[k] for k in shown)))

    @property
    def is_partial(self) -> bool:
        """Whether axes with several values are hidden."""
        return any(self.landscape.grid.shape[k] > 1 for k in self.hidden)

    @property
    def cell_note(self) -> str:
        """Format how many points a cell stands for; "" where it is one."""
        return f" Each cell stands for {size_text(self.step)} points" if max(self.step) > 1 else ""

    @property
    def worst_note(self) -> str:
        """Describe what `worst` leaves out."""
        hidden = " Over the axes that are not shown, the worst value." if self.is_partial else ""
        return hidden + (f"{self.cell_note} and shows the worst value." if self.cell_note else "")

    @property
    def lowest_note(self) -> str:
        """Describe what `at_lowest` leaves out."""
        hidden = " At the lowest χ² over the axes that are not shown." if self.is_partial else ""
        return hidden + (f"{self.cell_note} and shows that of the lowest χ²." if self.cell_note else "")

    def worst(self, values: Array) -> Array:
        """Project values, shape (n_points,), by their maximum over hidden axes and cells; NaN where all are missing."""
        # NaN is no value: a cell is unknown only where all its points are.
        surface = self._surface(values)
        largest = np.max(np.where(np.isnan(surface), -np.inf, surface), axis=-1)
        return np.where(np.isneginf(largest), np.nan, largest)

    def at_lowest(self, values: Array) -> Array:
        """Project values by those of the lowest χ² over hidden axes and cells."""
        # The same point for every quantity, so that figures belong together.
        chi2 = self._surface(self.landscape.chi2)
        lowest = np.argmin(np.where(np.isnan(chi2), np.inf, chi2), axis=-1)
        return np.take_along_axis(self._surface(values), lowest[..., None], axis=-1)[..., 0]

    def _surface(self, values: Array) -> Array:
        """Bring values into the shape of the cells, with the points of each as one last axis."""
        shape = self.landscape.grid.shape
        ordered = np.asarray(values, float).reshape(shape).transpose(*self.shown, *self.hidden)
        return gathered(ordered.reshape(*(shape[k] for k in self.shown), -1), self.step, np.nan)
