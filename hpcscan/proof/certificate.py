"""Proof of optimality: a rigorous lower bound of the profile χ² from the ranges of the predictions.

With predictions anywhere in their ranges, independently of each other, the minimum over the scales is exact. It is
attained where no two observables share a parameter; where some do, it is a bound all the same, and `proof.together`
goes on from it. Of independent normal errors the minimum is found in closed form, and the scales that reach it are
known; of counts and correlated errors by `proof.independent`.

Rounding: let d and t be the vectors of distances and of measured values in units of σ, so that χ² = |d|². Scaled
predictions are at most |t| + |d|, and fewer than 32 rounded operations, one more for every observable of the sum, lead
from them to χ², here and where it is computed from parameters. So |d| is lowered by (32 + n) 2⁻⁵³ (|t| + |d|).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hpcscan.arrays import Array, IntArray
from hpcscan.model.joint import PredictionRanges
from hpcscan.model.problem import Problem, scale_names
from hpcscan.proof.independent import Compared
from hpcscan.proof.scale_minimum import minimise_over_scale

#: Rounded operations that lead from ranges and measured values to a distance.
OPERATIONS = 32


@dataclass(frozen=True)
class Certificate:
    """What nothing within the bounds of the parameters can beat, at n points; NaN where that is not known.

    Nothing is known where the model offers no ranges, and where counts or correlated errors have a common factor.

    Attributes
    ----------
    chi2_lower_bound : array, shape (n,)
        No parameters and no scales give a lower χ². Infinite where no prediction is finite.
    scale_lower, scale_upper : array, shape (n, n_scales)
        The intervals of the profiled scales that reach it, in the order of `scale_names`; possibly infinite. Where
        both signs reach it, the positive one counts. NaN for counts and correlated errors.
    """

    chi2_lower_bound: Array
    scale_lower: Array
    scale_upper: Array


def certify(problem: Problem, points: Array) -> Certificate:
    """Bound the profile χ² from below at points of shape (n, n_axes); see `certified`."""
    return certified(problem, len(points), problem.prediction_ranges(points))


def certified(problem: Problem, n: int, ranges: PredictionRanges | None) -> Certificate:
    """Bound the profile χ² from below, with every prediction independent of the others.

    Parameters
    ----------
    problem : Problem
    n : int
    ranges : PredictionRanges or None
        At n points.

    Returns
    -------
    Certificate
        A row has the same bits whatever other points are certified with it, if the model's ranges have.
    """
    certificate = unknown(n, len(scale_names(problem)))
    if ranges is not None and (ranges.exact is None or is_normal(problem)):
        _certify(problem, ranges, certificate)
    return certificate


def is_normal(problem: Problem) -> bool:
    """Whether χ² follows from distances of single predictions: for normal errors without correlations."""
    return not problem.covariances and all(o.kind == "gaussian" for o in problem.observables)


def unknown(n: int, n_scales: int) -> Certificate:
    """Know nothing of n points."""
    return Certificate(np.full(n, np.nan), np.full((n, n_scales), np.nan), np.full((n, n_scales), np.nan))


def _certify(problem: Problem, ranges: PredictionRanges, certificate: Certificate) -> None:
    """Fill in the rows whose ranges are known."""
    row = np.flatnonzero((ranges.lower <= ranges.upper).all(axis=1))
    sigma = sigmas(problem)
    least = least_chi2(problem, ranges.lower[row].T / sigma, ranges.upper[row].T / sigma, ranges.exact)
    # Where observables share parameters, a scale that serves each of them need not serve all.
    if ranges.exact is None and not ranges.joint:
        certificate.scale_lower[row], certificate.scale_upper[row] = least.scale_lower, least.scale_upper
    certificate.chi2_lower_bound[row] = least.chi2_lower_bound


def sigmas(problem: Problem) -> Array:
    """Return the standard deviations, shape (n_observables, 1); 1 for counts."""
    return np.array([1.0 if o.kind == "poisson" else o.sigma for o in problem.observables], float)[:, None]


def least_chi2(problem: Problem, lower: Array, upper: Array, exact: int | None = None) -> Certificate:
    """Minimise χ² over scales, and over predictions in ranges of their own.

    Parameters
    ----------
    problem : Problem
    lower, upper : array, shape (n_observables, n)
        Ranges of the predictions in σ.
    exact : int, optional
        An observable that is matched by a factor common to all.

    Returns
    -------
    Certificate
    """
    target = np.array([o.observed for o in problem.observables])[:, None] / sigmas(problem)
    if not is_normal(problem):
        found = unknown(lower.shape[1], len(scale_names(problem)))
        found.chi2_lower_bound[:] = _compared(problem, target[:, 0]).least_chi2(lower.T, upper.T)
        return found
    target = np.repeat(target, lower.shape[1], axis=1)
    distance = np.maximum(np.maximum(lower - target, target - upper), 0)
    found = unknown(lower.shape[1], len(scale_names(problem)))
    for k, members in enumerate(_groups(problem, exact)):
        best = minimise_over_scale(target[members], lower[members], upper[members], exact)
        distance[members] = best.distance
        if exact is None:
            found.scale_lower[:, k], found.scale_upper[:, k] = best.lower, best.upper
    found.chi2_lower_bound[:] = lowered_chi2(distance, target)
    return found


def _compared(problem: Problem, target: Array) -> Compared:
    """Collect what predictions are compared with."""
    places = {name: k for k, name in enumerate(scale_names(problem))}
    group = np.array([-1 if o.scale is None else places[o.scale] for o in problem.observables], int)
    correlation, sigma = np.eye(len(group)), sigmas(problem)[:, 0]
    for first, covariance in problem.covariances.items():
        place = slice(first, first + len(covariance))
        correlation[place, place] = covariance / np.outer(sigma[place], sigma[place])
    is_count = np.array([o.kind == "poisson" for o in problem.observables], bool)
    return Compared(target, group, is_count, correlation if problem.covariances else None)


def _groups(problem: Problem, exact: int | None) -> list[IntArray]:
    """Give the observables of every scale; all of them where one is matched exactly by a common factor."""
    if exact is not None:
        return [np.arange(len(problem.observables))]
    return [
        np.flatnonzero([observable.scale == name for observable in problem.observables])
        for name in scale_names(problem)
    ]


def lowered_chi2(distance: Array, target: Array) -> Array:
    """χ² of distances of shape (n_observables, n), lowered by the margin for rounding."""
    rounding = (OPERATIONS + len(target)) * 2.0**-53
    norm = np.sqrt(sum(distance * distance)) * (1 - rounding) - rounding * np.sqrt(sum(target * target))
    norm = np.maximum(norm, 0)
    return np.asarray(norm * norm)
