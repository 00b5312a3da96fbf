"""Steps of many rows at once, inside a box: one that matches the data, one within a radius, and its correction.

The matching step: the shortest one at which linearised predictions agree with the data, whatever the scales.

Profiled scales bend χ² strongly, since it depends on the ratios of predictions alone: far from a minimum the steps of
its quadratic model are poor. The predictions themselves are nearly linear. With a for the scaled predictions and A for
their derivatives at the present scales, and t for the data, the step s is wanted for which

    q (a + A s) = t

for some factor q of every scale, 1 where there is none. The factors are those for which the shortest step that makes up
for t − q a is shortest: with M = A Aᵀ and d = t − a they minimise (t − q a)ᵀ M⁻¹ (t − q a), so that

    q = 1 + aᵀ M⁻¹ d / aᵀ M⁻¹ a,    s = Aᵀ M⁻¹ (t/q − a).

Predictions that nothing can move get so large a weight in M⁻¹ that they determine the factor alone, by least squares:
where the others follow, that is the minimum of χ². Each of several factors is found as if the others were 1.

The second-order correction: steps that follow a curved valley.

Where some residuals weigh much more than others, χ² is a narrow curved valley, which a straight step leaves at once.
What the step has shown of the curvature suffices to bend it back (R. Fletcher, in Numerical Analysis, Lecture Notes in
Mathematics 912, 1982; Nocedal and Wright, Numerical Optimization, 2nd ed., §18.3).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hpcscan.arrays import Array, BoolArray, IntArray
from hpcscan.fitting.quadratic import NO_DAMPING, NormalEquations, Predictions, hessian_system
from hpcscan.likelihood.linear import TINY, gram, products, sum_of_squares, system_of, weighted_sum
from hpcscan.likelihood.objective import Evaluation, Given, Objective
from hpcscan.likelihood.rows import clipped, never_alone, take_rows

#: The observables of every scale, as a slice or a list of places.
Groups = Sequence[slice | list[int]]

#: What a step along bounds leaves of the radius for the other parameters, at least.
LEAST_SHARE = 1e-2
#: A damped step may be longer than the radius by this before it is damped more, and is damped so many times.
ABOUT, MOST_TRIALS = 1.1, 4

#: A correction longer than this × the step is not tried: then the residuals are not nearly linear.
LONGEST = 0.1
#: The same with counts, where most corrections lead back from expectations below zero, which may be linear.
LONGEST_WITH_COUNTS = 0.5
#: With the whole Hessian along a valley: then so many corrections follow, until the step gains so much of its promise.
LONGEST_IN_VALLEY, CORRECTIONS_IN_VALLEY, GAINED_IN_VALLEY = 0.5, 4, 0.5

#: A step that achieves less than POOR of its promise shrinks the radius; one that achieves more than GOOD may grow it.
POOR, GOOD = 0.25, 0.75
#: The new radius relative to the length of such a step.
SHRINK, GROW = 0.25, 2.0


def matching_step(groups: Groups, predictions: Predictions, lower: Array, upper: Array) -> Array:
    """Compute the matching step of every row, inside the box.

    Parameters that would leave the box stop at their bounds, and the others choose their step again from there, once.

    Parameters
    ----------
    groups : sequence of slice or list of int
    lower, upper : array, shape (p, n)
        The steps that lead to the bounds.

    Returns
    -------
    array, shape (p, n)
        Not finite where the derivatives are not.
    """
    step = _unbounded(groups, predictions)
    inside = clipped(step, lower, upper)
    is_out = inside != step
    turned = never_alone(np.flatnonzero(np.logical_or.reduce(is_out, axis=0)))
    if len(turned):
        fixed, made, part = is_out.take(turned, axis=-1), inside.take(turned, axis=-1), predictions.take(turned)
        moved = made * fixed
        change = products(part.slope, moved)
        others = Predictions(part.value + change, part.residual + change, part.slope * (1.0 - fixed))
        inside[:, turned] = moved + _unbounded(groups, others)
    return clipped(inside, lower, upper)


def _unbounded(groups: Groups, predictions: Predictions) -> Array:
    """Compute the step without regard to bounds."""
    value, slope, missing = predictions.value, predictions.slope, -predictions.residual
    # What is missing of the observables without a scale, then of those of every scale, and their values.
    wanted = np.zeros((len(value), 1 + 2 * len(groups), value.shape[1]))
    wanted[:, 0] = missing
    for k, members in enumerate(groups):
        wanted[members, 1 + 2 * k], wanted[members, 2 + 2 * k] = missing[members], value[members]
        wanted[members, 0] = 0.0
    pulls = system_of(gram(slope), NO_DAMPING).solve(wanted)
    pull = pulls[:, 0]
    for k in range(1, 2 * len(groups), 2):
        own, pull_of_own = wanted[:, k + 1], pulls[:, k + 1]
        excess = _product(pull_of_own, missing) / (_product(pull_of_own, own) + TINY)
        pull += (pulls[:, k] - excess * pull_of_own) / (1 + excess)
    return weighted_sum(pull, slope)


def _product(some: Array, others: Array) -> Array:
    return np.asarray(np.add.reduce(some * others, axis=0))


def step_inside(equations: NormalEquations, radius: Array, lower: Array, upper: Array) -> Array:
    """Choose the step of every row.

    Parameters that would leave the box stop at their bounds, and the others choose their step again from there, once
    (after C. Voglis and I. E. Lagaris, WSEAS Int. Conf. on Applied Mathematics, 2004).

    Parameters
    ----------
    equations : NormalEquations
        With p parameters, for n rows.
    radius : array, shape (n,)
        Largest length of the step, about.
    lower, upper : array, shape (p, n)
        The steps that lead to the bounds.

    Returns
    -------
    array, shape (p, n)
    """
    step = step_within(equations, radius)
    inside = clipped(step, lower, upper)
    is_out = inside != step
    turned = never_alone(np.flatnonzero(np.logical_or.reduce(is_out, axis=0)))
    if len(turned):
        fixed, made = is_out.take(turned, axis=-1), inside.take(turned, axis=-1)
        moved, whole = made * fixed, radius[turned] * radius[turned]
        others, spent = equations.take(turned).without(fixed, made), sum_of_squares(moved)
        left = np.sqrt(np.maximum(whole - spent, LEAST_SHARE * LEAST_SHARE * whole))
        inside[:, turned] = moved + step_within(others, left)
    return clipped(inside, lower, upper)


def step_within(equations: NormalEquations, radius: Array) -> Array:
    """Compute the step of length up to the radius, shape (n,): shape (p, n)."""
    return dogleg(equations, radius) if equations.hessian is None else damped(equations, equations.hessian, radius)


def dogleg(equations: NormalEquations, radius: Array) -> Array:
    """Follow steepest descent to the lowest point on its line, and from there go towards the minimum of the model.

    With few observables that path leaves out little (M. J. D. Powell, in Numerical Methods for Nonlinear Algebraic
    Equations, 1970; Nocedal and Wright, Numerical Optimization, §4.1), and it costs no further system.
    """
    gradient, newton = equations.gradient, equations.newton_step()
    slope2 = sum_of_squares(gradient)
    lowest = slope2 / equations.curvature(gradient)
    first = np.fmin(lowest, radius / np.sqrt(slope2)) * -gradient
    # Where |first + t rest| = radius.
    rest = newton - first
    a, b = sum_of_squares(rest), np.add.reduce(first * rest, axis=0)
    c = np.minimum(sum_of_squares(first) - radius * radius, 0.0)
    t = -c / (b + np.sqrt(np.maximum(b * b - a * c, 0.0)))
    is_near = sum_of_squares(newton) <= radius * radius
    return np.where(is_near, newton, first + np.fmin(t, 1.0) * rest)


def damped(equations: NormalEquations, hessian: Array, radius: Array) -> Array:
    """Solve (JᵀJ + λ) s = −Jᵀr for the λ at which s is about as long as the radius, by Hebden's iteration.

    J. J. Moré, The Levenberg–Marquardt algorithm: implementation and theory, Lecture Notes in Mathematics 630 (1978).
    """
    assert equations.least_damping is not None
    step, damping, jacobian = equations.newton_step().copy(), np.zeros_like(radius), equations.jacobian
    for _ in range(MOST_TRIALS):
        length = np.sqrt(sum_of_squares(step))
        rows = never_alone(np.flatnonzero(length > ABOUT * radius))
        if not len(rows):
            break
        matrix, least, made = take_rows(hessian, rows), equations.least_damping[rows], step[:, rows]
        system, size = hessian_system(jacobian, matrix, least, damping[rows]), length[rows]
        rate = np.add.reduce(made * system.solve(made), axis=0)
        damping[rows] += size * size / rate * (size / radius[rows] - 1)
        system = hessian_system(jacobian, matrix, least, damping[rows])
        step[:, rows] = -system.solve(equations.gradient[:, rows])
    return step * np.fmin(radius / np.sqrt(sum_of_squares(step)), 1.0)


def is_valley(equations: NormalEquations) -> bool:
    """Whether the equations are Newton's, with residuals that can all be matched: no more than parameters."""
    m, p, _ = equations.jacobian.shape
    return equations.hessian is not None and 0 < m <= p


