"""The matching step: the shortest one at which linearised predictions agree with the data, whatever the scales.

Profiled scales bend χ² strongly, since it depends on the ratios of predictions alone: far from a minimum the steps of
its quadratic model are poor. The predictions themselves are nearly linear. With a for the scaled predictions and A for
their derivatives at the present scales, and t for the data, the step s is wanted for which

    q (a + A s) = t

for some factor q of every scale, 1 where there is none. The factors are those for which the shortest step that makes up
for t − q a is shortest: with M = A Aᵀ and d = t − a they minimise (t − q a)ᵀ M⁻¹ (t − q a), so that

    q = 1 + aᵀ M⁻¹ d / aᵀ M⁻¹ a,    s = Aᵀ M⁻¹ (t/q − a).

Predictions that nothing can move get so large a weight in M⁻¹ that they determine the factor alone, by least squares:
where the others follow, that is the minimum of χ². Each of several factors is found as if the others were 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hpcscan.arrays import Array
from hpcscan.fitting.linear import NO_DAMPING
from hpcscan.likelihood.linear import TINY, gram, products, system_of, weighted_sum
from hpcscan.likelihood.rows import Rows, clipped, never_alone

#: The observables of every scale, as a slice or a list of places.
Groups = Sequence[slice | list[int]]


@dataclass(frozen=True)
class Predictions(Rows):
    """Scaled predictions, linearised at the present scales, in σ and the box's widths.

    Attributes
    ----------
    value, residual : array, shape (m, n)
        a and a − t.
    slope : array, shape (m, p, n)
        A; zero for parameters that are held.
    """

    value: Array
    residual: Array
    slope: Array


def matching_step(groups: Groups, predictions: Predictions, lower: Array, upper: Array) -> Array:
    """Give the matching step of every row, inside the box.

    Parameters that would leave the box stop at their bounds, and the others choose their step again from there, once.

    Parameters
    ----------
    groups : sequence of slice or list of int
    predictions : Predictions
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
    """Give the step without regard to bounds."""
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
