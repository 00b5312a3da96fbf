"""−2 ln L of a model of terms for many rows at once, with the scales profiled in closed form.

Inside the fit the rows are the last axis, so that every operation runs along contiguous memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from hpcscan.arrays import Array, BoolArray, IntArray, is_large
from hpcscan.likelihood.box import LEAST_SIZE, Box, finite_differences, forward_differences
from hpcscan.likelihood.linear import sum_of_squares, weighted_sum
from hpcscan.likelihood.rows import Rows, RowTally, derived_in_calls, in_calls, jacobian_in_calls
from hpcscan.likelihood.terms import (
    LEAST_EXPECTATION,
    Terms,
    count_scale,
    deviance,
    root_expectation,
    root_weight,
    step_residual,
)
from hpcscan.model.problem import Problem, scale_names
from hpcscan.tolerance import Precision

#: A singular value of the Jacobian below this × the largest one counts as zero.
NULL = 1e-8
#: A way to differentiate predictions: `finite_differences` or `forward_differences`.
Differences = Callable[..., Array]


@dataclass(frozen=True)
class Given(Rows):
    """What is given at n rows.

    Attributes
    ----------
    points : array, shape (n_axes, n)
    observed : array, shape (n_observables, n), or None
        Data of each row, in the units of the observables; None where all rows have the model's.
    owner : int array, shape (n,), or None
        Number of the point on whose account rows of the model are asked for; None where nobody counts them.
    """

    points: Array
    observed: Array | None = None
    owner: IntArray | None = None


@dataclass(frozen=True)
class Evaluation(Rows):
    """χ² and what it is made of, for n rows.

    Attributes
    ----------
    raw : array, shape (n_observables, n)
        Predictions before the scale.
    scale : array, shape (n_scales, n)
        S = Σ (m f/σ²) / Σ (f²/σ²) over the observables that share it; for counts see `count_scale`.
    residual : array, shape (n_observables, n)
        (S f − m)/σ, whitened where it is correlated; for counts what a step sees, (μ − n)/√μ.
    chi2 : array, shape (n,)
        −2 ln L: the sum of the squared residuals, and of the deviance of counts; not finite where the prediction is
        not, or is no expectation of counts.
    """

    raw: Array
    scale: Array
    residual: Array
    chi2: Array


class Objective:
    """The profile −2 ln L of a problem as a function of rows of (what is given, parameters).

    Parameters
    ----------
    precision : float, optional
        Relative precision of the model's numbers; of floating point where it is not given.
    least_size : float
        Of a parameter in finite differences, relative to its width.
    n_points : int
        For how many points the rows are counted that they ask for.
    """

    def __init__(
        self,
        problem: Problem,
        precision: float | None = None,
        least_size: float = LEAST_SIZE,
        n_points: int = 0,
    ) -> None:
        self._least_size = least_size
        self._needs_differences: bool | None = None
        self.tally = RowTally(n_points)
        self.problem = problem
        self.box = Box.of(problem)
        self.terms = Terms.of(problem)
        self.groups = [_members([o.scale == name for o in problem.observables]) for name in scale_names(problem)]
        self.precision = Precision(precision or 0.0, self.terms.size)
        self._unit = self.box.width / self.terms.sigma[:, :, None]
        self._counts = np.flatnonzero(self.terms.is_count)

    def evaluate(self, given: Given, x: Array) -> Evaluation:
        """Evaluate χ² at rows of what is given, for parameters of shape (n_parameters, n)."""
        terms = self.terms
        target = self.target(given)
        with np.errstate(all="ignore"):
            raw = self.predict(given, x)
            residual = terms.in_sigmas(raw)
            scale = np.empty((len(self.groups), x.shape[1]))
            # Scales in closed form, and the residuals at them.
            for k, members in enumerate(self.groups):
                a = residual[members]
                scale[k] = self._profiled_scale(members, a, target[members])
                residual[members] = a * scale[k]
            if terms.has_counts:
                return self._with_counts(raw, scale, residual, target)
            residual -= target
            return Evaluation(raw, scale, residual, sum_of_squares(residual))

    def target(self, given: Given) -> Array:
        """Observed values in σ, whitened: shape (n_observables, n), or one column where all rows have the same."""
        return self.terms.target if given.observed is None else self.terms.in_sigmas(given.observed)

    def _profiled_scale(self, members: slice | list[int], a: Array, target: Array) -> Array:
        is_count = self.terms.is_count[members]
        if not (self.terms.has_counts and is_count.any()):
            return np.asarray(np.add.reduce(a * target, axis=0) / sum_of_squares(a))
        # Counts and normal values with one scale: the root of a quadratic equation.
        normal = a[~is_count]
        squares, products = (normal * normal).sum(axis=0), (normal * target[~is_count]).sum(axis=0)
        return count_scale(a[is_count], target[is_count], squares, products)

    def _with_counts(self, raw: Array, scale: Array, scaled: Array, target: Array) -> Evaluation:
        expected, counts = scaled[self._counts], target[self._counts]
        residual = scaled - target
        residual[self._counts] = 0.0
        # χ² takes the deviance of counts; their residuals are those that make Newton's step.
        chi2 = (residual * residual).sum(axis=0) + deviance(expected, counts).sum(axis=0)
        residual[self._counts] = step_residual(expected, counts)
        return Evaluation(raw, scale, residual, chi2)

    def slopes(self, given: Given, x: Array, at: Evaluation) -> Array:
        """Differentiate the predictions before any scale, in σ, by the parameters in units of the box's widths.

        Shape (n_observables, n_parameters, n); zero for a parameter that is fixed, whatever the model says.
        """
        central: Differences = partial(finite_differences, least_size=self._least_size)
        return self._slopes(given, x, at, central)

    def _slopes(self, given: Given, x: Array, at: Evaluation, differences: Differences) -> Array:
        if not x.shape[1]:
            return np.empty((len(at.raw), *x.shape))
        with np.errstate(all="ignore"):
            raw = self._raw_jacobian(given, x, at, differences)
            slopes: Array = np.multiply(raw, self._unit, order="F" if is_large(raw.shape) else "C")
            for whitening in self.terms.whitenings:
                slopes[whitening.place] = whitening.apply(slopes[whitening.place])
        is_fixed = self.box.is_fixed[:, 0]
        if is_fixed.any():
            slopes[:, is_fixed] = 0.0
        return slopes

    def needs_differences(self, given: Given, x: Array) -> bool:
        """Whether derivatives by most of the free parameters must be had by differences, of other than counts.

        Where an expectation is zero −2 ln L of a count has a wall, along which only exact steps lead.
        Which a model gives is a property of the model; it is asked once, at the first of some rows.
        """
        if self._needs_differences is None:
            # A model may give some of its derivatives, and leave the others to differences.
            n_unknown = self.box.n_free
            if self.problem.has_jacobian:
                with np.errstate(all="ignore"):
                    known = jacobian_in_calls(self.problem, *rows_first(given.points[:, :1], x[:, :1])).is_given
                is_unknown = np.zeros(len(x), bool) if known is None else ~known.all(axis=0)
                n_unknown = int((is_unknown & ~self.box.is_fixed[:, 0]).sum())
            self._needs_differences = 2 * n_unknown > self.box.n_free and not self.terms.has_counts
        return self._needs_differences

    def forward_slopes(self, given: Given, x: Array, at: Evaluation) -> Array:
        """Do the same as `slopes` with half as many rows: what the model does not give is by forward differences."""
        return self._slopes(given, x, at, forward_differences)

    def weighed(self, slopes: Array, at: Evaluation) -> Array:
        """Turn derivatives of the predictions in σ into those of the residuals at the present scales."""
        if not self.groups and not self.terms.has_counts:
            return slopes
        scaled: Array = slopes * self.spread_scales(at)[:, None]
        if self.terms.has_counts:
            with np.errstate(all="ignore"):
                scaled[self._counts] /= self._root_weights(at)[:, None]
        return scaled

    def profiled(self, slopes: Array, scaled: Array, at: Evaluation) -> Array:
        """Turn derivatives at the present scales into those of the profiled residuals; of the same shape.

        With a = f/σ and r = S a − m/σ: ∂r = S ∂a + a ∂S, where ∂S = −Σ ∂a (r + S a) / Σ a². With counts the scale's
        direction is projected out, which leaves the gradient and the Schur complement of the expected Hessian.

        Parameters
        ----------
        slopes, scaled : array, shape (n_observables, n_parameters, n)
            ∂a and S ∂a.
        """
        if not self.groups:
            return scaled
        result = scaled.copy()
        levers = self.levers(at)
        with np.errstate(all="ignore"):
            for k, members in enumerate(self.groups):
                a = levers[members]
                if self.terms.has_counts and self.terms.is_count[members].any():
                    d_scale = weighted_sum(-a / _positive((a * a).sum(axis=0)), scaled[members])
                else:
                    lever = (at.residual[members] + at.scale[k] * a) / sum_of_squares(a)
                    d_scale = weighted_sum(-lever, slopes[members])
                # One observable after another: what is worked on stays in cache.
                for row, of_row in zip(np.arange(len(result))[members], a, strict=True):
                    result[row] += of_row * d_scale
        return result

    def jacobian(self, given: Given, x: Array, at: Evaluation) -> Array:
        """Differentiate the profiled residuals by parameters in units of the box's widths; of the shape of `slopes`."""
        slopes = self.slopes(given, x, at)
        return self.profiled(slopes, self.weighed(slopes, at), at)

    def bend(self, at: Evaluation, jacobian: Array, moved: Evaluation, moved_jacobian: Array) -> Array:
        """Σ r ∂²r for one step: what half the Hessian has beside JᵀJ, times the step; shape (n_parameters, n).

        With counts r is not what J differentiates. There it is the change of half the gradient, JᵀJ included.
        """
        if not self.terms.has_counts:
            return weighted_sum(at.residual, moved_jacobian - jacobian)
        return weighted_sum(moved.residual, moved_jacobian) - weighted_sum(at.residual, jacobian)

    def at_walls(self, given: Given, at: Evaluation) -> BoolArray:
        """Mark expectations of no count, where none was seen: no step may lower them; shape (n_observables, n)."""
        result = np.zeros(at.raw.shape, bool)
        none_seen = self.target(given)[self._counts] == 0
        result[self._counts] = none_seen & (self.predicted(at)[self._counts] <= LEAST_EXPECTATION)
        return result

    def missed(self, given: Given, residual: Array, change: Array, trial: Evaluation) -> Array:
        """Return what a linear step has missed, for `bent_back`: the residuals found minus those expected.

        For counts, whose residuals J does not differentiate, it is what the predictions do that is not linear, in √μ at
        the beginning; where none was seen and the step leads below zero, it has missed the least expectation.

        Parameters
        ----------
        residual, change : array, shape (n_observables, n)
            At the beginning of the step, and how the step was expected to change it.
        """
        missed: Array = trial.residual - (residual + change)
        if self.terms.has_counts:
            counts, expected = self.target(given)[self._counts], self.predicted(trial)[self._counts]
            root = root_expectation(residual[self._counts], counts)
            is_through = (counts == 0) & (expected < 0)
            bent = (expected - root * root) / root - change[self._counts]
            missed[self._counts] = np.where(is_through, (expected - LEAST_EXPECTATION) / root, bent)
        return missed

    def levers(self, at: Evaluation) -> Array:
        """Differentiate the residuals by the scales of their observables: shape (n_observables, n)."""
        levers = self.terms.in_sigmas(at.raw)
        if self.terms.has_counts:
            with np.errstate(all="ignore"):
                levers[self._counts] /= self._root_weights(at)
        return levers

    def predicted(self, at: Evaluation) -> Array:
        """Scaled predictions in the units of the observables, shape (n_observables, n)."""
        predicted = at.raw.copy()
        for k, members in enumerate(self.groups):
            predicted[members] *= at.scale[k]
        return predicted

    def null(self, at: Evaluation) -> Array:
        """Singular value, relative to the largest, below which a direction of the Jacobian is flat, shape (n,)."""
        return np.full(at.chi2.shape, max(NULL, 3 * self.precision.relative ** (2 / 3)))

    def curvature(self, jacobian: Array, at: Evaluation) -> Array:
        """Half the second derivatives of χ² by single parameters, |J_j|²: shape (n_parameters, n).

        An expectation of less than one count weighs as one: over the distance to the next count it bends no more.
        """
        with np.errstate(all="ignore"):
            squares = jacobian * jacobian
            if self.terms.has_counts:
                weight = self._root_weights(at) ** 2
                squares[self._counts] *= (weight / np.maximum(weight, 1.0))[:, None]
            return np.asarray(squares.sum(axis=0))

    def size(self, at: Evaluation) -> Array:
        """Length of the scaled predictions in σ, shape (n,)."""
        with np.errstate(all="ignore"):
            scaled = self.terms.in_sigmas(self.predicted(at))
            if self.terms.has_counts:
                scaled[self._counts] /= self._root_weights(at)
            return np.asarray(np.sqrt((scaled**2).sum(axis=0)))

    def spread_scales(self, at: Evaluation) -> Array:
        """Return the scale of every observable, 1 where it has none: shape (n_observables, n)."""
        result = np.ones_like(at.raw)
        for k, members in enumerate(self.groups):
            result[members] = at.scale[k]
        return result

    def without_scales(self, columns: Array, at: Evaluation) -> Array:
        """Project out what the scales can do from columns in σ, shape (n_observables, any, n)."""
        result = columns.copy()
        levers = self.levers(at)
        with np.errstate(all="ignore"):
            for members in self.groups:
                a = levers[members]
                part = (columns[members] * a[:, None]).sum(axis=0) / _positive((a * a).sum(axis=0))
                result[members] = columns[members] - a[:, None] * part
        return result

    def derive(self, given: Given, x: Array, at: Evaluation) -> Mapping[str, Array]:
        """Compute the model's derived quantities: arrays whose first axis is the rows."""
        scales = dict(zip(scale_names(self.problem), at.scale, strict=True))
        with np.errstate(all="ignore"):
            return derived_in_calls(self.problem, *rows_first(given.points, x), scales)

    def predict(self, given: Given, x: Array) -> Array:
        """Predict the observables before any scale: shape (n_observables, n)."""
        rows = rows_first(given.points, x)
        predicted = in_calls(self.problem, self.problem.predict, *rows)
        # A call that raises is made again for fewer rows, and they count then: alike whatever was asked with them.
        self.tally.add(given.owner, *rows)
        # The result is copied, since it may be read-only or used again. Sums over observables are taken in one order
        # only where the rows are the last axis in memory too.
        return np.array(predicted.T, np.float64, order="C")

    def predict_beside(self, given: Given, x: Array) -> Array:
        """Do the same for finite differences."""
        before = self.tally.total
        predicted = self.predict(given, x)
        self.problem.count_differences(self.tally.total - before)
        return predicted

    def _root_weights(self, at: Evaluation) -> Array:
        """√μ of the counts, with its floor: shape (n_counts, n)."""
        return root_weight(self.predicted(at)[self._counts])

    def _raw_jacobian(self, given: Given, x: Array, at: Evaluation, differences: Differences) -> Array:
        def differ(is_wanted: BoolArray) -> Array:
            def predict(places: Array, row: IntArray) -> Array:
                return self.predict_beside(given.take(row), places)

            return differences(predict, x, at.raw, self.box, self.precision.relative, is_wanted)

        if not self.problem.has_jacobian:
            return differ(np.ones(len(x), bool))
        rows = rows_first(given.points, x)
        known = jacobian_in_calls(self.problem, *rows)
        self.tally.add(given.owner, *rows)
        values = np.asarray(known.values, np.float64).transpose(1, 2, 0)
        # Differences for those parameters alone by which something is missing.
        if known.is_given is None:
            return values
        return np.where(known.is_given[:, :, None], values, differ(np.asarray(~known.is_given.all(axis=0))))


def _members(mask: list[bool]) -> slice | list[int]:
    """Return positions as a slice where they are contiguous, so that selecting them copies nothing."""
    places = [i for i, is_member in enumerate(mask) if is_member]
    if places == list(range(places[0], places[-1] + 1)):
        return slice(places[0], places[-1] + 1)
    return places


def _positive(norm: Array) -> Array:
    """Keep a norm by which is divided from being zero, where what is divided is zero too."""
    return np.where(norm == 0, 1.0, norm)


def rows_first(points: Array, x: Array) -> tuple[Array, Array]:
    """Return read-only views with the rows first."""
    points, x = points.T, x.T
    points.flags.writeable = x.flags.writeable = False
    return points, x
