"""Gradient and Hessian of χ² around a point: all of it, not Gauss's and Newton's part alone.

Of a row with μ = S f in units of σ and half the loss d, by the coordinates t of q = q* + T t (scales and parameters),

    g_c = Σ d′ K_c,    H_ce = Σ (d″ K_c K_e + d′ M_ce),    K = ∂μ, M = ∂∂μ

with d′ = μ − y, d″ = 1 for measured values, and 1 − n/μ, n/μ² for counts. For |t| ≤ k, by the mean value theorem,
K_c = K_c* + Σ_e M_ce t_e and so on, with M anywhere in its range over the box around; so

    H_cd = Σ (d″ K_c K_d)* + Σ d′* M_cd + Σ_e L_cde t_e + Σ d″ κ_c κ_d,      |κ_c| ≤ k |M_c|
    L_cde = Σ (d‴ K_e K_c* K_d* + d″ K_c* M_de + d″ K_d* M_ce + d″ K_e M_cd)

and |Σ_e L_cde t_e| ≤ k |L_cd|: what the rows do to L cancels before its size is taken.

Values with correlations C are multiplied by an approximate A with A C Aᵀ = 1 + F, so that C⁻¹ = Aᵀ (1 + F)⁻¹ A: F is
small, and its bound is added to products.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from hpcscan.arrays import Array, BoolArray, IntArray
from hpcscan.proof.expansion import Ball
from hpcscan.proof.intervals import TINY, ULP, Pair, outward
from hpcscan.proof.matrices import raised
from hpcscan.proof.system import System


@dataclass(frozen=True, eq=False)
class RowDerivatives:
    """Rows over boxes: expected counts, and μ − y of measured values multiplied by A, with their derivatives.

    Attributes
    ----------
    value, first, second : Ball, shapes (n, m), (k, n, m) and (k, k, n, m)
    is_known : bool array, shape (n,)
        Whether every prediction is defined in the whole box.
    """

    value: Ball
    first: Ball
    second: Ball
    is_known: BoolArray

    def take(self, rows: IntArray) -> RowDerivatives:
        """Return those of some boxes."""
        value, first, second = (
            Ball(ball.mid[..., rows, :], ball.rad[..., rows, :]) for ball in (self.value, self.first, self.second)
        )
        return RowDerivatives(value, first, second, self.is_known[rows])

    def along(self, matrix: Array) -> RowDerivatives:
        """Return the derivatives by t, for matrices of shape (k, k, n), T_ac at [a, c]."""
        second = _combined(_swapped(_combined(self.second, matrix)), matrix)
        return replace(self, first=_combined(self.first, matrix), second=second)

    def narrowed(self, spot: RowDerivatives, size: float) -> RowDerivatives:
        """Use the mean value theorem for |t| ≤ size, with what is known at t = 0."""
        first = narrower(self.first, _reached(spot.first, self.second, size))
        return replace(self, value=narrower(self.value, _reached(spot.value, first, size)), first=first)


def _swapped(ball: Ball) -> Ball:
    return Ball(np.swapaxes(ball.mid, 0, 1), np.swapaxes(ball.rad, 0, 1))


def _combined(ball: Ball, matrix: Array) -> Ball:
    """Sum k balls, (k, ..., n, m), times the columns of matrices, (k, k, n)."""
    k, between = len(matrix), (1,) * (ball.mid.ndim - 3)
    return ball.combined(matrix.reshape(k, k, *between, -1))


def _length(ball: Ball) -> Array:
    """Bound the root of the sum of squares over the first axis."""
    pairs = zip(ball.mid, ball.rad, strict=True)
    square = sum(((np.abs(mid) + rad) ** 2 for mid, rad in pairs), np.zeros(ball.mid.shape[1:]))
    return np.asarray(np.sqrt(square) * (1 + (len(ball.mid) + 4) * ULP))


def _reached(at: Ball, slope: Ball, size: float) -> Ball:
    return Ball(at.mid, (at.rad + size * _length(slope)) * (1 + 4 * ULP))


def narrower(one: Ball, other: Ball) -> Ball:
    """Return the one of two enclosures that is narrower."""
    is_less = other.rad < one.rad
    return Ball(np.where(is_less, other.mid, one.mid), np.where(is_less, other.rad, one.rad))


def _product(*factors: Ball) -> Ball:
    """Multiply: every product is rounded by half an ulp, its radius by a few."""
    a, *others = factors
    for b in others:
        mid = a.mid * b.mid
        rad = np.abs(a.mid) * b.rad + a.rad * (np.abs(b.mid) + b.rad)
        a = Ball(mid, rad * (1 + 8 * ULP) + ULP * np.abs(mid) + TINY)
    return a


def _plus(*terms: Ball) -> Ball:
    """Add: every sum is rounded by half an ulp."""
    a, *others = terms
    for b in others:
        mid = a.mid + b.mid
        a = Ball(mid, (a.rad + b.rad) * (1 + 4 * ULP) + ULP * np.abs(mid) + TINY)
    return a


def _summed(ball: Ball) -> Ball:
    """Sum over the rows, the last axis: m rounded terms."""
    m = ball.mid.shape[-1]
    mid = np.ascontiguousarray(ball.mid).sum(-1)
    rad = np.ascontiguousarray(ball.rad + (m + 4) * ULP * np.abs(ball.mid)).sum(-1)
    return Ball(mid, raised(rad, m) + TINY)


def _each(ball: Ball) -> Ball:
    """Put an axis behind the first one, so that a table multiplies with itself."""
    return Ball(ball.mid[:, None], ball.rad[:, None])


@dataclass(frozen=True, eq=False)
class Derivatives:
    """The derivatives of χ² of a system whose parameters are all nonlinear ones."""

    system: System

    def rows(self, point: IntArray, lower: Array, upper: Array) -> RowDerivatives:
        """Enclose the rows over boxes of scales and parameters, shape (n, k)."""
        system, n_s, n_x = self.system, self.system.n_s, self.system.n_x
        found = system.enclose(point, lower[:, n_s:], upper[:, n_s:], by_x=True, by_z=False, twice=True)
        scale, one, shape = Ball.of((lower[:, :n_s].T, upper[:, :n_s].T)), np.ones((1, len(point))), found.shape
        factor = Ball(*(np.concatenate(end)[system.group].T for end in ((scale.mid, one), (scale.rad, 0 * one))))
        zero = np.zeros(shape), np.zeros(shape)
        f, slopes = Ball.of(found.value), [Ball.of(found.first.get(j, zero)) for j in range(n_x)]
        first, second = (Ball(*np.zeros((2, *(n_s + n_x,) * order, *shape))) for order in (1, 2))
        # By the scale of a row: f itself; by that and a parameter: the derivative of f.
        for g in range(n_s):
            mine = system.group == g
            _put(first, (g,), f.where(mine))
            for j in range(n_x):
                _put(second, (g, n_s + j), slopes[j].where(mine))
        for j in range(n_x):
            _put(first, (n_s + j,), _product(factor, slopes[j]))
            for k in range(j, n_x):
                _put(second, (n_s + j, n_s + k), _product(factor, Ball.of(found.mixed.get((j, k), zero))))
        # Where a first derivative has no second one by itself, that was lost on the way and is not 0.
        is_known = np.full(len(point), all((j, j) in found.mixed for j in found.first))
        if found.undefined is not None:
            is_known &= (found.undefined == 0).all(axis=1)
        # y/σ is rounded.
        target = np.where(system.is_count, 0.0, -system.target)
        value = _plus(_product(factor, f), Ball(np.broadcast_to(target, shape), ULP * np.abs(target)))
        value, first, second = (self._whitened(ball) for ball in (value, first, second))
        return RowDerivatives(value, first, second, is_known)

    def gradient(self, rows: RowDerivatives) -> Ball:
        """½ ∂χ², shape (k, n); no number where something is not known."""
        slope, first = self._losses(rows)[0], rows.first
        return self._with_slack(_summed(_product(slope, first)), _size(slope) * _size(first))

    def hessian(self, rows: RowDerivatives) -> Array:
        """Estimate ½ ∂∂χ², shape (k, k, n)."""
        slope, bend, _ = self._losses(rows)
        steep = rows.first.mid[:, None] * (bend.mid * rows.first.mid)
        return np.asarray(np.ascontiguousarray(steep + slope.mid * rows.second.mid).sum(-1))

    def error(self, spot: RowDerivatives, near: RowDerivatives, size: float) -> Array:
        """Bound |½ ∂∂χ² − 1| by t for |t| ≤ size, shape (k, k, n); no number where something is not known.

        Parameters
        ----------
        spot, near : RowDerivatives
            By t, at t = 0 and in the whole neighbourhood.
        """
        k, (d1, d2, _), (slope, bend, turn) = len(spot.first.mid), self._losses(spot), self._losses(near)
        at, first, second = spot.first, near.first, near.second
        fixed = _plus(_product(d2, _each(at), at), _product(d1, second))
        found = self._with_slack(_summed(fixed), _size(_each(first)) * _size(first) + _size(slope) * _size(second))
        # What changes with each t_e, as far as the rows do not cancel.
        square = np.zeros(found.mid.shape)
        for e in range(k):
            own, bent = _at(first, e), _product(bend, _at(second, e))
            changed = _plus(
                _product(turn, own, _each(at), at),
                _product(_each(at), bent),
                _product(_each(bent), at),
                _product(bend, own, second),
            )
            by = _summed(changed)
            square += (np.abs(by.mid) + by.rad) ** 2
        reach = size * np.sqrt(square) * (1 + (k + 8) * ULP)
        kappa = np.minimum(size * _length(_swapped(second)), (np.abs(first.mid - at.mid) + first.rad + at.rad))
        left = np.ascontiguousarray((np.abs(bend.mid) + bend.rad) * kappa[:, None] * kappa).sum(-1)
        apart = np.abs(found.mid - np.eye(k)[..., None]) + found.rad + reach + left
        # Or as it stands, where ranges as computed are narrower.
        whole = _plus(_product(bend, _each(first), first), _product(slope, second))
        direct = self._with_slack(_summed(whole), _size(_each(first)) * _size(first) + _size(slope) * _size(second))
        other = np.abs(direct.mid - np.eye(k)[..., None]) + direct.rad
        return raised(np.where(other < apart, other, apart), kappa.shape[-1] + 8)

    def _losses(self, rows: RowDerivatives) -> tuple[Ball, Ball, Ball]:
        """First, second and third derivatives of half the losses, shape (n, m)."""
        target, is_count, value = self.system.target, self.system.is_count, rows.value
        none = np.where(rows.is_known[:, None], 0.0, np.nan)
        zero = np.zeros(value.mid.shape)
        slope, bend, turn = Ball(value.mid + none, value.rad), Ball(zero + 1.0, zero), Ball(zero, zero)
        if not is_count.any():
            return slope, bend, turn
        # Where μ may be 0 or less, the loss of counts may be infinite.
        low, high = outward(value.mid - value.rad, value.mid + value.rad)
        is_empty = target == 0
        none = none + np.where((low > 0) | (is_empty & (low >= 0)), 0.0, np.nan)
        low, high = (np.where(is_empty, 1.0, end) for end in (low, high))

        def counted(pair: Pair, others: Ball) -> Ball:
            ball = Ball.of(outward(*pair, 16.0, 4 * ULP))
            return Ball(np.where(is_count, ball.mid + none, others.mid), np.where(is_count, ball.rad, others.rad))

        return (
            counted((1 - target / low, 1 - target / high), slope),
            counted((target / high**2, target / low**2), bend),
            counted((-2 * target / low**3, -2 * target / high**3), turn),
        )

    @cached_property
    def _whitening(self) -> tuple[Array, float]:
        """|A|, and a bound of |F|/(1 − |F|)."""
        metric, m = self.system.metric, len(self.system.target)
        assert metric.correlation is not None
        a = np.ascontiguousarray(metric.whitened(np.eye(m)).T)
        size = np.abs(a) @ np.abs(metric.correlation) @ np.abs(a.T)
        error = np.abs(a @ metric.correlation @ a.T - np.eye(m)) + (4 * m + 32) * ULP * (size + 1)
        norm = float(error.sum(axis=1).max()) * (1 + (m + 4) * ULP)
        return np.abs(a), norm / (1 - norm) * (1 + 8 * ULP) if norm < 1 else np.inf

    def _whitened(self, ball: Ball) -> Ball:
        """Multiply rows by A."""
        metric, m = self.system.metric, ball.mid.shape[-1]
        if metric.correlation is None:
            return ball
        spread = ball.rad + (m + 8) * ULP * np.abs(ball.mid)
        rad = np.matmul(spread[..., None, :], np.ascontiguousarray(self._whitening[0].T))[..., 0, :]
        return Ball(metric.whitened(ball.mid), raised(rad, m) + TINY)

    def _with_slack(self, found: Ball, size: Array) -> Ball:
        """Add what F does to products of rows of this size."""
        if self.system.metric.correlation is None:
            return found
        return Ball(found.mid, found.rad + self._whitening[1] * size * (1 + 1e-9))


def _put(table: Ball, place: tuple[int, ...], ball: Ball) -> None:
    """Write into a table that is symmetric."""
    for at in {place, place[::-1]}:
        table.mid[at], table.rad[at] = ball.mid, ball.rad


def _at(table: Ball, place: int) -> Ball:
    return Ball(table.mid[place], table.rad[place])


def _size(ball: Ball) -> Array:
    """Bound the length over the rows, the last axis."""
    return np.asarray(np.sqrt(np.ascontiguousarray((np.abs(ball.mid) + ball.rad) ** 2).sum(-1)))
