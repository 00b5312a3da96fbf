"""χ² of a model for many rows at once, with the scales profiled in closed form.

Inside the fit the rows are the last axis, so that every operation runs along contiguous memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from hpcscan.arrays import Array
from hpcscan.likelihood.box import Box
from hpcscan.likelihood.derivative import finite_differences
from hpcscan.likelihood.linear import weighted_sum
from hpcscan.likelihood.rows import Rows
from hpcscan.model.interface import Model, scale_names


@dataclass(frozen=True)
class Evaluation(Rows):
    """χ² and what it is made of, for n rows.

    Attributes
    ----------
    raw : array, shape (n_observables, n)
        Predictions before the scale.
    scale : array, shape (n_scales, n)
        S = Σ (m f/σ²) / Σ (f²/σ²) over the observables that share it.
    residual : array, shape (n_observables, n)
        (S f − m)/σ.
    chi2 : array, shape (n,)
        The sum of squared residuals; not finite where the prediction is not.
    """

    raw: Array
    scale: Array
    residual: Array
    chi2: Array


class Objective:
    """The profile χ² of a model as a function of rows of (point, parameters).

    Parameters
    ----------
    model : Model
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self.box = Box.of(model)
        self.sigma = np.array([o.sigma for o in model.observables])[:, None]
        self.target = np.array([o.observed for o in model.observables])[:, None] / self.sigma
        self.groups = [_members([o.scale == name for o in model.observables]) for name in scale_names(model)]
        self._unit = self.box.width / self.sigma[:, :, None]
        self._has_jacobian = type(model).jacobian is not Model.jacobian

    def evaluate(self, points: Array, x: Array) -> Evaluation:
        """Evaluate χ² for points of shape (n_axes, n) and parameters of shape (n_parameters, n)."""
        with np.errstate(all="ignore"):
            raw = self.predict(points, x)
            residual = raw / self.sigma
            scale = np.empty((len(self.groups), x.shape[1]))
            for k, members in enumerate(self.groups):
                a = residual[members]
                scale[k] = (a * self.target[members]).sum(axis=0) / (a * a).sum(axis=0)
                residual[members] = a * scale[k]
            residual -= self.target
            return Evaluation(raw, scale, residual, (residual * residual).sum(axis=0))

    def slopes(self, points: Array, x: Array, at: Evaluation) -> Array:
        """Differentiate the predictions before any scale, in σ, by the parameters in units of the box's widths.

        Shape (n_observables, n_parameters, n); zero for a parameter that is fixed, whatever the model says.
        """
        if not x.shape[1]:
            return np.empty((len(at.raw), *x.shape))
        with np.errstate(all="ignore"):
            slopes: Array = np.multiply(self._raw_jacobian(points, x, at), self._unit, order="C")
        is_fixed = self.box.is_fixed[:, 0]
        if is_fixed.any():
            slopes[:, is_fixed] = 0.0
        return slopes

    def profiled(self, slopes: Array, scaled: Array, at: Evaluation) -> Array:
        """Turn derivatives of the predictions into those of the profiled residuals; of the same shape.

        With a = f/σ and r = S a − m/σ: ∂r = S ∂a + a ∂S, where ∂S = −Σ ∂a (r + S a) / Σ a².

        Parameters
        ----------
        slopes, scaled : array, shape (n_observables, n_parameters, n)
            ∂a and S ∂a.
        at : Evaluation
        """
        result = scaled.copy()
        with np.errstate(all="ignore"):
            for k, members in enumerate(self.groups):
                a = at.raw[members] / self.sigma[members]
                lever = (at.residual[members] + at.scale[k] * a) / (a * a).sum(axis=0)
                d_scale = weighted_sum(-lever, slopes[members])
                # One observable after another: what is worked on stays in cache.
                for row, of_row in zip(np.arange(len(result))[members], a, strict=True):
                    result[row] += of_row * d_scale
        return result

    def jacobian(self, points: Array, x: Array, at: Evaluation) -> Array:
        """Differentiate the profiled residuals by parameters in units of the box's widths; of the shape of `slopes`."""
        slopes = self.slopes(points, x, at)
        return self.profiled(slopes, slopes * self.spread_scales(at)[:, None], at)

    def predicted(self, at: Evaluation) -> Array:
        """Scaled predictions in the units of the observables, shape (n_observables, n)."""
        predicted = at.raw.copy()
        for k, members in enumerate(self.groups):
            predicted[members] *= at.scale[k]
        return predicted

    def spread_scales(self, at: Evaluation) -> Array:
        """Give every observable its scale, 1 where it has none: shape (n_observables, n)."""
        result = np.ones_like(at.raw)
        for k, members in enumerate(self.groups):
            result[members] = at.scale[k]
        return result

    def without_scales(self, columns: Array, at: Evaluation) -> Array:
        """Project out what the scales can do from columns in σ, shape (n_observables, any, n)."""
        result = columns.copy()
        with np.errstate(all="ignore"):
            for members in self.groups:
                a = at.raw[members] / self.sigma[members]
                part = (columns[members] * a[:, None]).sum(axis=0) / (a * a).sum(axis=0)
                result[members] = columns[members] - a[:, None] * part
        return result

    def derive(self, points: Array, x: Array, at: Evaluation) -> Mapping[str, Array]:
        """Compute the model's derived quantities: arrays whose first axis is the rows."""
        scales = dict(zip(scale_names(self.model), at.scale, strict=True))
        with np.errstate(all="ignore"):
            return self.model.derive(*_rows_first(points, x), scales)

    def predict(self, points: Array, x: Array) -> Array:
        """Predict the observables before any scale: (n_observables, n) for (n_axes, n) points and parameters."""
        # Sums over observables are taken in one order only where the rows are the last axis in memory too.
        return np.ascontiguousarray(_call(self.model.predict, points, x).T)

    def _raw_jacobian(self, points: Array, x: Array, at: Evaluation) -> Array:
        if self._has_jacobian:
            return np.asarray(self.model.jacobian(*_rows_first(points, x)), np.float64).transpose(1, 2, 0)
        return finite_differences(lambda trial: self.predict(points, trial), x, at.raw, self.box)


def _members(mask: list[bool]) -> slice | list[int]:
    """Give positions as a slice where they are contiguous, so that selecting them copies nothing."""
    places = [i for i, is_member in enumerate(mask) if is_member]
    if places == list(range(places[0], places[-1] + 1)):
        return slice(places[0], places[-1] + 1)
    return places


def _call(function: Callable[[Array, Array], Array], points: Array, x: Array) -> Array:
    """Call a model's function, whose rows come first; its result is copied, since it may be read-only or used again."""
    return np.array(function(*_rows_first(points, x)), np.float64)


def _rows_first(points: Array, x: Array) -> tuple[Array, Array]:
    """Give read-only views with the rows first."""
    points, x = points.T, x.T
    points.flags.writeable = x.flags.writeable = False
    return points, x
