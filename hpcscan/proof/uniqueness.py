"""The only minimum near a fit, where nothing is proven of the whole box: χ² is convex around it.

With half the Hessian H of χ² at the fit q*, scales and parameters, and TᵀHT = 1, the neighbourhood is q = q* + T t with
|t| ≤ k: k standard deviations in every direction. Cut off at the bounds it is convex. Over it the Hessian is enclosed:
where it is TᵀHT = 1 + E and |E| has a spectral radius ρ < 1, χ² is convex, and has one minimum there at most, inside or
on a bound. That there is one, and not merely a way out: with half the gradient g at q* it is |t| ≤ |Tᵀg|/(1 − ρ) away,
since (1 − ρ) |t|² ≤ g·(q* − q). A component by which χ² falls out of the bounds adds nothing to that. Of a wider
neighbourhood only the first question is left.

A variable that is pushed against a bound is taken for itself, by how much χ² rises along it alone. Where the gradient
by it has one sign in the neighbourhood, it is at its bound in every minimum: what is left is asked of that face.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hpcscan.arrays import Array, BoolArray, IntArray
from hpcscan.proof.box_problem import BoxProblem, is_apart
from hpcscan.proof.condition import NotEnclosable
from hpcscan.proof.expansion import Ball
from hpcscan.proof.hessian import Derivatives, narrower
from hpcscan.proof.matrices import raised
from hpcscan.proof.structure import Part
from hpcscan.proof.system import System

#: Neighbourhoods that are tried, in standard deviations.
SIZES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
#: More parameters are not tried: there is a second derivative for every pair.
MOST_FREE = 16
#: Numbers in tables of second derivatives that are evaluated together.
BLOCK = 500_000
#: The minimum is nearer to the fit than this share of the smallest neighbourhood.
INSIDE = 0.5
#: An eigenvalue that is less, relative to the diagonal, is none.
SINGULAR = 1e-12


@dataclass(frozen=True, eq=False)
class Unique:
    """What was found at n points.

    Attributes
    ----------
    within : array, shape (n,)
        There is one minimum within so many standard deviations of the given one; 0 where nothing closes, NaN where the
        model cannot be enclosed.
    n_rows : array of int, shape (n,)
        Rows that the model was asked for in floating point.
    """

    within: Array
    n_rows: IntArray


def unique_within(problem: BoxProblem, held: Mapping[str, Array], x: Array) -> Unique:
    """Find neighbourhoods of minima in which there is no other.

    Parameters
    ----------
    held : mapping of str to array, shape (n,)
    x : array, shape (n, n_free)
        Values of fits, within the bounds.

    Returns
    -------
    Unique
        A point has the same bits whatever other points are asked about with it.
    """
    free = np.flatnonzero(problem.lower < problem.upper)
    found = Unique(np.full(len(x), np.nan), np.zeros(len(x), int))
    if problem.own is not None or not 0 < len(free) <= MOST_FREE:
        return found
    m, n_s = len(problem.sigma), len(problem.scales)
    part, size = Part(tuple(free.tolist()), (), np.arange(m), tuple(range(n_s)), ()), (len(free) + n_s) ** 2 * m
    step = max(1, BLOCK // size)
    for k in range(0, len(x), step):
        _try(problem, part, held, (x, np.arange(k, min(k + step, len(x)))), found)
    return found


def _try(
    problem: BoxProblem, part: Part, held: Mapping[str, Array], given: tuple[Array, IntArray], found: Unique
) -> None:
    """Look at some points together; at one by one where some cannot be enclosed."""
    x, rows = given
    system = System(problem, part, {name: value[rows] for name, value in held.items()}, x[rows])
    try:
        with np.errstate(all="ignore"):
            within = Minima(system).within()
    except NotEnclosable:
        for row in rows if len(rows) > 1 else rows[:0]:
            _try(problem, part, held, (x, np.array([row])), found)
        return
    found.within[rows], found.n_rows[rows] = within, system.n_rows


class Minima:
    """Minima of n points, with what is known around them; arrays of k variables, scales before parameters.

    Parameters
    ----------
    system : System
        With all parameters as nonlinear ones.
    """

    def __init__(self, system: System) -> None:
        n, free = len(system.base), list(system.free)
        x = np.ascontiguousarray(system.base[:, free])
        predicted = system.evaluate(np.arange(n), x)
        self.q = np.concatenate([system.best_scales(predicted).T, x], axis=1)
        least = np.array([0.0 if g in system.counted_scales else -np.inf for g in range(system.n_s)])
        self.low = np.concatenate([least, system.problem.lower[free]])
        self.high = np.concatenate([np.full(system.n_s, np.inf), system.problem.upper[free]])
        # At the minima themselves.
        self._derivatives = Derivatives(system)
        spot = self._derivatives.rows(np.arange(n), self.q, self.q)
        self._gradient = self._derivatives.gradient(spot)
        self._is_down = (self.q <= self.low).T & (self._gradient.mid > 0)
        self._is_up = (self.q >= self.high).T & (self._gradient.mid < 0)
        self.matrix = self._root(self._derivatives.hessian(spot))
        self._spot = spot
        told = system.enclose(np.arange(n), x, x, by_x=False, by_z=False)
        is_finite = np.isfinite(self.matrix).all((0, 1)) & np.isfinite(self.q).all(1)
        self._is_known = is_finite & ~is_apart(predicted, told).any(1)

    def _root(self, hessian: Array) -> Array:
        """Choose T, shape (k, k, n), T_ac at [a, c]; NaN where χ² has no minimum."""
        is_held = self._is_down | self._is_up
        # By how much χ² rises by 1 along what is pushed out alone: 2 g s + H s² = 1.
        slope, curvature = np.abs(self._gradient.mid), np.einsum("aan->an", hessian)
        rise = 1 / (slope + np.sqrt(slope**2 + np.maximum(curvature, 0.0)))
        own = np.where(is_held, rise**-2.0, curvature)
        unit = np.where(own > 0, 1 / np.sqrt(np.where(own > 0, own, 1.0)), np.nan)
        scaled = np.where(is_held[:, None] | is_held, 0.0, hessian) * unit[:, None] * unit
        k = np.arange(len(unit))
        scaled[k, k] = unit / unit
        is_possible = np.isfinite(scaled).all((0, 1))
        matrices = np.ascontiguousarray(np.where(is_possible, scaled, np.eye(len(k))[..., None]).transpose(2, 0, 1))
        is_possible &= np.linalg.eigvalsh(matrices)[:, 0] > SINGULAR
        matrices[~is_possible] = np.eye(len(k))
        root = np.linalg.inv(np.linalg.cholesky(matrices)).transpose(2, 1, 0)
        return np.where(is_possible, root * unit[:, None], np.nan)

    def within(self) -> Array:
        """Return the size of the largest neighbourhood in which there is one minimum, shape (n,)."""
        found, rows = np.zeros(len(self.q)), np.flatnonzero(self._is_known)
        for size in SIZES:
            if not len(rows):
                break
            rows = rows[self._is_closed(rows, size)]
            found[rows] = size
        return found

    def _is_closed(self, rows: IntArray, size: float) -> BoolArray:
        """Whether χ² is convex in neighbourhoods; for the smallest ones, whether its minimum is well inside."""
        matrix = np.ascontiguousarray(self.matrix[..., rows])
        is_free = np.ones(matrix.shape[1:], bool)
        error, slope = self.error(rows, is_free, size)
        # Where something is at its bound in any case, the rest may be known better on that face.
        some = np.flatnonzero((self._is_down | self._is_up)[:, rows].any(0))
        if len(some):
            is_free[:, some] = self._may_move(rows[some], Ball(slope.mid[:, some], slope.rad[:, some]))
            error[..., some] = self.error(rows[some], is_free[:, some], size)[0]
        rho = _radius(np.where(is_free[:, None] & is_free, error, 0.0))
        if size > SIZES[0]:
            return np.asarray(rho < 1)
        # What a bound keeps from falling is no slope.
        below, above = (self._gradient.mid + side * self._gradient.rad for side in (-1, 1))
        falls = np.where((self.q <= self.low).T, 0.0, above), np.where((self.q >= self.high).T, 0.0, -below)
        fall = np.where(is_free, np.maximum(np.maximum(*falls), 0.0)[:, rows], 0.0)
        along = sum((np.abs(matrix[a]) * fall[a] for a in range(len(fall))), np.zeros_like(fall))
        shift = _length(np.where(is_free, along, 0.0))
        return np.asarray((rho < 1) & (shift < INSIDE * size * (1 - rho)))

    def error(self, rows: IntArray, is_free: BoolArray, size: float) -> tuple[Array, Ball]:
        """Bound |TᵀHT − 1| in neighbourhoods, (k, k, n), and ½ ∂χ² by t; what is not free, (k, n), does not move."""
        matrix = np.where(is_free[:, None] & is_free, self.matrix[..., rows], 0.0)
        # They are within these boxes.
        reach = size * _length(matrix.swapaxes(0, 1)).T
        low, high = np.maximum(self.q[rows] - reach, self.low), np.minimum(self.q[rows] + reach, self.high)
        spot = self._spot.take(rows).along(matrix)
        near = self._derivatives.rows(rows, low, high).along(matrix).narrowed(spot, size)
        error, slope = self._derivatives.error(spot, near, size), self._derivatives.gradient(near)
        # The gradient changes by no more than the Hessian allows.
        at = self._derivatives.gradient(spot)
        reach = size * _length(error.swapaxes(0, 1) + np.eye(len(error))[..., None])
        return error, narrower(slope, Ball(at.mid, (at.rad + reach) * (1 + 1e-9)))

    def _may_move(self, rows: IntArray, slope: Ball) -> BoolArray:
        """Return which variables can be anything else than at their bounds in a minimum, shape (k, n).

        A variable that is pushed out has a t of its own, along it.
        """
        is_down = self._is_down[:, rows] & (slope.mid - slope.rad > 0)
        return ~(is_down | (self._is_up[:, rows] & (slope.mid + slope.rad < 0)))


def _length(parts: Array) -> Array:
    """Bound the root of the sum of squares over the first axis, one after another: the same bits in any batch."""
    return np.asarray(np.sqrt(sum((part * part for part in parts), np.zeros(parts.shape[1:]))) * (1 + 1e-9))


def _radius(size: Array) -> Array:
    """Bound the spectral radius of matrices that are not negative, (k, k, n): max (M v)_c/v_c for any v > 0."""
    k = len(size)
    v = np.ones(size.shape[1:])
    for _ in range(6):
        v = 0.5 * v + sum((size[:, c] * v[c] for c in range(k)), np.zeros_like(v))
        v = np.maximum(v / v.max(0), 1e-6)
    image = sum((size[:, c] * v[c] for c in range(k)), np.zeros_like(v))
    return np.asarray(raised((image / v).max(0), k + 2))