def next_radius(radius: Array, step: Array, gained: Array, promised: Array) -> Array:
    """Shrink the radius where a step disappoints, and grow it where the model deserves more trust."""
    length, quality = np.sqrt(sum_of_squares(step)), gained / promised
    is_good, is_poor = (gained > 0) & (quality > GOOD), ~((gained > 0) & (quality >= POOR))
    kept = np.where(is_good, np.maximum(radius, GROW * length), radius)
    return np.where(is_poor, SHRINK * np.minimum(radius, length), kept)


def bent_back(  # noqa: PLR0913, PLR0917  (a step, and what it has found)
    objective: Objective, equations: NormalEquations, step: Array, x: Array, missed: Array, longest: float
) -> Array:
    """Return the places, shape (p, n), where steps would end if they made up for what the linear model missed.

    Parameters
    ----------
    equations : NormalEquations
        At the beginnings of n steps.
    step : array, shape (p, n)
        In units of the box's widths.
    x : array, shape (p, n)
        The ends of the steps.
    missed : array, shape (m, n)
        The residuals found there minus those expected.
    longest : float
        Length of a correction, relative to its step, that is still tried.

    Returns
    -------
    array, shape (p, n)
        NaN where the correction would be too long.
    """
    box = objective.box
    correction = equations.undo(missed, box.side(x) != 0)
    is_short = sum_of_squares(correction) <= longest * longest * sum_of_squares(step)
    return np.where(is_short, np.clip(x + correction * box.width, box.lower, box.upper), np.nan)


