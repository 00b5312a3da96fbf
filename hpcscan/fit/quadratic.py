"""The quadratic model of χ² around rows of parameters, inside the box."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hpcscan.fit.box import Box
from hpcscan.fit.linear import NormalEquations
from hpcscan.fit.objective import Evaluation, Objective
from hpcscan.fit.records import IntArray
from hpcscan.model.interface import Array


@dataclass(frozen=True)
class Quadratic:
    """χ² to second order (Gauss–Newton) at each of n rows, over the parameters that no bound holds.

    Attributes
    ----------
    equations : NormalEquations
    jacobian : array, shape (n_observables, n_parameters, n)
        In units of the box's widths; zero for a parameter that is held.
    gradient : array, shape (n_parameters, n)
        Jᵀr, half the gradient of χ².
    """

    equations: NormalEquations
    jacobian: Array
    gradient: Array

    @property
    def edm(self) -> Array:
        """Estimated distance to the minimum."""
        return self.equations.decrement

    def take(self, keep: IntArray) -> Quadratic:
        """Select rows."""
        return Quadratic(
            self.equations.take(keep), self.jacobian.take(keep, axis=-1), self.gradient.take(keep, axis=-1)
        )

    def change(self, step: Array) -> Array:
        """Change of χ² that the model promises for a step."""
        image = (self.jacobian * step).sum(axis=1)
        change: Array = 2 * (self.gradient * step).sum(axis=0) + (image * image).sum(axis=0)
        return change


def scaled_jacobian(objective: Objective, points: Array, x: Array, at: Evaluation) -> Array:
    """Jacobian of the profiled residuals in units of the box's widths, shape (n_observables, n_parameters, n)."""
    if not x.shape[1]:
        return np.empty((len(at.raw), *x.shape))
    return objective.jacobian(points, x, at) * objective.box.width


def expand(box: Box, x: Array, residual: Array, jacobian: Array) -> Quadratic:
    """Expand χ² around each row, without the parameters whose descent leads out of the box."""
    gradient = (jacobian * residual[:, None]).sum(axis=0)
    is_held = ((x <= box.lower) & (gradient > 0)) | ((x >= box.upper) & (gradient < 0)) | box.is_fixed
    jacobian = np.where(is_held, 0.0, jacobian)
    gradient = np.where(is_held, 0.0, gradient)
    return Quadratic(NormalEquations.of(jacobian, gradient), jacobian, gradient)


def estimated_distance(objective: Objective, points: Array, x: Array, at: Evaluation) -> Array:
    """Estimated distance to the minimum (EDM) in χ² units at each row of x."""
    return expand(objective.box, x, at.residual, scaled_jacobian(objective, points, x, at)).edm
