"""The quadratic model of χ² around rows of parameters, inside the box and in units of its widths."""

from __future__ import annotations

import numpy as np

from hpcscan.fit.box import Box
from hpcscan.fit.linear import NormalEquations, weighted_sum
from hpcscan.fit.objective import Evaluation, Objective
from hpcscan.fit.records import BoolArray
from hpcscan.model.interface import Array

#: Step of the differences that give the Hessian from gradients, relative to the box's widths.
HESSIAN_STEP = 1e-6


def scaled_jacobian(objective: Objective, points: Array, x: Array, at: Evaluation) -> Array:
    """Jacobian of the profiled residuals in units of the box's widths, shape (n_observables, n_parameters, n).

    Zero for a parameter that is fixed, whatever the model says.
    """
    if not x.shape[1]:
        return np.empty((len(at.raw), *x.shape))
    jacobian = objective.jacobian(points, x, at)
    jacobian *= objective.box.width
    is_fixed = objective.box.is_fixed[:, 0]
    if is_fixed.any():
        jacobian[:, is_fixed] = 0.0
    return jacobian


def expand(objective: Objective, points: Array, x: Array, at: Evaluation) -> NormalEquations:
    """Expand χ² around each row by Gauss and Newton, without the parameters whose descent leads out of the box."""
    jacobian, gradient, is_held = _linearise(objective, points, x, at)
    return NormalEquations.of(_without(is_held, jacobian), _without(is_held, gradient))


def expand_fully(objective: Objective, points: Array, x: Array, at: Evaluation) -> NormalEquations:
    """Do the same with the whole Hessian, JᵀJ + Σ r ∂²r; the second part by differences of J.

    Gauss and Newton leave that out, which is what bends χ² where a large residual is at an extremum of a prediction.
    """
    jacobian, gradient, is_held = _linearise(objective, points, x, at)
    box, offsets, bend = objective.box, _offsets(objective.box, x), np.zeros((len(x), *x.shape))
    for j in np.flatnonzero(~box.is_fixed):
        trial = x.copy()
        trial[j] += offsets[j]
        moved = scaled_jacobian(objective, points, trial, objective.evaluate(points, trial))
        column = weighted_sum(at.residual, moved - jacobian) / (offsets[j] / box.width[j])
        bend[j] = np.where(is_held | is_held[j], 0.0, column)
    bend = (bend + bend.swapaxes(0, 1)) / 2
    return NormalEquations.of_bent(_without(is_held, jacobian), bend, _without(is_held, gradient))


def _linearise(objective: Objective, points: Array, x: Array, at: Evaluation) -> tuple[Array, Array, BoolArray]:
    """Give J, Jᵀr, and which parameters are held."""
    jacobian = scaled_jacobian(objective, points, x, at)
    gradient = weighted_sum(at.residual, jacobian)
    return jacobian, gradient, _is_held(objective.box, x, gradient)


def _without(is_held: BoolArray, values: Array) -> Array:
    """Set the entries of held parameters to zero."""
    # Clipping to nothing or not at all: several times faster than a choice for every entry.
    limit = np.where(is_held, 0.0, np.inf)
    without: Array = np.clip(values, -limit, limit)
    return without


def _offsets(box: Box, x: Array) -> Array:
    """Choose a small step of every parameter towards the farther bound."""
    step = np.minimum(HESSIAN_STEP * box.width, (box.upper - box.lower) / 2)
    offsets: Array = np.where(box.upper - x >= x - box.lower, step, -step)
    return offsets


def _is_held(box: Box, x: Array, gradient: Array) -> BoolArray:
    """Mark the parameters whose descent leads out of the box, and those that are fixed."""
    is_held: BoolArray = ((x <= box.lower) & (gradient > 0)) | ((x >= box.upper) & (gradient < 0)) | box.is_fixed
    return is_held


def estimated_distance(objective: Objective, points: Array, x: Array, at: Evaluation) -> Array:
    """Estimated distance to the minimum (EDM) in χ² units at each row of x."""
    return expand(objective, points, x, at).decrement
