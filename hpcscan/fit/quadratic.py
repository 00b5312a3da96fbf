"""The quadratic model of χ² around rows of parameters, inside the box."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hpcscan.fit.box import Box
from hpcscan.fit.linear import NormalEquations
from hpcscan.fit.objective import Evaluation, Objective
from hpcscan.fit.records import BoolArray, IntArray
from hpcscan.model.interface import Array

#: Step of the differences that give the Hessian from gradients, relative to the box's widths.
HESSIAN_STEP = 1e-6


@dataclass(frozen=True)
class Quadratic:
    """χ² to second order at each of n rows, over the parameters that no bound holds.

    Attributes
    ----------
    equations : NormalEquations
        In units of the box's widths; zero for a parameter that is held.
    gradient : array, shape (n_parameters, n)
        Jᵀr, half the gradient of χ².
    """

    equations: NormalEquations
    gradient: Array

    @property
    def edm(self) -> Array:
        """Estimated distance to the minimum."""
        return self.equations.decrement

    def take(self, keep: IntArray) -> Quadratic:
        """Select rows."""
        return Quadratic(self.equations.take(keep), self.gradient.take(keep, axis=-1))

    def change(self, step: Array) -> Array:
        """Change of χ² that the model promises for a step."""
        change: Array = 2 * (self.gradient * step).sum(axis=0) + self.equations.curvature(step)
        return change


def scaled_jacobian(objective: Objective, points: Array, x: Array, at: Evaluation) -> Array:
    """Jacobian of the profiled residuals in units of the box's widths, shape (n_observables, n_parameters, n)."""
    if not x.shape[1]:
        return np.empty((len(at.raw), *x.shape))
    return objective.jacobian(points, x, at) * objective.box.width


def expand(box: Box, x: Array, residual: Array, jacobian: Array) -> Quadratic:
    """Expand χ² around each row by Gauss and Newton, without the parameters whose descent leads out of the box."""
    gradient = _gradient(jacobian, residual)
    is_held = _is_held(box, x, gradient)
    gradient = np.where(is_held, 0.0, gradient)
    return Quadratic(NormalEquations.of(np.where(is_held, 0.0, jacobian), gradient), gradient)


def expand_fully(objective: Objective, points: Array, x: Array, residual: Array, jacobian: Array) -> Quadratic:
    """Do the same with the whole Hessian, by differences of gradients.

    Gauss and Newton leave out r ∂²r, which is what bends χ² where a large residual is at an extremum of a prediction.
    """
    box, gradient = objective.box, _gradient(jacobian, residual)
    is_held = _is_held(box, x, gradient)
    columns = []
    for j in range(len(x)):
        trial, offset = x.copy(), np.where(x[j] + HESSIAN_STEP * box.width[j] <= box.upper[j], 1, -1) * HESSIAN_STEP
        trial[j] += offset * box.width[j]
        there = objective.evaluate(points, trial)
        moved = _gradient(scaled_jacobian(objective, points, trial, there), there.residual)
        columns.append(np.where(is_held | is_held[j], 0.0, (moved - gradient) / offset))
    hessian = [[(columns[i][j] + columns[j][i]) / 2 for j in range(i + 1)] for i in range(len(x))]
    gradient = np.where(is_held, 0.0, gradient)
    return Quadratic(NormalEquations.of_hessian(hessian, gradient), gradient)


def _gradient(jacobian: Array, residual: Array) -> Array:
    gradient: Array = (jacobian * residual[:, None]).sum(axis=0)
    return gradient


def _is_held(box: Box, x: Array, gradient: Array) -> BoolArray:
    """Mark the parameters whose descent leads out of the box, and those that are fixed."""
    is_held: BoolArray = ((x <= box.lower) & (gradient > 0)) | ((x >= box.upper) & (gradient < 0)) | box.is_fixed
    return is_held


def estimated_distance(objective: Objective, points: Array, x: Array, at: Evaluation) -> Array:
    """Estimated distance to the minimum (EDM) in χ² units at each row of x."""
    return expand(objective.box, x, at.residual, scaled_jacobian(objective, points, x, at)).edm
