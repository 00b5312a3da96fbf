"""The quadratic model of χ² around rows of parameters, inside the box and in units of its widths."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hpcscan.arrays import Array, BoolArray
from hpcscan.fitting.linear import NormalEquations
from hpcscan.fitting.matching import Predictions
from hpcscan.likelihood.box import Box
from hpcscan.likelihood.linear import gram, products, sum_of_squares, weighted_sum
from hpcscan.likelihood.objective import Evaluation, Given, Objective
from hpcscan.likelihood.rows import Rows

#: Step of the differences that give the Hessian from gradients, relative to the box's widths.
HESSIAN_STEP = 1e-6


@dataclass(frozen=True)
class Expansion(Rows):
    """What is known around rows of parameters.

    Attributes
    ----------
    equations : NormalEquations
        The quadratic model of χ².
    predictions : Predictions or None
        The linear one of the scaled predictions, where there are no more observables than parameters.
    """

    equations: NormalEquations
    predictions: Predictions | None = None


def expand(objective: Objective, given: Given, x: Array, at: Evaluation) -> Expansion:
    """Expand χ² around each row by Gauss and Newton, without the parameters whose descent leads out of the box."""
    slopes = objective.slopes(given, x, at)
    scaled = objective.weighed(slopes, at)
    jacobian = objective.profiled(slopes, scaled, at)
    gradient = weighted_sum(at.residual, jacobian)
    is_held = is_held_by_box(objective.box, x, gradient)
    equations = NormalEquations.of(*reversed(without_held(is_held, gradient, jacobian)))
    if objective.terms.has_counts:
        return Expansion(above_walls(equations, objective.at_walls(given, at)))
    # The linear model of predictions is that of the residuals where these are differences to the data.
    if equations.hessian is not None:
        return Expansion(equations)
    _, scaled = without_held(is_held, gradient, scaled)
    return Expansion(equations, Predictions(at.residual + objective.target(given), at.residual, scaled))


def expand_fully(objective: Objective, given: Given, x: Array, at: Evaluation) -> Expansion:
    """Do the same with the whole Hessian, JᵀJ + Σ r ∂²r; the second part by differences of J.

    Gauss and Newton leave that out, which is what bends χ² where a large residual is at an extremum of a prediction.
    """
    jacobian = objective.jacobian(given, x, at)
    gradient = weighted_sum(at.residual, jacobian)
    is_held = is_held_by_box(objective.box, x, gradient)
    box, offsets, bend = objective.box, _offsets(objective, x), np.zeros((len(x), *x.shape))
    for j in np.flatnonzero(~box.is_fixed):
        trial = x.copy()
        trial[j] += offsets[j]
        there = objective.evaluate(given, trial)
        change = objective.bend(at, jacobian, there, objective.jacobian(given, trial, there))
        column = change / (offsets[j] / box.width[j])
        bend[j] = np.where(is_held | is_held[j], 0.0, column)
    bend = (bend + bend.swapaxes(0, 1)) / 2
    gradient, jacobian = without_held(is_held, gradient, jacobian)
    if not objective.terms.has_counts:
        return Expansion(NormalEquations.of_bent(jacobian, bend, gradient))
    # What a wall weighs is none of the Hessian, and stays.
    walls = objective.at_walls(given, at)
    bend -= gram((jacobian * ~walls[:, None]).transpose(1, 0, 2))
    return Expansion(above_walls(NormalEquations.of_bent(jacobian, bend, gradient), walls))


def above_walls(equations: NormalEquations, walls: BoolArray) -> NormalEquations:
    """Do not promise what lies behind walls: the quadratic model has its minimum a little beyond them."""
    if not walls.any():
        return equations
    through = np.minimum(products(equations.jacobian, equations.newton_step()), 0.0) * walls
    behind = np.minimum(sum_of_squares(through), np.maximum(equations.decrement, 0.0))
    return replace(equations, decrement=equations.decrement - behind)


def without_held(is_held: BoolArray, gradient: Array, *derivatives: Array) -> list[Array]:
    """Set the entries of held parameters to zero, in the gradient and in derivatives that are finite where it is."""
    if not is_held.any():
        return [gradient, *derivatives]
    # A product is several times faster than a choice for every entry.
    free = 1.0 - is_held
    without = [values * free for values in (gradient, *derivatives)]
    if not np.isfinite(without[0]).all():
        for values in without:
            values[np.isnan(values) & is_held] = 0.0
    return without


def _offsets(objective: Objective, x: Array) -> Array:
    """Choose a small step of every parameter towards the farther bound."""
    box, noise = objective.box, objective.precision.relative
    step = np.minimum(max(HESSIAN_STEP, np.cbrt(noise)) * box.width, (box.upper - box.lower) / 2)
    offsets: Array = np.where(box.upper - x >= x - box.lower, step, -step)
    return offsets


def is_held_by_box(box: Box, x: Array, gradient: Array) -> BoolArray:
    """Mark the parameters whose descent leads out of the box, and those that are fixed."""
    is_held: BoolArray = ((x <= box.lower) & (gradient > 0)) | ((x >= box.upper) & (gradient < 0)) | box.is_fixed
    return is_held


def estimated_distance(objective: Objective, given: Given, x: Array, at: Evaluation) -> Array:
    """Estimated distance to the minimum (EDM) in χ² units at each row of x."""
    return expand(objective, given, x, at).equations.decrement
