"""The approach of fresh starts where data have several scales: to where predictions are in the data's proportions.

Far away, profiled scales hide the way. What outweighs all others of its scale is matched by the scale, the others
vanish beside it, and χ² hardly changes whatever they do; and where some data are much better known than others, χ²
falls along a narrow valley that bends. The predictions themselves know the way: with a for them, A for their
derivatives and t for the data, all in σ, the step s is wanted for which a + A s is p t, with a factor p for every
scale. Where data cannot all be matched, they and the step are weighed against each other: with M = A W² Aᵀ + 1, where W
is how far a parameter may go,

    (p t − a)ᵀ M⁻¹ (p t − a) is least,    s = W² Aᵀ M⁻¹ (p t − a).

W is the distance to the nearer bound: such steps stay inside the box, and halve what is too large instead of ending
where it is zero (as in the affine scaling of T. F. Coleman and Y. Li, SIAM J. Optim. 6, 418 (1996)). χ² is not asked:
it need not fall on the way. It decides from where these steps end, where the fit begins.
"""

from __future__ import annotations

from typing import TypeGuard

import numpy as np

from hpcscan.arrays import Array, BoolArray, IntArray
from hpcscan.likelihood.linear import gram, products, system_of, weighted_sum
from hpcscan.likelihood.objective import Given, Objective
from hpcscan.likelihood.rows import clipped, never_alone
from hpcscan.likelihood.scalar import AnyObjective

#: Steps of an approach at most; one that is shorter than `SHORT`, in distances to bounds, is the last.
MOST_STEPS, SHORT = 16, 0.01
#: Steps that come so late may go round in circles between bounds: this share of each settles them.
LATE, LATER = 12, 0.5
#: A parameter at a bound may go so far, in the box's widths.
LEAST_DISTANCE = 1e-3
#: How often parameters that would leave the box stop at their bounds, and the others choose their step again.
MOST_TURNS = 3
#: Damping that keeps what no step and no scale moves from being divided by, relative to a diagonal of ones.
NO_DAMPING = 1e-14


def can_approach(objective: AnyObjective, given: Given, x: Array) -> TypeGuard[Objective]:
    """Whether fits gain by it: with several scales, no more data than are free to match them, and derivatives."""
    if not isinstance(objective, Objective) or len(objective.groups) < 2 or objective.terms.has_counts:
        return False
    can_match = len(objective.terms.sigma) <= objective.box.n_free + len(objective.groups)
    return can_match and not objective.needs_differences(given, x)


def approach(objective: Objective, given: Given, start: Array, most_steps: int = MOST_STEPS) -> tuple[Array, IntArray]:
    """Bring starts, shape (n_parameters, n), near to where predictions are in proportion to the data.

    Returns
    -------
    place : array, shape (n_parameters, n)
        In the box; the start itself where the way leads to where the model is not defined.
    n_steps : int array, shape (n,)
        That have been made; each has cost one evaluation and one of derivatives.
    """
    x, n_steps = start.copy(), np.zeros(start.shape[1], np.int64)
    with np.errstate(all="ignore"):
        rows = never_alone(np.arange(start.shape[1]))
        for made in range(min(MOST_STEPS, most_steps)):
            there = x.take(rows, axis=-1)
            step, is_short = _step(objective, given.take(rows), there)
            step *= 1.0 if made < LATE else LATER
            place = clipped(there + step * objective.box.width, objective.box.lower, objective.box.upper)
            # A step that is not finite leads nowhere: the fit begins before it.
            moves = np.isfinite(place).all(axis=0)
            x[:, rows[moves]] = place[:, moves]
            n_steps[rows] += 1
            rows = never_alone(np.unique(rows[moves & ~is_short]))
            if not len(rows):
                break
        # From where predictions are not finite no step leads away.
        begins = never_alone(np.arange(start.shape[1]))
        chi2 = objective.evaluate(given.take(begins), x.take(begins, axis=-1)).chi2[: start.shape[1]]
    return np.where(np.isfinite(chi2), x, start), n_steps


def _step(objective: Objective, given: Given, x: Array) -> tuple[Array, BoolArray]:
    """Compute a step of every row, in the box's widths, and whether it is short."""
    box = objective.box
    at = objective.evaluate(given, x)
    slope = objective.weighed(objective.slopes(given, x, at), at)
    target = np.broadcast_to(objective.target(given), at.raw.shape)
    value = at.residual + target
    distance = np.minimum(np.minimum(x - box.lower, box.upper - x) / box.width, 1.0) + LEAST_DISTANCE
    reach = np.where(box.is_fixed, 0.0, distance)
    lower, upper = (box.lower - x) / box.width, (box.upper - x) / box.width

    # All parameters at first; then those beyond their bounds stop there.
    step = _unbounded(objective, slope, reach, value, target)
    rows, fixed, free = np.arange(x.shape[1]), np.zeros_like(x), reach
    for _ in range(MOST_TURNS):
        made = step.take(rows, axis=-1)
        is_out = (free > 0) & ((made < lower[:, rows]) | (made > upper[:, rows]))
        turned = never_alone(np.flatnonzero(is_out.any(axis=0)))
        if not len(turned):
            break
        rows, is_out, made = rows[turned], is_out.take(turned, axis=-1), made.take(turned, axis=-1)
        fixed = np.where(is_out, clipped(made, lower[:, rows], upper[:, rows]), fixed.take(turned, axis=-1))
        free = np.where(is_out, 0.0, free.take(turned, axis=-1))
        part = slope.take(rows, axis=-1)
        moved = value.take(rows, axis=-1) + products(part, fixed)
        step[:, rows] = fixed + _unbounded(objective, part, free, moved, target.take(rows, axis=-1))
    step = clipped(step, lower, upper)
    return step, np.asarray(np.abs(step / distance).max(axis=0) < SHORT, bool)


def _unbounded(objective: Objective, slope: Array, reach: Array, value: Array, target: Array) -> Array:
    """Compute the step without regard to bounds."""
    levers = slope * reach
    # In units in which every prediction has the same lever: the best known data may outweigh the others by 10²⁰.
    length = np.sqrt(np.add.reduce(levers * levers, axis=1))
    unit = 1 / np.where(length > 0, length, 1.0)
    levers *= unit[:, None]
    matrix = gram(levers)
    np.einsum("iin->in", matrix)[...] += unit * unit
    # The data of every scale, and what is missing of the others.
    right = np.zeros((len(value), 1 + len(objective.groups), value.shape[1]))
    right[:, 0] = (target - value) * unit
    for k, members in enumerate(objective.groups, start=1):
        right[members, 0], right[members, k] = -value[members] * unit[members], target[members] * unit[members]
    pulls = system_of(matrix, NO_DAMPING).solve(right)
    # The factors p of all scales together.
    of_scales = right[:, 1:].swapaxes(0, 1)
    pulls_of_scales = pulls[:, 1:].swapaxes(0, 1)
    mutual = np.stack([products(pulls_of_scales, one) for one in of_scales])
    factors = system_of(mutual, NO_DAMPING).solve(-products(of_scales, pulls[:, 0]))
    return reach * weighted_sum(pulls[:, 0] + weighted_sum(factors, pulls_of_scales), levers)
