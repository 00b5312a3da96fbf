"""The second-order correction: steps that follow a curved valley.

Where some residuals weigh much more than others, χ² is a narrow curved valley, which a straight step leaves at once.
What the step has shown of the curvature suffices to bend it back (R. Fletcher, in Numerical Analysis, Lecture Notes in
Mathematics 912, 1982; Nocedal and Wright, Numerical Optimization, 2nd ed., §18.3).
"""

from __future__ import annotations

import numpy as np

from hpcscan.arrays import Array, IntArray
from hpcscan.fitting.linear import NormalEquations
from hpcscan.likelihood.linear import products, sum_of_squares
from hpcscan.likelihood.objective import Evaluation, Given, Objective
from hpcscan.likelihood.rows import never_alone

#: A correction longer than this × the step is not tried: then the residuals are not nearly linear.
LONGEST = 0.1
#: The same with counts, where most corrections lead back from expectations below zero, which may be linear.
LONGEST_WITH_COUNTS = 0.5


def bent_back(objective: Objective, equations: NormalEquations, step: Array, x: Array, missed: Array) -> Array:
    """Give the places, shape (p, n), where steps would end if they made up for what the linear model missed.

    Parameters
    ----------
    objective : Objective
    equations : NormalEquations
        At the beginnings of n steps.
    step : array, shape (p, n)
        In units of the box's widths.
    x : array, shape (p, n)
        The ends of the steps.
    missed : array, shape (m, n)
        The residuals found there minus those expected.

    Returns
    -------
    array, shape (p, n)
        NaN where the correction would be too long.
    """
    box = objective.box
    correction = equations.undo(missed, box.side(x) != 0)
    longest = LONGEST_WITH_COUNTS if objective.terms.has_counts else LONGEST
    is_short = sum_of_squares(correction) <= longest * longest * sum_of_squares(step)
    return np.where(is_short, np.clip(x + correction * box.width, box.lower, box.upper), np.nan)


def correct(  # noqa: PLR0913, PLR0917  (a step, and what it has found)
    objective: Objective,
    given: Given,
    equations: NormalEquations,
    residual: Array,
    step: Array,
    x: Array,
    trial: Evaluation,
    worse: IntArray,
) -> IntArray:
    """Try to correct the steps of some rows; replace `x` and `trial` where that lowers χ².

    Parameters
    ----------
    given : Given
    residual : array, shape (m, n)
        At the beginnings of the steps.
    trial : Evaluation
        At their ends x.
    worse : int array
        The rows in question.

    Returns
    -------
    int array
        The rows that were evaluated once more.
    """
    if not len(worse):
        return worse
    worse = never_alone(worse)
    before, taken, there = equations.take(worse), step.take(worse, axis=-1), x.take(worse, axis=-1)
    change = products(before.jacobian, taken)
    missed = objective.missed(given.take(worse), residual.take(worse, axis=-1), change, trial.take(worse))
    place = bent_back(objective, before, taken, there, missed)
    near = never_alone(np.flatnonzero(~np.isnan(place).any(axis=0)))
    worse, place = worse[near], place.take(near, axis=-1)
    if len(worse):
        second = objective.evaluate(given.take(worse), place)
        helps = np.flatnonzero(second.chi2 < trial.chi2[worse])
        x[:, worse[helps]] = place[:, helps]
        trial.put(worse[helps], second.take(helps))
    return worse
