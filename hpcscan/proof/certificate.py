"""Proof of optimality: a rigorous lower bound of the profile χ² from the ranges of the predictions.

With predictions anywhere in their ranges, independently of each other, the minimum over the scales is exact. It is
attained where no two observables share a parameter; where some do, it is a bound all the same.

Rounding: let d and t be the vectors of distances and of measured values in units of σ, so that χ² = |d|². Scaled
predictions are at most |t| + |d|, and fewer than 32 rounded operations, one more for every observable of the sum, lead
from them to χ², here and where it is computed from parameters. So |d| is lowered by (32 + n) 2⁻⁵³ (|t| + |d|).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hpcscan.arrays import Array, IntArray
from hpcscan.model.problem import PredictionRanges, Problem, scale_names
from hpcscan.proof.scale_minimum import minimise_over_scale

#: Rounded operations that lead from ranges and measured values to a distance.
OPERATIONS = 32


@dataclass(frozen=True)
class Certificate:
    """What nothing within the bounds of the parameters can beat, at n points; NaN where that is not known.

    Nothing is known where the model offers no ranges, and for counts and correlated errors.

    Attributes
    ----------
    chi2_lower_bound : array, shape (n,)
        No parameters and no scales give a lower χ². Infinite where no prediction is finite.
    scale_lower, scale_upper : array, shape (n, n_scales)
        The intervals of the profiled scales that reach it, in the order of `scale_names`; possibly infinite. Where
        both signs reach it, the positive one counts.
    """

    chi2_lower_bound: Array
    scale_lower: Array
    scale_upper: Array


def certify(problem: Problem, points: Array) -> Certificate:
    """Bound the profile χ² from below.

    Parameters
    ----------
    problem : Problem
    points : array, shape (n, n_axes)
        Coordinates in the order of the model's axes.

    Returns
    -------
    Certificate
        A row has the same bits whatever other points are certified with it, if the model's ranges have.
    """
    certificate = _unknown(len(points), len(scale_names(problem)))
    ranges = problem.prediction_ranges(points) if _is_bounded(problem) else None
    if ranges is not None:
        _certify(problem, ranges, certificate)
    return certificate


def _is_bounded(problem: Problem) -> bool:
    """Whether χ² follows from distances of single predictions: for normal errors without correlations."""
    return not problem.covariances and all(o.kind == "gaussian" for o in problem.observables)


def _unknown(n: int, n_scales: int) -> Certificate:
    return Certificate(np.full(n, np.nan), np.full((n, n_scales), np.nan), np.full((n, n_scales), np.nan))


def _certify(problem: Problem, ranges: PredictionRanges, certificate: Certificate) -> None:
    """Fill in the rows whose ranges are known."""
    row = np.flatnonzero((ranges.lower <= ranges.upper).all(axis=1))
    sigma = np.array([o.sigma for o in problem.observables])[:, None]
    target = np.array([o.observed for o in problem.observables])[:, None] / sigma
    target = np.repeat(target, len(row), axis=1)
    lower, upper = ranges.lower[row].T / sigma, ranges.upper[row].T / sigma
    distance = np.maximum(np.maximum(lower - target, target - upper), 0)
    for k, members in enumerate(_groups(problem, ranges)):
        best = minimise_over_scale(target[members], lower[members], upper[members], ranges.exact)
        distance[members] = best.distance
        if ranges.exact is None:
            certificate.scale_lower[row, k], certificate.scale_upper[row, k] = best.lower, best.upper
    certificate.chi2_lower_bound[row] = _lowered(distance, target)


def _groups(problem: Problem, ranges: PredictionRanges) -> list[IntArray]:
    """Give the observables of every scale; all of them where one is matched exactly by a common factor."""
    if ranges.exact is not None:
        return [np.arange(len(problem.observables))]
    return [
        np.flatnonzero([observable.scale == name for observable in problem.observables])
        for name in scale_names(problem)
    ]


def _lowered(distance: Array, target: Array) -> Array:
    """χ² of distances of shape (n_observables, n), lowered by the margin for rounding."""
    rounding = (OPERATIONS + len(target)) * 2.0**-53
    norm = np.sqrt(sum(distance * distance)) * (1 - rounding) - rounding * np.sqrt(sum(target * target))
    norm = np.maximum(norm, 0)
    return np.asarray(norm * norm)
