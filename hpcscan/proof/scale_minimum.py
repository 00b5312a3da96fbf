"""The exact minimum over one profiled scale S of the distance between measured values and ranges of predictions.

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

#: Ranges are cut here, so that the square of a prediction is finite.
LARGEST = 1e150


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
