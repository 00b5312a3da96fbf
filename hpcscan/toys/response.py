"""How fits answer to fluctuations of their data: Newton's method, with second derivatives that many toys share.

Where toys are made they all have the same predictions a, in σ, and the same derivatives J and D of these by all
coordinates, scales included. So a toy is first fitted to the model a + J δ + δᵀD δ/2, which asks nothing of the model
itself. There its derivatives are found anew, and Newton's step takes it to the minimum: with φ(a) for what a prediction
adds to half −2 ln L, gradient and Hessian are

    g = Σ φ' J,    H = Σ φ'' J Jᵀ + Σ φ' D,

φ' = a − t and φ'' = 1 for a normal value, φ' = 1 − n/μ and φ'' = n/μ² for a count. D is that of the place: the error of
the step is of the order of the way from there, times what the shared model has missed. One step mostly suffices; what
does not arrive is left to the fitter of all other problems.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from hpcscan.answer.coordinates import Arranged
from hpcscan.arrays import Array, BoolArray, IntArray
from hpcscan.fitting.quadratic import NormalEquations, is_held_by_box
from hpcscan.fitting.steps import step_inside
from hpcscan.fitting.tries import REACH
from hpcscan.likelihood.linear import gram, products, weighted_sum
from hpcscan.likelihood.objective import Evaluation, Given, Objective
from hpcscan.likelihood.rows import Rows, clipped, never_alone
from hpcscan.model.problem import Problem, scale_names
from hpcscan.tolerance import tie_tolerance

#: Steps in the shared model, and rounds with derivatives of a toy's own, before a toy is left to others.
SHARED_STEPS, ROUNDS = 3, 4
#: No step is longer than this, in widths of the box: a model need not bear more.
LONGEST = 1.0
#: A toy has arrived where a step with its own derivatives promises no more than this, and does what it promises: what
#: is left then is less by the square of the Hessian's relative error.
ARRIVED = 1e-7
#: A pivot of a Hessian that is larger than minus this share of the trace does not bend down.
FLAT = 1e-12
#: Steps of differences, in standard deviations or widths, the shorter: for first and for second derivatives.
STEP, SPACING = 1e-4, 1e-2
#: Numbers in the second derivatives of a place, at most.
MOST_BENDS = 20_000
#: The shared model holds where it misses no more than this, in squared standard deviations.
HOLDS = 1.0


@dataclass(frozen=True)
class Expansion:
    """Predictions and derivatives around n places, in σ and the box's widths.

    Attributes
    ----------
    z : array, shape (n, k)
    value : array, shape (n, m)
    slope : array, shape (n, m, k)
    bend : array, shape (n, m, k, k)
    """

    z: Array
    value: Array
    slope: Array
    bend: Array

    def take(self, rows: IntArray) -> Expansion:
        """Select places."""
        return Expansion(self.z[rows], self.value[rows], self.slope[rows], self.bend[rows])

    @classmethod
    def joined(cls, parts: Sequence[Expansion]) -> Expansion:
        """Put places one after another."""
        return cls(*(np.concatenate([getattr(part, one.name) for part in parts]) for one in fields(cls)))


@dataclass(frozen=True)
class Answered(Rows):
    """Where fits ended.

    Attributes
    ----------
    z : array, shape (k, n)
    chi2 : array, shape (n,)
    hessian : array, shape (k, k, n)
        Half that of χ², by the coordinates in units of the box's widths.
    is_good : bool array, shape (n,)
        Whether they have arrived.
    """

    z: Array
    chi2: Array
    hessian: Array
    is_good: BoolArray


class Response:
    """Fits toys in blocks of one size, the toys of a block at one place.

    Parameters
    ----------
    whole : Arranged
        With all coordinates moving, scales too.
    free : Problem
        The same, of terms and without axes, as the model has it.
    size : int
        Toys of a block.
    """

    def __init__(self, whole: Arranged, free: Problem, size: int) -> None:
        self.objective, self._size, self._has_jacobian = Objective(whole), size, free.has_jacobian
        names = [p.name for p in whole.parameters]
        members = {name: np.array([o.scale == name for o in free.observables]) for name in scale_names(free)}
        self._scales = {names.index(name): is_member[:, None] for name, is_member in members.items()}
        self._is_count = self.objective.terms.is_count[:, None]

    @property
    def is_small(self) -> bool:
        """Whether the second derivatives of a place are few."""
        m, k = len(self.objective.terms.sigma), len(self.objective.box.width)
        return m * k * k <= MOST_BENDS

    def around(self, z: Array) -> Expansion:
        """Expand the predictions around places, shape (n, k)."""
        box, (n, k) = self.objective.box, z.shape
        x = np.ascontiguousarray(z[never_alone(np.arange(n))].T)
        value, slope = self._derived(x)
        # Towards the farther bound, over a hundredth of a standard deviation.
        length = np.minimum(self._lengths(value, slope, SPACING) * box.width, (box.upper - box.lower) / 2)
        offsets = np.where(box.upper - x >= x - box.lower, length, -length)
        places = [x + np.where(np.arange(k)[:, None] == j, offsets, 0.0) for j in range(k)]
        beside = self._derived(np.concatenate(places, axis=1))[1].reshape(*slope.shape[:2], k, -1)
        with np.errstate(all="ignore"):
            bend = (beside - slope[:, :, None]) / (offsets / box.width)
        bend = np.where(box.is_fixed | box.is_fixed[:, None], 0.0, (bend + bend.swapaxes(1, 2)) / 2)
        return Expansion(z, *(np.ascontiguousarray(np.moveaxis(a[..., :n], -1, 0)) for a in (value, slope, bend)))

    def _derived(self, x: Array) -> tuple[Array, Array]:
        """Compute predictions in σ at places, shape (k, n), and their derivatives."""
        given = Given(np.empty((0, x.shape[1])))
        at = self.objective.evaluate(given, x)
        return self.objective.terms.in_sigmas(at.raw), self.objective.slopes(given, x, at)

    def _lengths(self, value: Array, slope: Array, share: float) -> Array:
        """Choose lengths that are a share of a standard deviation of each coordinate, in units of the box's widths."""
        with np.errstate(all="ignore"):
            weight = np.where(self._is_count, 1 / value, 1.0)
            length: Array = share / np.sqrt((weight[:, None] * slope * slope).sum(axis=0))
        return np.minimum(length, share)

    def fit(self, around: Expansion, observed: Array, is_held: BoolArray) -> Answered:
        """Fit toys of blocks.

        Parameters
        ----------
        around : Expansion
            At the place of each block.
        observed : array, shape (n_observables, n)
            Their data, block after block.
        is_held : bool array, shape (k, n)
            Coordinates that stay.
        """
        with np.errstate(all="ignore"):
            z, _ = self.shared(around, observed, is_held)
            return self._finished(around, observed, is_held, z)

    def led(self, around: Expansion, observed: Array) -> tuple[Array, Array, BoolArray]:
        """Return where the shared model ends, shape (k, n), χ² there, and where it holds as far; see `fit`."""
        with np.errstate(all="ignore"):
            n, k = observed.shape[1], len(self.objective.box.width)
            z, value = self.shared(around, observed, np.zeros((k, n), bool))
            given = Given(np.empty((0, n)), observed)
            at = self.objective.evaluate(given, z)
            _, second = self._weights(value, self.objective.target(given))
            missed = self.objective.terms.in_sigmas(at.raw) - value
            return z, at.chi2, (second * missed * missed).sum(axis=0) <= HOLDS

    def of_parameters(self, hessian: Array) -> Array:
        """Return the Hessians of the parameters alone, the scales following them: (p, p, n) of (k, k, n)."""
        left = hessian.copy()
        with np.errstate(all="ignore"):
            for k in self._scales:
                left = left - np.where(left[k, k] > 0, left[:, k, None] * left[k] / left[k, k], 0.0)
        others = [k for k in range(len(hessian)) if k not in self._scales]
        return left[np.ix_(others, others)]

    def shared(self, around: Expansion, observed: Array, is_held: BoolArray) -> tuple[Array, Array]:
        """Minimise in the model that toys share: coordinates of shape (k, n), and the predictions there."""
        box, target = self.objective.box, self.objective.terms.in_sigmas(observed)
        start, of_start, slope = (self._spread(a[..., None]) for a in (around.z, around.value, around.slope))
        z, value, there = clipped(start, box.lower, box.upper), of_start, slope
        for _ in range(SHARED_STEPS):
            first, second = self._weights(value, target)
            bent = self._bent(around.bend, first)
            equations = self._equations(z, self._hessian(there, first, second, bent), is_held)
            z = self._end(z, self._step(equations, z))
            delta = (z - start) / box.width
            turned = self._turned(around.bend, delta)
            value, there = of_start + products(slope + turned / 2, delta), slope + turned
        return z, value

    def _finished(self, around: Expansion, observed: Array, is_held: BoolArray, z: Array) -> Answered:
        """Go on with derivatives at the places of the toys themselves."""
        objective, n = self.objective, z.shape[1]
        given = Given(np.empty((0, n)), observed)
        at = objective.evaluate(given, z)
        # Of the second derivatives each toy needs what its residuals make of them, and those by single coordinates.
        first, _ = self._weights(objective.terms.in_sigmas(at.raw), objective.target(given))
        bent, own = self._bent(around.bend, first), self._spread(np.einsum("nmkk->nmk", around.bend)[..., None])
        lengths = self._lengths(np.moveaxis(around.value, 0, -1), np.moveaxis(around.slope, 0, -1), STEP)
        walk = _Walk(np.arange(n), given, z, at, is_held, bent, self._spread(lengths.T[:, :, None]), own)
        end = Answered(z.copy(), np.full(n, np.inf), bent.copy(), np.zeros(n, bool))
        for _ in range(ROUNDS):
            walk = walk.where(np.isfinite(walk.at.chi2))
            if not len(walk.row):
                break
            walk, reached = self._stepped(walk)
            end.put(walk.row, reached)
            walk = walk.where(~reached.is_good)
        return end

    def _stepped(self, walk: _Walk) -> tuple[_Walk, Answered]:
        """Make one step with derivatives of the rows' own; tell which have arrived."""
        objective = self.objective
        weights = self._weights(objective.terms.in_sigmas(walk.at.raw), objective.target(walk.given))
        derivatives = self._hessian(self._slopes(walk), *weights, walk.bent)
        equations = self._equations(walk.z, derivatives, walk.is_held)
        step = self._step(equations, walk.z)
        z = self._end(walk.z, step)
        at, promised = objective.evaluate(walk.given, z), -equations.change(step)
        hessian, is_low = np.asarray(equations.hessian), at.chi2 <= walk.at.chi2 + tie_tolerance(walk.at.chi2) / 100
        # A place from which χ² bends down is no minimum; also along a bound that holds next to nothing.
        gradient, whole = derivatives
        is_weak = gradient * gradient <= ARRIVED * np.abs(np.einsum("iin->in", whole))
        free = 1.0 - (walk.is_held | (np.einsum("iin->in", hessian) == 0) & ~is_weak)
        is_good = is_low & (promised <= ARRIVED) & ~bends_down(whole * (free * free[:, None]))
        return replace(walk, z=z, at=at), Answered(z, at.chi2, hessian, is_good)

    def _step(self, equations: NormalEquations, z: Array) -> Array:
        """Choose the step to the minimum of the quadratic model inside the box."""
        box, longest = self.objective.box, np.full(z.shape[1], LONGEST)
        return step_inside(equations, longest, *((bound - z) / box.width for bound in (box.lower, box.upper)))

    def _end(self, z: Array, step: Array) -> Array:
        box = self.objective.box
        return clipped(z + step * REACH * box.width, box.lower, box.upper)

    def _hessian(self, slope: Array, first: Array, second: Array, bent: Array) -> tuple[Array, Array]:
        """Compute the gradient of half χ², and its Hessian, of derivatives of predictions."""
        weighed = np.sqrt(second)[:, None] * slope if self.objective.terms.has_counts else slope
        return weighted_sum(first, slope), gram(weighed.transpose(1, 0, 2)) + bent

    def _equations(self, z: Array, derivatives: tuple[Array, Array], is_held: BoolArray) -> NormalEquations:
        """Set up Newton's equations without what is held, also by the box."""
        gradient, hessian = derivatives
        free = 1.0 - (is_held | is_held_by_box(self.objective.box, z, gradient))
        return NormalEquations.of_hessian(hessian * (free * free[:, None]), gradient * free)

    def _weights(self, value: Array, target: Array) -> tuple[Array, Array]:
        """Differentiate half −2 ln L by the predictions in σ, once and twice."""
        first, second = value - target, np.ones_like(value)
        if self.objective.terms.has_counts:
            share = np.where(target > 0, target / value, 0.0)
            first = np.where(self._is_count, 1 - share, first)
            second = np.where(self._is_count, share / value, second)
        return first, second

    def _slopes(self, walk: _Walk) -> Array:
        """Differentiate the predictions at rows: forward, corrected by the second derivatives of their places."""
        objective, box, (k, n) = self.objective, self.objective.box, walk.z.shape
        if self._has_jacobian:
            return objective.slopes(walk.given, walk.z, walk.at)
        slopes = np.zeros((len(walk.at.raw), k, n))
        for j in range(k):
            if j in self._scales:
                slopes[:, j] = objective.terms.in_sigmas(walk.at.raw * self._scales[j]) / walk.z[j] * box.width[j]
                continue
            rows = never_alone(np.flatnonzero(~(walk.is_held[j] | box.is_fixed[j])))
            if not len(rows):
                continue
            there = walk.z.take(rows, axis=-1)
            length = walk.steps[j, rows] * box.width[j]
            moved = np.where(there[j] + length <= box.upper[j], there[j] + length, there[j] - length)
            length, there[j] = moved - there[j], moved
            rise = objective.predict(walk.given.take(rows), there) - walk.at.raw.take(rows, axis=-1)
            length /= box.width[j]
            slopes[:, j, rows] = objective.terms.in_sigmas(rise) / length - length / 2 * walk.own[:, j].take(
                rows, axis=-1
            )
        return slopes

    def _turned(self, bend: Array, delta: Array) -> Array:
        """Compute D δ, shape (m, k, n); block by block, in products of one size."""
        n, m, k, _ = bend.shape
        columns = np.ascontiguousarray(delta.reshape(k, -1, self._size).transpose(1, 0, 2))
        turned = np.matmul(bend.reshape(n, m * k, k), columns)
        return np.ascontiguousarray(turned.transpose(1, 0, 2)).reshape(m, k, -1)

    def _bent(self, bend: Array, weights: Array) -> Array:
        """Compute Σ w D, shape (k, k, n), for weights of shape (m, n)."""
        n, m, k, _ = bend.shape
        columns = np.ascontiguousarray(weights.reshape(m, -1, self._size).transpose(1, 0, 2))
        rows = np.ascontiguousarray(bend.reshape(n, m, k * k).transpose(0, 2, 1))
        return np.ascontiguousarray(np.matmul(rows, columns).transpose(1, 0, 2)).reshape(k, k, -1)

    def _spread(self, of_place: Array) -> Array:
        """Repeat what a block has, shape (n_blocks, ..., 1), for all its rows: (..., n)."""
        rows = np.moveaxis(np.repeat(of_place, self._size, axis=-1), 0, -2)
        return np.ascontiguousarray(rows).reshape(*rows.shape[:-2], -1)


@dataclass(frozen=True)
class _Walk(Rows):
    """Rows on their way: steps of differences, shape (k, n), and ∂²a by single coordinates, (m, k, n), besides."""

    row: IntArray
    given: Given
    z: Array
    at: Evaluation
    is_held: BoolArray
    bent: Array
    steps: Array
    own: Array


def bends_down(hessian: Array) -> BoolArray:
    """Return which Hessians, shape (k, k, n), have a direction of negative curvature: by the signs of their pivots."""
    left, least = hessian.copy(), FLAT * np.abs(np.einsum("iin->in", hessian)).sum(axis=0)
    result = np.zeros(hessian.shape[-1], bool)
    for i in range(len(left)):
        pivot = left[i, i].copy()
        result |= ~(pivot >= -least)
        row = np.where(pivot > least, left[i, i + 1 :] / pivot, 0.0)
        left[i + 1 :, i + 1 :] -= left[i, i + 1 :, None] * row
    return result
