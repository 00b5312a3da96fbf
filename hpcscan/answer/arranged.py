"""A problem arranged anew: any of its coordinates held, any others moving, scales among them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from hpcscan.answer.frame import Coordinate, Frame
from hpcscan.arrays import Array, BoolArray
from hpcscan.model.interface import Parameter
from hpcscan.model.problem import Derivatives, Problem, scale_names

#: A parameter so many widths from zero has differences by the resolution of its numbers: of a date, say.
FAR = 10.0
EPS = float(np.finfo(float).eps)


class Arranged(Problem):
    """The same problem with some coordinates held and some moving; scales that are neither are profiled.

    Parameters
    ----------
    free : Problem
        Without axes.
    frame : Frame
    held, moving : tuple of int
        Every parameter is in one of them.
    """

    def __init__(self, free: Problem, frame: Frame, held: tuple[int, ...], moving: tuple[int, ...]) -> None:
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
        self._is_far = np.array([_is_far(frame.coordinates[k]) for k in moving], bool)

    def _together(self, points: Array, parameters: Array) -> Array:
        """Give all coordinates, shape (n, n_coordinates)."""
        z = np.zeros((len(parameters), len(self._frame.coordinates)))
        z[:, self.held], z[:, self.moving] = points, parameters
        return z

    def _natural(self, z: Array) -> tuple[Array, Array]:
        """Give the arguments of the problem: no axes, and its parameters."""
        natural: Array = np.ascontiguousarray(self._frame.natural(z)[:, self._places])
        nothing = np.empty((len(z), 0))
        natural.flags.writeable = False
        return nothing, natural

    def _factors(self, z: Array) -> Array:
        """Give what multiplies each prediction, shape (n, n_observables)."""
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
        own = [self._places.index(k) for k in self.moving]
        is_log = np.array([self._frame.coordinates[k].is_log for k in self.moving], bool)
        return np.where(is_log, natural[1][:, own], 1.0) * self._free.gradient(*natural, data)[:, own]


def _parameter(about: Coordinate) -> Parameter:
    start = (max(about.first, about.lower), min(about.last, about.upper))
    return Parameter(about.name, about.lower, about.upper, start=start)


def _is_far(about: Coordinate) -> bool:
    return max(abs(about.first), abs(about.last)) > FAR * about.width
