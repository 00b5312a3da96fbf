"""What χ² is at least where every prediction is in a range of its own, whatever the others are: for all kinds of data.

With residuals r = S f − y in units of σ, correlations C and counts n, for any numbers v and w < 2 (w ≤ 2 where n = 0)

    rᵀ C⁻¹ r ≥ 2 v·r − vᵀ C v,        D(μ) ≥ w μ + 2 n ln(1 − w/2)

by completing the square, and since the right-hand side is a tangent of the deviance D of `proof.counts`. What is left
is linear in the predictions, and so least at the ends of their ranges, which for S f are S times those of f: for S ≥ 0,
χ² ≥ a + b S with numbers a, b. Two such lines, one that falls and one that rises, bound χ² for all S ≥ 0, where they
cross. With the best v, w and S this is the minimum itself, as everything is convex (for each sign of S).

Rounding: v and w are any numbers. The terms of a and b are products of a few factors, of which σ, y/σ and the ends of
the ranges are rounded a few times themselves; sums have m terms. So a and b are lowered by (m + 32) units in the last
place of the sum of the sizes of their terms.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from hpcscan.arrays import Array, BoolArray, IntArray
from hpcscan.proof.counts import is_impossible
from hpcscan.proof.intervals import ULP
from hpcscan.proof.matrices import Metric, dot

#: Ends beyond are moved here where that widens a range: their squares are finite.
LARGEST = 1e100
#: Scales are looked for between these, by so many halvings: first of their logarithm, then of themselves.
SMALLEST_SCALE, LARGEST_SCALE, HALVINGS = 2.0**-300, 2.0**300, 32
#: Rounds over correlated rows, each of which is moved to its best multiplier; while a scale is searched, so many moves
#: in all. Multipliers that change by less than a share are as good as any.
ROUNDS, MOVES, SETTLED = 100, 200, 1e-9


@dataclass(frozen=True, eq=False)
class SupportLine:
    """a + b S, not above the least χ² for any S ≥ 0; with v, from which that of another scale is looked for."""

    constant: Array
    slope: Array
    multiplier: Array

    def replaced(self, where: BoolArray, other: SupportLine) -> SupportLine:
        """Take other lines at some rows, shape (n,)."""
        parts = ((getattr(self, f.name), getattr(other, f.name)) for f in fields(self))
        return SupportLine(*(np.where(where if a.ndim == 1 else where[:, None], b, a) for a, b in parts))


@dataclass(frozen=True, eq=False)
class Compared:
    """Measured values, with which predictions are compared.

    Attributes
    ----------
    target : array, shape (m,)
        In units of σ; counts as they are.
    group : array of int, shape (m,)
        The scale of every row; −1 where there is none.
    is_count : bool array, shape (m,)
        Their scales are not negative.
    correlation : array, shape (m, m), optional
        None for 1; no row is correlated with one of another scale, or with counts.
    """

    target: Array
    group: IntArray
    is_count: BoolArray
    correlation: Array | None = None

    def least_chi2(self, lower: Array, upper: Array) -> Array:
        """Bound χ² from below, for predictions in ranges in units of σ: shapes (n, m) give (n,).

        Infinite where some prediction is impossible. A row has the same bits whatever other rows there are.
        """
        total = np.zeros(len(lower))
        with np.errstate(all="ignore"):
            lower = np.where(np.isnan(lower), -np.inf, np.minimum(lower, LARGEST))
            upper = np.where(np.isnan(upper), np.inf, np.maximum(upper, -LARGEST))
            for g in np.unique(self.group).tolist():
                rows = np.flatnonzero(self.group == g)
                correlation = None if self.correlation is None else self.correlation[np.ix_(rows, rows)]
                part = _Part(self.target[rows], self.is_count[rows], Metric(correlation))
                total = total + part.least(lower[:, rows], upper[:, rows], has_scale=g >= 0)
        return np.asarray(total * (1 - 8 * ULP))


@dataclass(frozen=True, eq=False)
class _Part:
    """The rows of one scale, or those without."""

    target: Array
    is_count: BoolArray
    metric: Metric

    def least(self, lower: Array, upper: Array, *, has_scale: bool) -> Array:
        """Bound χ² from below."""
        is_empty = (self.is_count & is_impossible(upper, self.target)).any(1)
        # No expectation is negative.
        lower = np.where(self.is_count, np.maximum(lower, 0.0), lower)
        upper = np.where(self.is_count, np.maximum(upper, lower), upper)
        if not has_scale:
            line = self._line(np.ones(len(lower)), lower, upper, None, ROUNDS)
            found = line.constant + line.slope - 2 * ULP * (np.abs(line.constant) + np.abs(line.slope))
        else:
            found = self._least_over_scale(lower, upper)
            if not self.is_count.any():
                found = np.minimum(found, self._least_over_scale(-upper, -lower))
        return np.where(is_empty, np.inf, np.fmax(found, 0.0))

    def _least_over_scale(self, lower: Array, upper: Array) -> Array:
        """Bound χ² for all S ≥ 0 by two lines, which touch it on both sides of the best scale."""
        left, right = (np.full(len(lower), end) for end in (SMALLEST_SCALE, LARGEST_SCALE))
        few = MOVES // len(self.target) + 3
        falls, rises = (self._line(end, lower, upper, None, few) for end in (left, right))
        for rounds in (*[few] * HALVINGS, ROUNDS):
            middle = np.where(right > 4 * left, np.sqrt(left) * np.sqrt(right), 0.5 * (left + right))
            line = self._line(middle, lower, upper, falls.multiplier, rounds)
            is_below = line.slope < 0
            left, right = np.where(is_below, middle, left), np.where(is_below, right, middle)
            falls, rises = falls.replaced(is_below, line), rises.replaced(~is_below, line)
        # Their mean with a slope that is not negative: the quotient is rounded twice.
        share = rises.slope / (rises.slope - falls.slope) * (1 - 4 * ULP)
        mean = share * falls.constant + (1 - share) * rises.constant
        mean -= 8 * ULP * (np.abs(falls.constant) + np.abs(rises.constant))
        crossing = np.where((falls.slope < 0) & (rises.slope > 0), mean, -np.inf)
        return np.asarray(np.fmax(crossing, np.where(rises.slope >= 0, rises.constant, -np.inf)))

    def _line(self, scale: Array, lower: Array, upper: Array, begin: Array | None, rounds: int) -> SupportLine:
        """Find a line that touches the least χ² at a scale, shape (n,), as far as the best multipliers are found."""
        y, counts = np.where(self.is_count, 0.0, self.target), np.where(self.is_count, self.target, 0.0)
        low, high = scale[:, None] * lower, scale[:, None] * upper
        v = np.where(self.is_count, 0.0, self._multipliers(low, high, begin, rounds))
        # The slope of the deviance at the nearest expectation, finite, and less than 2 but for no counts.
        w = np.clip(2 * (1 - counts / np.clip(counts, low, high)), -LARGEST, 2 * (1 - 1e-12))
        w = np.where(self.is_count, np.where(counts > 0, w, 2.0), 0.0)
        factor = 2 * v + w
        ends = np.where(factor > 0, factor * lower, np.where(factor < 0, factor * upper, 0.0))
        own = np.where(counts > 0, 2 * counts * np.log1p(-0.5 * w), 0.0) - 2 * v * y
        one, rounding = np.ones_like(v), (v.shape[1] + 32) * ULP
        square = self.metric.inner(v, v)
        constant = dot(own, one) - square - rounding * (dot(np.abs(own), one) + square)
        slope = dot(ends, one) - rounding * dot(np.abs(ends), one)
        is_known = np.isfinite(constant) & np.isfinite(slope)
        return SupportLine(np.where(is_known, constant, -np.inf), np.where(is_known, slope, 0.0), v)

    def _multipliers(self, low: Array, high: Array, begin: Array | None, rounds: int) -> Array:
        """Find v, shape (n, m): one correlated row after another, each to its best; 0 where a range leaves it open."""
        y, matrix = self.target, self.metric.correlation
        v = np.maximum(low - y, 0.0) + np.minimum(high - y, 0.0)
        if matrix is None:
            return v
        # From where every prediction is next to its measured value.
        v = self.metric.dual(self.metric.whitened(v)) if begin is None else begin.copy()
        v = np.where(((v > 0) & np.isinf(low)) | ((v < 0) & np.isinf(high)), 0.0, v)
        image = sum(v[:, i, None] * matrix[i] for i in range(len(y)))
        is_busy = np.ones(len(v), bool)
        for _ in range(rounds):
            before = v.copy()
            for i in range(len(y)):
                rest = image[:, i] - matrix[i, i] * v[:, i] + y[i]
                best = (np.maximum(low[:, i] - rest, 0.0) + np.minimum(high[:, i] - rest, 0.0)) / matrix[i, i]
                best = np.where(is_busy, best, v[:, i])
                image = image + (best - v[:, i])[:, None] * matrix[i]
                v[:, i] = best
            is_busy &= np.abs(v - before).max(1) > SETTLED * np.abs(v).max(1)
            if not is_busy.any():
                break
        return v
