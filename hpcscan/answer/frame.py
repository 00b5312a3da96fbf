"""The coordinates of the answer: scanned and profiled parameters, and scales, in one row.

A coordinate z is the parameter itself, or its logarithm where the grid is spaced so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np

from hpcscan.arrays import Array, IntArray
from hpcscan.grid import Grid
from hpcscan.model.problem import Problem, scale_names

Role = Literal["scanned", "profiled", "scale"]
#: Values are spaced in the logarithm where its steps differ by less than this, and their own by more.
EVEN = 1e-6


@dataclass(frozen=True)
class Coordinate:
    """One coordinate of the answer.

    Attributes
    ----------
    name : str
    role : {"scanned", "profiled", "scale"}
    lower, upper : float
        Between which it is looked for: declared bounds; the ends of the grid for a side of a scanned parameter that
        has none.
    lower_end, upper_end : {"bound", "grid"}
        What these are.
    first, last : float
        The ends of the grid, or of the range in which starts are drawn.
    values : tuple of float
        On the grid.
    is_log : bool
    """

    name: str
    role: Role
    lower: float
    upper: float
    lower_end: str
    upper_end: str
    first: float
    last: float
    values: tuple[float, ...] = ()
    is_log: bool = False

    @property
    def width(self) -> float:
        """The natural unit."""
        return self.last - self.first if self.last > self.first else 1.0

    def natural(self, z: Array) -> Array:
        """Turn the coordinate into the parameter."""
        return np.exp(z) if self.is_log else z


@dataclass(frozen=True)
class Frame:
    """All coordinates: the scanned ones in the order of the grid, then the profiled ones, then the scales."""

    coordinates: tuple[Coordinate, ...]

    @classmethod
    def of(cls, free: Problem, grid: Grid, sizes: Mapping[str, float]) -> Frame:
        """Lay out the coordinates of a problem in which everything is free.

        Parameters
        ----------
        free : Problem
            Without axes.
        grid : Grid
        sizes : mapping of str to float
            How large each scale is.
        """
        of_name = {p.name: p for p in free.parameters}
        scanned = [_scanned(of_name[a.name].lower, of_name[a.name].upper, a.name, a.values) for a in grid.axes]
        on_grid = {axis.name for axis in grid.axes}
        profiled = [
            Coordinate(p.name, "profiled", p.lower, p.upper, "bound", "bound", *p.start_range)
            for p in free.parameters
            if p.name not in on_grid
        ]
        counted = {o.scale for o in free.observables if o.kind == "poisson"}
        scales = [_scale(name, sizes[name], name in counted) for name in scale_names(free)]
        return cls((*scanned, *profiled, *scales))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of all coordinates."""
        return tuple(c.name for c in self.coordinates)

    @cached_property
    def scanned(self) -> tuple[int, ...]:
        """Places of the scanned parameters."""
        return self._with("scanned")

    @cached_property
    def axes(self) -> tuple[int, ...]:
        """Places of the scanned parameters with more than one value: those that have intervals and contours."""
        return tuple(k for k in self.scanned if len(self.coordinates[k].values) > 1)

    @cached_property
    def parameters(self) -> tuple[int, ...]:
        """Places of all parameters, scanned and profiled."""
        return tuple(sorted((*self._with("scanned"), *self._with("profiled"))))

    @cached_property
    def scales(self) -> tuple[int, ...]:
        """Places of the scales."""
        return self._with("scale")

    def thinned(self, most: int) -> tuple[Frame, list[IntArray]]:
        """Leave out values of the grid where there are many; give the places of those that stay, for every axis."""
        coordinates: list[Coordinate] = []
        kept: list[IntArray] = []
        for about in self.coordinates:
            n = len(about.values)
            places = np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(np.int64))
            if about.role == "scanned":
                kept.append(places)
            coordinates.append(replace(about, values=tuple(about.values[place] for place in places.tolist())))
        return Frame(tuple(coordinates)), kept

    def _with(self, role: Role) -> tuple[int, ...]:
        return tuple(k for k, c in enumerate(self.coordinates) if c.role == role)

    @cached_property
    def lower(self) -> Array:
        """Lower ends, shape (n_coordinates,)."""
        return np.array([c.lower for c in self.coordinates], float)

    @cached_property
    def upper(self) -> Array:
        """Upper ends, likewise."""
        return np.array([c.upper for c in self.coordinates], float)

    @cached_property
    def width(self) -> Array:
        """Natural units, likewise."""
        return np.array([c.width for c in self.coordinates], float)

    def side(self, z: Array) -> Array:
        """Say where coordinates, shape (n, n_coordinates), rest: −1 lower, +1 upper end, 0 between them."""
        near = 1e-9 * self.width
        is_fixed = self.lower == self.upper
        side: Array = np.where(is_fixed, 0.0, 1.0 * (z >= self.upper - near) - 1.0 * (z <= self.lower + near))
        return side

    def natural(self, z: Array) -> Array:
        """Turn coordinates, shape (..., n_coordinates), into parameters and scales."""
        columns = [c.natural(z[..., k]) for k, c in enumerate(self.coordinates)]
        return np.stack(columns, axis=-1) if columns else z

    def coordinates_of(self, natural: Array) -> Array:
        """Do the opposite."""
        columns = [np.log(natural[..., k]) if c.is_log else natural[..., k] for k, c in enumerate(self.coordinates)]
        return np.stack(columns, axis=-1) if columns else natural


def _scanned(lower: float, upper: float, name: str, values: tuple[float, ...]) -> Coordinate:
    """Give the coordinate of an axis; in its logarithm a bound at zero is infinitely far, and so none."""
    is_log = _is_log(np.array(values))
    ends = (np.log(lower) if lower > 0 else -np.inf, np.log(upper)) if is_log else (lower, upper)
    on_grid = np.log(values) if is_log else np.array(values, float)
    low, high = (float(end) if np.isfinite(end) else float(on_grid[k]) for end, k in zip(ends, (0, -1), strict=True))
    low_kind, high_kind = ("bound" if np.isfinite(end) else "grid" for end in ends)
    first, last, places = float(on_grid[0]), float(on_grid[-1]), tuple(on_grid.tolist())
    return Coordinate(name, "scanned", low, high, low_kind, high_kind, first, last, places, is_log)


def _is_log(values: Array) -> bool:
    if len(values) < 3 or values[0] <= 0:
        return False
    steps, ratios = np.diff(values), np.diff(np.log(values))
    return bool(np.ptp(ratios) <= EVEN * ratios.mean() and np.ptp(steps) > EVEN * steps.mean())


def _scale(name: str, size: float, is_positive: bool) -> Coordinate:
    around = abs(size) if size else 1.0
    lower = 0.0 if is_positive else -np.inf
    return Coordinate(name, "scale", lower, np.inf, "bound", "bound", size - around / 2, size + around / 2)
