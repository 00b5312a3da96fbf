"""What rows try at a step: a bold one, and a careful one where that gains little.

Every row is an independent minimisation of χ² = |r|². The bold step is the matching step, whatever its length; the
careful one is the trust region's (Nocedal and Wright, Numerical Optimization, algorithm 4.1), with which no row fails
to get on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from hpcscan.arrays import Array, BoolArray, IntArray
from hpcscan.fitting.quadratic import NormalEquations, Predictions, QuadraticModel
from hpcscan.fitting.steps import correct_steps, matching_step, next_radius, step_inside
from hpcscan.likelihood.linear import sum_of_squares
from hpcscan.likelihood.objective import Evaluation, Given, Objective
from hpcscan.likelihood.rows import Rows, clipped, never_alone

#: A bold step that gains so much of what the quadratic model offers needs no careful one beside it: little, because
#: χ² hardly falls while one prediction outweighs the others, whatever is won.
ENOUGH = 1e-3
#: A step to a bound is longer by this, lest rounding leave it short of the bound.
REACH = 1 + 4 * float(np.finfo(float).eps)


@dataclass(frozen=True)
class Place(Rows):
    """Where n rows are, in any order.

    Attributes
    ----------
    row : int array, shape (n,)
        Which they are.
    x : array, shape (n_parameters, n)
    chi2, residual : array, shape (n,) and (n_observables, n)
    radius : array, shape (n,)
        Of the trust region, in units of the box's widths.
    n_steps, n_evaluations : int array, shape (n,)
    is_stuck : bool array, shape (n,)
        Rows that can neither get on nor show that they have arrived.
    rank : int array, shape (n,)
        Of the Jacobian where they began; `UNKNOWN` where nobody has looked.
    """

    row: IntArray
    given: Given
    x: Array
    chi2: Array
    residual: Array
    radius: Array
    n_steps: IntArray
    n_evaluations: IntArray
    is_stuck: BoolArray
    rank: IntArray


@dataclass(frozen=True)
class Tries(Rows):
    """The best place that n rows have tried.

    Attributes
    ----------
    x : array, shape (n_parameters, n)
    at : Evaluation
        There.
    radius, n_evaluations : array, shape (n,)
        As they are after it.
    is_hopeless : bool array, shape (n,)
        Where a careful step promised less than rounding, or noise, leaves.
    """

    x: Array
    at: Evaluation
    radius: Array
    n_evaluations: IntArray
    is_hopeless: BoolArray


class Standing(Protocol):
    """Where rows of any descent are."""

    @property
    def row(self) -> IntArray:
        """Which they are, shape (n,)."""

    @property
    def x(self) -> Array:
        """Their parameters, shape (n_parameters, n)."""

    @property
    def chi2(self) -> Array:
        """Shape (n,)."""


class Leaving:
    """Says that rows need not go on, because it is seen where they lead; here, that all go on to their ends."""

    def before(self, place: Place) -> tuple[BoolArray, Array]:
        """Return, before derivatives are found anew, which rows are as good as at a known minimum, and its χ²."""
        return np.zeros(len(place.row), bool), place.chi2

    def after(
        self, place: Standing, equations: NormalEquations, is_fresh: BoolArray
    ) -> tuple[BoolArray, BoolArray, Array]:
        """Return which rows' models end at a known minimum, which end elsewhere, and χ² of the known one.

        Parameters
        ----------
        is_fresh : bool array, shape (n,)
            Whether the derivatives are those of the place.
        """
        nowhere = np.zeros(len(place.row), bool)
        return nowhere, nowhere, place.chi2


def try_steps(objective: Objective, place: Place, around: QuadraticModel) -> Tries:
    """Try a step on every row, and another one where that gains little."""
    limits = _Limits.of(objective, place.x)
    if around.predictions is None:
        return _careful(objective, place, around.equations, limits, np.zeros(len(place.row), bool))
    tries = _bold(objective, place, around.predictions, limits)
    is_poor = ~(place.chi2 - tries.at.chi2 >= ENOUGH * around.equations.decrement)
    if not is_poor.any():
        return tries
    bold, there = tries.where(is_poor), replace(place, n_evaluations=tries.n_evaluations).where(is_poor)
    has_gained = bold.at.chi2 < there.chi2
    careful = _careful(objective, there, around.equations.where(is_poor), limits.where(is_poor), has_gained)
    tries.put(never_alone(np.flatnonzero(is_poor)), _better(there.chi2, bold, careful))
    return tries


@dataclass(frozen=True)
class _Limits(Rows):
    """The steps that lead to the bounds, shape (n_parameters, n)."""

    lower: Array
    upper: Array

    @classmethod
    def of(cls, objective: Objective, x: Array) -> _Limits:
        box = objective.box
        return cls(*((bound - x) / box.width * REACH for bound in (box.lower, box.upper)))


def _end(objective: Objective, x: Array, step: Array) -> Array:
    """Return the end of a step, inside the box."""
    box = objective.box
    return clipped(x + step * box.width, box.lower, box.upper)


def _bold(objective: Objective, place: Place, predictions: Predictions, limits: _Limits) -> Tries:
    """Try the matching step; where it is good, so is a radius of its length."""
    step = matching_step(objective.groups, predictions, limits.lower, limits.upper)
    x = _end(objective, place.x, step)
    radius = np.fmax(place.radius, np.sqrt(sum_of_squares(step)))
    trial = objective.evaluate(place.given, x)
    return Tries(x, trial, radius, place.n_evaluations + 1, np.zeros(len(place.row), bool))


def _careful(
    objective: Objective, place: Place, equations: NormalEquations, limits: _Limits, has_gained: BoolArray
) -> Tries:
    """Try the trust region's step, corrected where neither it nor the bold step lowers χ²."""
    step = step_inside(equations, place.radius, limits.lower, limits.upper)
    x = _end(objective, place.x, step)
    trial = objective.evaluate(place.given, x)
    promised = -equations.change(step)
    is_hopeless = np.abs(promised) <= objective.precision.noise(place.chi2)
    before, is_wanted = (place.chi2, place.residual, promised), ~(is_hopeless | has_gained)
    n_corrections = correct_steps(objective, place.given, equations, before, step, x, trial, is_wanted)
    n_evaluations = place.n_evaluations + 1 + n_corrections
    radius = next_radius(place.radius, step, place.chi2 - trial.chi2, promised)
    return Tries(x, trial, radius, n_evaluations, is_hopeless)


def _better(chi2: Array, bold: Tries, careful: Tries) -> Tries:
    """Choose the lower of two tries of every row; the careful one where the bold one does not lower χ²."""
    is_bold = np.flatnonzero(bold.at.chi2 < np.fmin(chi2, careful.at.chi2))
    radius = np.maximum(bold.radius, careful.radius)
    chosen = replace(bold, radius=radius, n_evaluations=careful.n_evaluations, is_hopeless=careful.is_hopeless)
    careful.put(is_bold, chosen.take(is_bold))
    return careful
