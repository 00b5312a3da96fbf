"""Proof of optimality: a rigorous lower bound of the profile χ² from the ranges of the predictions.

With predictions anywhere in their ranges, independently of each other, the minimum over the scales is exact. It is
attained where no two observables share a parameter; where some do, it is a bound all the same, and `proof.together`
goes on from it. Of independent normal errors the minimum is found in closed form, and the scales that reach it are
known; of counts and correlated errors by `proof.independent`.

Rounding: let d and t be the vectors of distances and of measured values in units of σ, so that χ² = |d|². Scaled
predictions are at most |t| + |d|, and fewer than 32 rounded operations, one more for every observable of the sum, lead
from them to χ², here and where it is computed from parameters. So |d| is lowered by (32 + n) 2⁻⁵³ (|t| + |d|).

The distance between measured values and ranges of predictions, for one profiled scale S,

    χ²(S) = Σ dist(t, S·[lower, upper])²    (everything in units of σ)

is convex and piecewise quadratic on S ≥ 0 and on S ≤ 0. For t ≥ 0 and S ≥ 0 an observable is matched for
t/upper ≤ S ≤ t/lower; its distance grows linearly beyond, and its slope at these breakpoints is continuous.

A distance is computed as upper (t/upper − S) or lower (S − t/lower), from the same rounded quotient that serves as the
breakpoint. Then every term of dχ²/dS has the sign and, to a few roundings, the value that it should have: so the
segment with the minimum is found even where breakpoints nearly coincide.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hpcscan.arrays import Array, IntArray
from hpcscan.model.problem import Problem, scale_names
from hpcscan.model.returned import PredictionRanges
from hpcscan.proof.independent import Compared

#: Ranges are cut here, so that the square of a prediction is finite.
LARGEST = 1e150

#: Rounded operations that lead from ranges and measured values to a distance.
OPERATIONS = 32


@dataclass(frozen=True)
class ScaleMinimum:
    """The minimum over the scale, for n points.

    Attributes
    ----------
    lower, upper : array, shape (n,)
        The interval of S that reaches it; `upper` may be infinite, and `lower` minus infinity. On the half-line with
        the lower χ², S ≥ 0 where they are equal. NaN where no scale is allowed.
    distance : array, shape (n_observables, n)
        What remains of every observable, in units of σ; infinite where no scale is allowed.
    """

    lower: Array
    upper: Array
    distance: Array


def minimise_over_scale(target: Array, lower: Array, upper: Array, exact: int | None = None) -> ScaleMinimum:
    """Minimise χ²(S) over all S, or over those that can match one observable exactly.

    Parameters
    ----------
    target : array, shape (n_observables, n)
        Measured values over σ.
    lower, upper : array, shape (n_observables, n)
        Ranges of the predictions over σ.
    exact : int, optional
        S is restricted to values for which target[exact] lies in S·[lower[exact], upper[exact]].

    Returns
    -------
    ScaleMinimum
    """
    lower, upper = np.clip(lower, -LARGEST, LARGEST), np.clip(upper, -LARGEST, LARGEST)
    with np.errstate(all="ignore"):
        positive = _minimise(_Matches.of(target, lower, upper), exact)
        negative = _minimise(_Matches.of(target, -upper, -lower), exact)
    is_negative = _chi2(negative) < _chi2(positive)
    return ScaleMinimum(
        np.where(is_negative, -negative.upper, positive.lower),
        np.where(is_negative, -negative.lower, positive.upper),
        np.where(is_negative, negative.distance, positive.distance),
    )


def _chi2(minimum: ScaleMinimum) -> Array:
    return np.asarray(sum(minimum.distance * minimum.distance))


@dataclass(frozen=True)
class _Matches:
    """Where S ≥ 0 matches which observable: first ≤ S ≤ last; arrays of shape (n_observables, n).

    Targets are not negative: an observable with a negative one has changed sign, together with its range.
    """

    target: Array
    lower: Array
    upper: Array
    first: Array
    last: Array

    @classmethod
    def of(cls, target: Array, lower: Array, upper: Array) -> _Matches:
        is_negative = target < 0
        low, high = np.where(is_negative, -upper, lower), np.where(is_negative, -lower, upper)
        t = np.abs(target)
        first = np.where(high > 0, t / high, np.where((high == 0) & (t == 0), 0.0, np.inf))
        return cls(t, low, high, first, np.where(low > 0, t / low, np.inf))

    def distance(self, scale: Array) -> tuple[Array, Array]:
        """Distances at scales of shape (n,): how far the predictions stay below, and how far they are above.

        Of shape (n_observables, n).
        """
        can_reach = np.isfinite(self.first)
        below = np.where(can_reach, self.upper * np.maximum(self.first - scale, 0), self.target - scale * self.upper)
        return below, self.lower * np.maximum(scale - self.last, 0)

    def slopes(self, scales: Array) -> Array:
        """½ dχ²/dS at several scales of every point: shape (n_scales, n), as the scales."""
        columns = (self.target, self.lower, self.upper, self.first, self.last)
        each = _Matches(*(column[:, None] for column in columns))
        below, above = each.distance(scales)
        return np.asarray(sum(each.lower * above - each.upper * below))

    def stationary(self, left: Array, right: Array) -> Array:
        """Scale that minimises the parabola between two breakpoints; NaN where it is constant."""
        middle = np.where(np.isinf(right), 2 * left + 1, 0.5 * (left + right))
        below, above = self.distance(middle)
        edge = np.where(below > 0, self.upper, np.where(above > 0, self.lower, 0.0))
        lowest: Array = np.clip(sum(edge * self.target) / sum(edge * edge), left, right)
        return lowest


def _minimise(matches: _Matches, exact: int | None) -> ScaleMinimum:
    """Minimise over S ≥ 0."""
    n = matches.target.shape[1]
    start, stop = (np.zeros(n), np.full(n, np.inf)) if exact is None else (matches.first[exact], matches.last[exact])
    is_possible = np.isfinite(start)
    start = np.where(is_possible, start, 0.0)
    breakpoints = _breakpoints(matches, start, stop)
    lower, upper = _minimisers(matches, breakpoints)
    distance = np.maximum(*matches.distance(lower))
    if exact is not None:
        distance[exact] = 0.0
    return ScaleMinimum(
        np.where(is_possible, lower, np.nan),
        np.where(is_possible, upper, np.nan),
        np.where(is_possible, distance, np.inf),
    )


def _breakpoints(matches: _Matches, start: Array, stop: Array) -> Array:
    """Sort the breakpoints between start and stop, these included; shape (2 n_observables + 2, n)."""
    inner = np.concatenate([matches.first, matches.last])
    inner = np.clip(np.where(np.isfinite(inner), inner, start), start, stop)
    return np.concatenate([start[None], np.sort(inner, axis=0), stop[None]])


def _minimisers(matches: _Matches, breakpoints: Array) -> tuple[Array, Array]:
    """Find the first and the last scale at which the slope is neither negative nor positive."""
    slope = matches.slopes(breakpoints)
    slope[0], slope[-1] = -np.inf, np.inf
    rising = np.argmax(slope >= 0, axis=0)
    falling = len(slope) - 1 - np.argmax(slope[::-1] <= 0, axis=0)
    lower = _end(matches, breakpoints, slope, rising, rising - 1)
    upper = _end(matches, breakpoints, slope, falling, falling + 1)
    return lower, upper


def _end(matches: _Matches, breakpoints: Array, slope: Array, inner: IntArray, outer: IntArray) -> Array:
    """Find where the slope becomes zero between two breakpoints: often at the inner one, exactly."""
    near, far = _pick(breakpoints, inner), _pick(breakpoints, outer)
    between = matches.stationary(np.minimum(near, far), np.maximum(near, far))
    return np.where(np.isnan(between), far, np.where(_pick(slope, inner) == 0, near, between))


def _pick(values: Array, at: IntArray) -> Array:
    picked: Array = np.take_along_axis(values, at[None], axis=0)[0]
    return picked


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
    """Return the observables of every scale; all of them where one is matched exactly by a common factor."""
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