def correct_steps(  # noqa: PLR0913, PLR0917  (steps, and what they have found)
    objective: Objective,
    given: Given,
    equations: NormalEquations,
    before: tuple[Array, Array, Array],
    step: Array,
    x: Array,
    trial: Evaluation,
    is_wanted: BoolArray,
) -> IntArray:
    """Correct steps that do not lower χ², once; along a valley those that gain little, again and again.

    Parameters
    ----------
    before : three arrays, shape (n,), (m, n) and (n,)
        χ² and residuals at the beginnings of the steps, and how much χ² should fall.
    x, trial : array, shape (p, n), and Evaluation
        At their ends; replaced where a correction lowers χ².
    is_wanted : bool array, shape (n,)
        Where nothing else has lowered χ², and something can.

    Returns
    -------
    int array, shape (n,)
        How often rows were evaluated once more.
    """
    (chi2, residual, promised), counts = before, np.zeros(len(is_wanted), np.int64)
    if is_valley(equations):
        longest, least, most = LONGEST_IN_VALLEY, GAINED_IN_VALLEY * promised, CORRECTIONS_IN_VALLEY
    else:
        longest, least, most = (
            LONGEST_WITH_COUNTS if objective.terms.has_counts else LONGEST,
            np.zeros_like(promised),
            1,
        )
    rows: IntArray = np.flatnonzero(is_wanted)
    for _ in range(most):
        worse = rows[~(trial.chi2[rows] < chi2[rows] - least[rows])]
        tried, rows = _correct(objective, given, equations, residual, step, x, trial, np.unique(worse), longest)
        counts[tried] += 1
    return counts


def _correct(  # noqa: PLR0913, PLR0917  (a step, and what it has found)
    objective: Objective,
    given: Given,
    equations: NormalEquations,
    residual: Array,
    step: Array,
    x: Array,
    trial: Evaluation,
    worse: IntArray,
    longest: float,
) -> tuple[IntArray, IntArray]:
    """Try to correct the steps of some rows; replace `x` and `trial` where that lowers χ².

    Parameters
    ----------
    residual : array, shape (m, n)
        At the beginnings of the steps.
    trial : Evaluation
        At their ends x.
    worse : int array
        The rows in question.
    longest : float
        See `bent_back`.

    Returns
    -------
    two int arrays
        The rows that were evaluated once more, and those of them that are lower now: only these may gain by another.
    """
    if not len(worse):
        return worse, worse
    worse = never_alone(worse)
    before, taken, there = equations.take(worse), step.take(worse, axis=-1), x.take(worse, axis=-1)
    change = products(before.jacobian, taken)
    missed = objective.missed(given.take(worse), residual.take(worse, axis=-1), change, trial.take(worse))
    place = bent_back(objective, before, taken, there, missed, longest)
    near = never_alone(np.flatnonzero(~np.isnan(place).any(axis=0)))
    worse, place, helps = worse[near], place.take(near, axis=-1), near[:0]
    if len(worse):
        second = objective.evaluate(given.take(worse), place)
        helps = np.flatnonzero(second.chi2 < trial.chi2[worse])
        x[:, worse[helps]] = place[:, helps]
        trial.put(worse[helps], second.take(helps))
    return worse, worse[helps]
