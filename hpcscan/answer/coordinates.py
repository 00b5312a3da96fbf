"""The coordinates of the answer: scanned and profiled parameters, and scales, in one row; the problem posed in them.

A coordinate z is the parameter itself, or its logarithm where the grid is spaced so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np

from hpcscan.arrays import Array, BoolArray, IntArray
from hpcscan.grid import Grid
from hpcscan.model.interface import Parameter
from hpcscan.model.problem import Problem, scale_names
from hpcscan.model.returned import Derivatives

Role = Literal["scanned", "profiled", "scale"]
#: Values are spaced in the logarithm where its steps differ by less than this, and their own by more.
EVEN = 1e-6

#: A parameter so many widths from zero has differences by the resolution of its numbers: of a date, say.
FAR = 10.0
EPS = float(np.finfo(float).eps)


@dataclass(frozen=True)
class Coordinate:
    """One coordinate of the answer.

    Attributes
    ----------
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
        sizes : mapping of str to float
            How large each scale is.
        """
        # Scanned parameters first, in the order of the grid, then those that are always profiled.
        of_name = {p.name: p for p in free.parameters}
        scanned = [_scanned(of_name[a.name].lower, of_name[a.name].upper, a.name, a.values) for a in grid.axes]
        on_grid = {axis.name for axis in grid.axes}
        profiled = [
            Coordinate(p.name, "profiled", p.lower, p.upper, "bound", "bound", *p.start_range)
            for p in free.parameters
            if p.name not in on_grid
        ]
        # An expectation of counts is not negative, and so is a scale that multiplies one.
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
        """Return where coordinates, shape (n, n_coordinates), rest: −1 lower, +1 upper end, 0 between them."""
        # A fixed coordinate is at both ends, and rests on neither.
        near = 1e-9 * self.width
        is_fixed = self.lower == self.upper
        side: Array = np.where(is_fixed, 0.0, 1.0 * (z >= self.upper - near) - 1.0 * (z <= self.lower + near))
        return side

    def natural(self, z: Array) -> Array:
        """Turn coordinates, shape (..., n_coordinates), into parameters and scales."""
        columns = [c.natural(z[..., k]) for k, c in enumerate(self.coordinates)]
        return np.stack(columns, axis=-1) if columns else z

    def coordinates_of(self, natural: Array) -> Array:
        """Turn parameters and scales into coordinates."""
        columns = [np.log(natural[..., k]) if c.is_log else natural[..., k] for k, c in enumerate(self.coordinates)]
        return np.stack(columns, axis=-1) if columns else natural


def _scanned(lower: float, upper: float, name: str, values: tuple[float, ...]) -> Coordinate:
    """Return the coordinate of an axis; in its logarithm a bound at zero is infinitely far, and so none."""
    # ln 0 = −∞: a bound at zero is left out, and the grid ends on that side.
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
    # Even in the logarithm, and not in the values themselves, as a short range would be in both.
    steps, ratios = np.diff(values), np.diff(np.log(values))
    return bool(np.ptp(ratios) <= EVEN * ratios.mean() and np.ptp(steps) > EVEN * steps.mean())


def _scale(name: str, size: float, is_positive: bool) -> Coordinate:
    # Its width is the size of the scale: one has no range of its own.
    around = abs(size) if size else 1.0
    lower = 0.0 if is_positive else -np.inf
    return Coordinate(name, "scale", lower, np.inf, "bound", "bound", size - around / 2, size + around / 2)


class Arranged(Problem):
    """The same problem with some coordinates held and some moving; scales that are neither are profiled.

    Parameters
    ----------
    free : Problem
        Without axes.
    held, moving : tuple of int
        Every parameter is in one of them.
    far : float
        Parameters so many widths from zero have differences by the resolution of their numbers.
    """

    def __init__(
        self, free: Problem, frame: Frame, held: tuple[int, ...], moving: tuple[int, ...], far: float = FAR
    ) -> None:
        self._free, self._frame, self.held, self.moving = free, frame, held, moving
        self.axes = tuple(_parameter(frame.coordinates[k]) for k in held)
        self.parameters = tuple(_parameter(frame.coordinates[k]) for k in moving)
        self.batch_invariant, self.is_scalar, self.data = free.batch_invariant, free.is_scalar, free.data
        self.covariances, self.rows_per_call = free.covariances, free.rows_per_call
        self.derived = free.derived
        self.logarithmic = frozenset(c.name for c in frame.coordinates if c.is_log)

        # A scale that is a coordinate multiplies the prediction here, and is no scale to the likelihood.
        explicit = {frame.names[k] for k in (*held, *moving) if k in frame.scales}
        self.observables = tuple(replace(o, scale=None) if o.scale in explicit else o for o in free.observables)
        self._multiplied = {
            frame.names.index(name): np.flatnonzero([o.scale == name for o in free.observables])
            for name in scale_names(free)
            if name in explicit
        }
        self._places = [frame.names.index(p.name) for p in free.parameters]
        # Places as slices, where they are contiguous: these select several times faster.
        self._at_held, self._at_moving, self._at_places = (_slice(some) for some in (held, moving, self._places))
        self._is_far = np.array([_is_far(frame.coordinates[k], far) for k in moving], bool)

    def _together(self, points: Array, parameters: Array) -> Array:
        """Return all coordinates, shape (n, n_coordinates)."""
        z = np.zeros((len(parameters), len(self._frame.coordinates)))
        z[:, self._at_held], z[:, self._at_moving] = points, parameters
        return z

    def _natural(self, z: Array) -> tuple[Array, Array]:
        """Return the arguments of the problem: no axes, and its parameters."""
        # Without logarithms the coordinates are the parameters.
        natural: Array = np.ascontiguousarray((self._frame.natural(z) if self.logarithmic else z)[:, self._at_places])
        nothing = np.empty((len(z), 0))
        natural.flags.writeable = False
        return nothing, natural

    def _factors(self, z: Array) -> Array:
        """Return what multiplies each prediction, shape (n, n_observables)."""
        factors = np.ones((len(z), len(self.observables)))
        for k, members in self._multiplied.items():
            factors[:, members] = z[:, k, None]
        return factors

    def predict(self, points: Array, parameters: Array) -> Array:
        """Predict the observables; the explicit scales included."""
        z = self._together(points, parameters)
        predicted = self._free.predict(*self._natural(z))
        return predicted * self._factors(z) if self._multiplied else predicted

    @property
    def has_jacobian(self) -> bool:
        """Whether the model knows derivatives, or some must be had by differences of their own."""
        return not self.is_scalar and (self._free.has_jacobian or bool(self._is_far.any()))

    def jacobian(self, points: Array, parameters: Array) -> Derivatives:
        """Differentiate `predict` by what moves, as far as the model does, and by what is far from zero."""
        z = self._together(points, parameters)
        shape = len(z), len(self.observables), len(self.moving)
        values, is_given = np.zeros(shape), np.zeros(shape[1:], bool)
        if self._free.has_jacobian:
            self._from_model(z, values, is_given)
        far = np.flatnonzero(self._is_far & ~is_given.all(axis=0))
        base = self.predict(points, parameters) if len(far) else np.empty(0)
        for column in far:
            values[:, :, column] = self._difference(points, parameters, int(column), base)
            is_given[:, column] = True
        return Derivatives(values, None if is_given.all() else is_given)

    def _from_model(self, z: Array, values: Array, is_given: BoolArray) -> None:
        # By the chain rule: d/dz = (dp/dz) d/dp, and a scale that is held multiplies each.
        natural = self._natural(z)
        known, factors = self._free.jacobian(*natural), self._factors(z)
        for column, k in enumerate(self.moving):
            if k in self._places:
                own = self._places.index(k)
                slope = natural[1][:, own, None] if self._frame.coordinates[k].is_log else 1.0
                values[:, :, column] = known.values[:, :, own] * slope * factors
                is_given[:, column] = True if known.is_given is None else known.is_given[:, own]

    def _difference(self, points: Array, parameters: Array, column: int, base: Array) -> Array:
        """Differentiate by a parabola over a step that its numbers resolve; the base is what is predicted here."""
        # The step balances truncation against rounding (ε^⅓), and both places lie within the bounds.
        about, x = self._frame.coordinates[self.moving[column]], parameters[:, column]
        resolution = np.maximum(EPS, np.abs(x) * EPS / about.width)
        step = np.minimum(np.cbrt(resolution) * about.width, (about.upper - about.lower) / 4)
        first = np.where(x + step <= about.upper, step, -step)
        second = np.where(x - step < about.lower, 2 * step, np.where(x + step > about.upper, -2 * step, -step))
        rises, lengths = [], []
        for offset in (first, second):
            place = parameters.copy()
            place[:, column] = x + offset
            lengths.append((place[:, column] - x)[:, None])
            rises.append(self.predict(points, place) - base)
        # The slope at 0 of the parabola through (0, 0), (a, rise_a) and (b, rise_b).
        (a, b), (rise_a, rise_b) = lengths, rises
        difference: Array = (rise_a * b**2 - rise_b * a**2) / (a * b * (b - a))
        return difference

    def derive(self, points: Array, parameters: Array, scales: Mapping[str, Array]) -> Mapping[str, Array]:
        """Compute what the model reports of its own; scales that are coordinates are among the scales again."""
        z = self._together(points, parameters)
        explicit = {self._frame.names[k]: z[:, k] for k in self._multiplied}
        return self._free.derive(*self._natural(z), {**scales, **explicit})

    def twice_nll(self, points: Array, parameters: Array, data: Array | None = None) -> Array:
        """Compute −2 ln L of a scalar model."""
        return self._free.twice_nll(*self._natural(self._together(points, parameters)), data)

    def simulate(self, rng: np.random.Generator, points: Array, parameters: Array) -> Array:
        """Draw data of a scalar model."""
        return self._free.simulate(rng, *self._natural(self._together(points, parameters)))

    @property
    def has_gradient(self) -> bool:
        """Whether a scalar model knows its derivatives."""
        return self._free.has_gradient

    def gradient(self, points: Array, parameters: Array, data: Array | None = None) -> Array:
        """Differentiate −2 ln L by what moves."""
        natural = self._natural(self._together(points, parameters))
        # The same chain rule for −2 ln L.
        own = [self._places.index(k) for k in self.moving]
        is_log = np.array([self._frame.coordinates[k].is_log for k in self.moving], bool)
        return np.where(is_log, natural[1][:, own], 1.0) * self._free.gradient(*natural, data)[:, own]


def _slice(places: Sequence[int]) -> slice | list[int]:
    first = places[0] if places else 0
    is_slice = list(places) == list(range(first, first + len(places)))
    return slice(first, first + len(places)) if is_slice else list(places)


def _parameter(about: Coordinate) -> Parameter:
    start = (max(about.first, about.lower), min(about.last, about.upper))
    return Parameter(about.name, about.lower, about.upper, start=start)


def _is_far(about: Coordinate, far: float) -> bool:
    return max(abs(about.first), abs(about.last)) > far * about.width
