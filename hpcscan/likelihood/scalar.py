"""−2 ln L of a model that has only this number, with the constraints of its parameters.

There are no residuals here. What a fit needs of derivatives are those of −2 ln L itself: a gradient, given or by
differences, and a Hessian by second differences.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from hpcscan.arrays import Array
from hpcscan.likelihood.box import LEAST_SIZE, Box, steps
from hpcscan.likelihood.objective import Evaluation, Given, Objective, rows_first
from hpcscan.likelihood.rows import RowTally, derived_in_calls, in_calls
from hpcscan.model.problem import CONSTRAINT, Problem
from hpcscan.tolerance import Precision

#: A second difference is taken over a step at which −2 ln L changes by about this.
HESSIAN_CHANGE = 1e-3
#: Steps of second differences relative to the box's widths: shortest and longest.
SHORTEST, LONGEST = 1e-7, 0.05
#: Of numbers that are less precise: the change in units of their noise, and the longest step.
NOISES, LONGEST_OF_NOISE = 30.0, 0.2
#: A root of a Hessian by differences has directions that are no longer than this share of the longest by truncation.
LEAST_NULL = 1e-4


class ScalarObjective:
    """−2 ln L of a scalar problem as a function of rows of (what is given, parameters).

    Derivatives are in units of the box's widths, and of half −2 ln L: as those of a sum of squares of residuals are
    made of one product of each pair.

    Parameters
    ----------
    precision : float, optional
        Relative precision of −2 ln L; that of floating point where it is not given.
    floor : float
        Size of −2 ln L below which its error falls no more.
    n_points : int
        For how many points the rows are counted that they ask for.
    """

    def __init__(self, problem: Problem, precision: float | None = None, floor: float = 0.0, n_points: int = 0) -> None:
        self.problem = problem
        self.tally = RowTally(n_points)
        self.box = Box.of(problem)
        self.precision = Precision(precision or 0.0, floor=floor)
        self._mean = np.array([o.observed for o in problem.observables], float)[:, None]
        self._sigma = np.array([o.sigma for o in problem.observables], float)[:, None]

    def evaluate(self, given: Given, x: Array) -> Evaluation:
        """Evaluate −2 ln L at rows of what is given, for parameters of shape (n_parameters, n)."""
        rows = rows_first(given.points, x)
        with np.errstate(all="ignore"):
            raw = np.array(self.problem.predict(*rows).T, np.float64, order="C")
            mean = self._mean if given.observed is None else given.observed[: len(raw)]
            residual = (raw - mean) / self._sigma
            own = np.array(self._in_calls(self.problem.twice_nll, given, *rows), np.float64)
            self.tally.add(given.owner, *rows)
            return Evaluation(raw, np.empty((0, x.shape[1])), residual, own + (residual * residual).sum(axis=0))

    def gradient(self, given: Given, x: Array, at: Evaluation) -> Array:
        """Differentiate half −2 ln L: shape (n_parameters, n)."""
        if self.problem.has_gradient:
            rows = rows_first(given.points, x)
            with np.errstate(all="ignore"):
                own = np.array(self._in_calls(self.problem.gradient, given, *rows).T, np.float64, order="C")
                self.tally.add(given.owner, *rows)
                gradient = 0.5 * (own + self._gradient_of_constraints(at)) * self.box.width
            return np.where(self.box.is_fixed, 0.0, gradient)
        step = [steps(x[j], self.box.width[j], self.precision.relative) for j in range(len(x))]
        return self.differences(given, x, np.array(step).reshape(x.shape))[0]

    def _in_calls(self, ask: Callable[..., Array], given: Given, points: Array, parameters: Array) -> Array:
        """Ask the model in calls of one size; the data of rows go there beside the points."""
        if given.observed is None:
            return in_calls(self.problem, ask, points, parameters)
        n = points.shape[1]

        def with_data(together: Array, parameters: Array) -> Array:
            points, data = (np.ascontiguousarray(part) for part in (together[:, :n], together[:, n:]))
            points.flags.writeable = data.flags.writeable = False
            return ask(points, parameters, data)

        together = np.concatenate([points, given.observed[len(self._mean) :].T], axis=1)
        return in_calls(self.problem, with_data, together, parameters)

    def differences(self, given: Given, x: Array, step: Array) -> tuple[Array, Array]:
        """Differentiate half −2 ln L once and twice by every parameter: shape (n_parameters, n) each.

        Parameters
        ----------
        step : array, shape (n_parameters, n)
            In the parameters' units; near a bound the differences are taken about a place further inside.
        """
        box, free = self.box, np.flatnonzero(~self.box.is_fixed[:, 0])
        gradient, curvature = np.zeros_like(x), np.zeros_like(x)
        if not len(free):
            return gradient, curvature
        step = np.minimum(step, (box.upper - box.lower) / 4)
        # Two places for every parameter, on both sides or on one where a bound is near.
        places = []
        for j in free:
            first = np.where(x[j] + step[j] <= box.upper[j], step[j], -step[j])
            is_near = (x[j] - step[j] < box.lower[j]) | (x[j] + step[j] > box.upper[j])
            second = np.where(is_near, 2 * first, -first)
            for offset in (0.0, first, second):
                place = x.copy()
                place[j] += offset
                places.append(place)
        values = self._values(given, places).reshape(len(free), 3, -1)
        for k, j in enumerate(free):
            # Slope and curvature of the parabola through the three places, in units of the width.
            first, second = (places[3 * k + i][j] - x[j] for i in (1, 2))
            rise, far = values[k, 1] - values[k, 0], values[k, 2] - values[k, 0]
            width, spread = box.width[j], first * second * (second - first)
            gradient[j] = 0.5 * width * (rise * second * second - far * first * first) / spread
            curvature[j] = width * width * (far * first - rise * second) / spread
        return gradient, curvature

    def hessian(self, given: Given, x: Array, step: Array) -> Array:
        """Differentiate half −2 ln L twice, by second differences: shape (k, k, n).

        Parameters
        ----------
        step : array, shape (k, n)
            Of the axes, in their units, if k is the number of axes and parameters; then of the parameters, likewise.

        Returns
        -------
        array, shape (k, k, n)
            Per step squared. Zero for a parameter that is fixed.
        """
        k, n_axes = len(step), len(step) - len(x)
        box, coordinates = self.box, x
        if n_axes:
            coordinates = np.concatenate([given.points, x])
        # Differences are central about a place from which both sides are inside.
        step = step.copy()
        own = step[n_axes:]
        np.minimum(own, (box.upper - box.lower) / 4, out=own)
        centre = coordinates.copy()
        centre[n_axes:] = np.clip(x, box.lower + own, box.upper - own)
        is_free = step[:, 0] > 0 if step.shape[1] else np.zeros(k, bool)
        # Two places for every pair: one along the sum of both steps, and one opposite.
        pairs = [(i, j) for i in range(k) for j in range(i + 1) if is_free[i] and is_free[j]]
        places = [centre]
        for i, j in pairs:
            for sign in (1, -1):
                place = centre.copy()
                place[i] += sign * step[i]
                if i != j:
                    place[j] += sign * step[j]
                places.append(place)
        values = self._values_at(given, places, n_axes)
        # f(x + s) + f(x − s) − 2 f(x) is sᵀHs; the mixed ones follow by H_ij = (sum − own of i − own of j)/2.
        rise = {pair: values[2 * p + 1] + values[2 * p + 2] - 2 * values[0] for p, pair in enumerate(pairs)}
        result = np.zeros((k, k, x.shape[1]))
        for i, j in pairs:
            mixed = rise[i, j] if i == j else 0.5 * (rise[i, j] - rise[i, i] - rise[j, j])
            result[i, j] = result[j, i] = 0.5 * mixed
        return result

    def hessian_of_parameters(self, given: Given, x: Array, curvature: Array, chi2: Array) -> Array:
        """Compute the Hessian by the parameters in units of the box's widths, from what is known of its diagonal.

        Parameters
        ----------
        curvature : array, shape (n_parameters, n)
            Half the second derivatives, in those units; only their size counts.
        chi2 : array, shape (n,)
            −2 ln L there.
        """
        step = np.minimum(self.lengths(curvature, chi2) * self.box.width, (self.box.upper - self.box.lower) / 4)
        hessian = self.hessian(given, x, step)
        unit = np.where(step > 0, self.box.width / np.where(step > 0, step, 1.0), 0.0)
        return hessian * unit[:, None] * unit

    def lengths(self, curvature: Array, chi2: Array) -> Array:
        """Choose steps of second differences, in natural units, over which −2 ln L changes visibly.

        That is by `HESSIAN_CHANGE`, or by many times the noise of less precise numbers.
        """
        noise = self.precision.noise(chi2) if self.precision.relative else np.zeros_like(chi2)
        with np.errstate(all="ignore"):
            length = np.sqrt(np.maximum(HESSIAN_CHANGE, NOISES * noise) / np.abs(curvature))
        longest = LONGEST_OF_NOISE if self.precision.relative else LONGEST
        return np.clip(np.where(np.isnan(length), longest, length), SHORTEST, longest)

    def predicted(self, at: Evaluation) -> Array:
        """Return the constrained parameters, shape (n_observables, n)."""
        return at.raw

    def derive(self, given: Given, x: Array, at: Evaluation) -> Mapping[str, Array]:
        """Compute the model's derived quantities: arrays whose first axis is the rows."""
        with np.errstate(all="ignore"):
            return derived_in_calls(self.problem, *rows_first(given.points, x), {})

    def null(self, at: Evaluation) -> Array:
        """Singular value, relative to the largest, below which a direction is flat: what noise leaves, shape (n,)."""
        with np.errstate(all="ignore"):
            return np.maximum(LEAST_NULL, np.sqrt(4 * self.precision.noise(at.chi2) / HESSIAN_CHANGE))

    def curvature(self, columns: Array, at: Evaluation) -> Array:
        """Half the second derivatives of −2 ln L by single parameters: shape (n_parameters, n)."""
        return np.asarray((columns * columns).sum(axis=0))

    def size(self, at: Evaluation) -> Array:
        """Size of what is differentiated, as a length whose square is −2 ln L: shape (n,)."""
        return np.sqrt(np.abs(at.chi2))

    def without_scales(self, columns: Array, at: Evaluation) -> Array:
        """Return columns as they are: there are no scales."""
        return columns

    def _gradient_of_constraints(self, at: Evaluation) -> Array:
        """Differentiate the constraints by the profiled parameters, shape (n_parameters, n)."""
        result = np.zeros((len(self.problem.parameters), at.raw.shape[1]))
        names = [o.name for o in self.problem.observables]
        for j, parameter in enumerate(self.problem.parameters):
            if (name := f"{CONSTRAINT}{parameter.name}") in names:
                row = names.index(name)
                stretch = at.raw[row] if parameter.name in self.problem.logarithmic else 1.0
                result[j] = 2 * at.residual[row] / self._sigma[row] * stretch
        return result

    def _values(self, given: Given, places: list[Array]) -> Array:
        """Evaluate −2 ln L at several places of every row in one call: shape (n_places, n)."""
        n = places[0].shape[1]
        together = given.take(np.tile(np.arange(n), len(places)))
        return self._beside(together, np.concatenate(places, axis=1)).reshape(len(places), n)

    def _values_at(self, given: Given, places: list[Array], n_axes: int) -> Array:
        """Do the same where the places have coordinates too."""
        if not n_axes:
            return self._values(given, places)
        together, n = np.concatenate(places, axis=1), places[0].shape[1]
        points, x = np.ascontiguousarray(together[:n_axes]), np.ascontiguousarray(together[n_axes:])
        repeated = given.take(np.tile(np.arange(n), len(places)))
        return self._beside(replace(repeated, points=points), x).reshape(len(places), n)

    def _beside(self, given: Given, x: Array) -> Array:
        """Evaluate −2 ln L for finite differences."""
        before = self.tally.total
        chi2 = self.evaluate(given, x).chi2
        self.problem.count_differences(self.tally.total - before)
        return chi2


#: What can be minimised.
AnyObjective = Objective | ScalarObjective


def objective_of(
    problem: Problem,
    precision: float | None = None,
    least_size: float = LEAST_SIZE,
    floor: float = 0.0,
    n_points: int = 0,
) -> AnyObjective:
    """Make the objective of a problem; see `Objective` and `ScalarObjective`."""
    if problem.is_scalar:
        return ScalarObjective(problem, precision, floor, n_points)
    return Objective(problem, precision, least_size, n_points)
