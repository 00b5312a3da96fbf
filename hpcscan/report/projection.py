"""Quantities of all points, seen on the one or two axes of a figure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hpcscan.analysis.landscape import Landscape
from hpcscan.arrays import Array
from hpcscan.report.tiles import gathered, size_text, steps


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
        """Say how many points a cell stands for; "" where it is one."""
        return f" Each cell stands for {size_text(self.step)} points" if max(self.step) > 1 else ""

    @property
    def worst_note(self) -> str:
        """Say what `worst` leaves out."""
        hidden = " Over the axes that are not shown, the worst value." if self.is_partial else ""
        return hidden + (f"{self.cell_note} and shows the worst value." if self.cell_note else "")

    @property
    def lowest_note(self) -> str:
        """Say what `at_lowest` leaves out."""
        hidden = " At the lowest χ² over the axes that are not shown." if self.is_partial else ""
        return hidden + (f"{self.cell_note} and shows that of the lowest χ²." if self.cell_note else "")

    def worst(self, values: Array) -> Array:
        """Project values, shape (n_points,), by their maximum over hidden axes and cells; NaN where all are missing."""
        surface = self._surface(values)
        largest = np.max(np.where(np.isnan(surface), -np.inf, surface), axis=-1)
        return np.where(np.isneginf(largest), np.nan, largest)

    def at_lowest(self, values: Array) -> Array:
        """Project values by those of the lowest χ² over hidden axes and cells."""
        chi2 = self._surface(self.landscape.chi2)
        lowest = np.argmin(np.where(np.isnan(chi2), np.inf, chi2), axis=-1)
        return np.take_along_axis(self._surface(values), lowest[..., None], axis=-1)[..., 0]

    def _surface(self, values: Array) -> Array:
        """Bring values into the shape of the cells, with the points of each as one last axis."""
        shape = self.landscape.grid.shape
        ordered = np.asarray(values, float).reshape(shape).transpose(*self.shown, *self.hidden)
        return gathered(ordered.reshape(*(shape[k] for k in self.shown), -1), self.step, np.nan)
