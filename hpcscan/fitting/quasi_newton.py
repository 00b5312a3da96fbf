"""Bounded minimisation of a function without residuals, for many rows at once: quasi-Newton steps in a trust region.

The Hessian is learned from gradients (BFGS; Nocedal and Wright, Numerical Optimization, §6.1) and found anew by second
differences wherever a row seems to have arrived or cannot get on: a row has converged when the quadratic model of a
fresh Hessian, which does not bend down, offers no more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hpcscan.arrays import Array, BoolArray, IntArray
from hpcscan.fitting.ends import MOVING, Minima, Supply, edm_tolerance
from hpcscan.fitting.quadratic import NormalEquations
from hpcscan.fitting.records import UNKNOWN, Status
from hpcscan.fitting.steps import next_radius, step_inside
from hpcscan.fitting.tries import REACH, Leaving
from hpcscan.likelihood.linear import products, sum_of_squares
from hpcscan.likelihood.objective import Evaluation, Given
from hpcscan.likelihood.rows import Rows, clipped, never_alone
from hpcscan.likelihood.scalar import ScalarObjective
from hpcscan.tolerance import tie_tolerance

#: A row has arrived at this estimated distance to the minimum, relative to 1 + |−2 ln L|.
EDM_TOLERANCE = 1e-11
#: Radius at the start, and the step of the first differences, in units of the box's widths.
INITIAL_RADIUS, FIRST_STEP = 0.5, 1e-3
#: A Hessian bends down where an eigenvalue is below minus this × the largest.
BENDS_DOWN = 1e-6
#: A change of the gradient is learned from where it has at least this share of what is expected (Powell's damping).
LEAST_CURVATURE = 0.1


@dataclass(frozen=True)
class QuasiNewtonWalk(Rows):
    """Rows on their way.

    Attributes
    ----------
    row : int array, shape (n,)
    x, gradient : array, shape (p, n)
        The gradient is that of half −2 ln L, in units of the box's widths, and so is the Hessian.
    hessian : array, shape (p, p, n)
    chi2, radius : array, shape (n,)
    n_steps, n_evaluations : int array, shape (n,)
    is_fresh, is_stuck : bool array, shape (n,)
        Whether the Hessian has been found anew here, and whether steps from here are hopeless.
    """

    row: IntArray
    given: Given
    x: Array
    gradient: Array
    hessian: Array
    chi2: Array
    radius: Array
    n_steps: IntArray
    n_evaluations: IntArray
    is_fresh: BoolArray
    is_stuck: BoolArray


def descend(
    objective: ScalarObjective, ends: Minima, supply: Supply, max_iter: int, leaving: Leaving | None = None
) -> None:
    """Minimise from the starts that are supplied, until there are no more; see `hpcscan.fitting.descent.descend`."""
    descent = _QuasiNewtonDescent(objective, ends, supply, max_iter, leaving)
    with np.errstate(all="ignore"):
        walk = descent.begin()
        while walk is not None:
            while len(walk.row):
                walk = descent.advance(walk)
                more = descent.begin() if len(walk.row) else None
                walk = walk.join(more) if more is not None and len(more.row) else walk
            walk = descent.begin()


@dataclass(frozen=True)
class _QuasiNewtonDescent:
    """Many rows on their way down, and where those that have arrived ended."""

    objective: ScalarObjective
    ends: Minima
    supply: Supply
    max_iter: int
    leaving: Leaving | None = None

    def begin(self) -> QuasiNewtonWalk | None:
        """Collect the rows that are supplied now and whose start is finite; the others have failed."""
        launch = self.supply.more(self.ends)
        if launch is None:
            return None
        objective = self.objective
        self.ends.status[launch.row], self.ends.n_evaluations[launch.row] = MOVING, 1
        self.ends.x[:, launch.row] = launch.start
        begun = launch.take(never_alone(np.arange(len(launch.row))))
        at, (p, n) = objective.evaluate(begun.given, begun.start), begun.start.shape
        is_alive = np.isfinite(at.chi2)
        self.ends.status[begun.row[~is_alive]] = Status.FAILED
        width = np.broadcast_to(objective.box.width, (p, n))
        gradient, curvature = objective.differences(begun.given, begun.start, FIRST_STEP * width)
        if objective.problem.has_gradient:
            gradient = objective.gradient(begun.given, begun.start, at)
        # Where the function bends down, or not at all, what is known is the size of its slope.
        size = np.fmax(np.abs(curvature), np.abs(gradient) / INITIAL_RADIUS)
        hessian = np.zeros((p, p, n))
        hessian[np.arange(p), np.arange(p)] = np.where(np.isfinite(curvature) & (curvature > 0), curvature, size)
        none = np.zeros(n, np.int64)
        count = np.full(n, 1 + 3 * len(np.flatnonzero(~objective.box.is_fixed)))
        walk = QuasiNewtonWalk(
            begun.row, begun.given, begun.start, gradient, hessian, at.chi2, np.full(n, INITIAL_RADIUS), none, count,
            none > 0, none > 0,
        )  # fmt: skip
        return walk.where(is_alive)

    def advance(self, walk: QuasiNewtonWalk) -> QuasiNewtonWalk:
        """Let rows leave that need not go on, and move the others."""
        walk = self._needed(walk)
        if not len(walk.row):
            return walk
        equations, is_held = self._model(walk)
        if self.leaving is None:
            return self._went_on(walk, equations, is_held)
        # Some are seen to lead where others have ended.
        has_reached, is_lost, known = self.leaving.after(walk, equations, walk.is_fresh)
        if not (leads := has_reached | is_lost).any():
            return self._went_on(walk, equations, is_held)
        self._release(walk, equations, has_reached, leads, known)
        return walk.where(~leads)

    def _went_on(self, walk: QuasiNewtonWalk, equations: NormalEquations, is_held: BoolArray) -> QuasiNewtonWalk:
        """Let rows leave that have arrived, look again around those that seem to, and move the others."""
        seems_there = ~(equations.decrement > self._tolerance(walk.chi2)) | walk.is_stuck
        is_over = walk.n_steps >= self.max_iter
        is_saddle = self._bends_down(walk, is_held) & walk.is_fresh
        leaves = is_over | (seems_there & walk.is_fresh & (~is_saddle | walk.is_stuck))
        if leaves.any():
            gone = walk.where(leaves)
            # A bend that leads nowhere is one of the differences alone.
            is_no_minimum = (is_saddle & ~walk.is_stuck)[_rows(leaves)]
            self._leave(gone, equations.where(leaves).decrement, is_no_minimum)
            return walk.where(~leaves)
        looks = seems_there & ~walk.is_fresh
        if looks.any():
            seen = self._look_again(walk.where(looks))
            walk.put(never_alone(np.flatnonzero(looks)), seen)
            return walk
        if (escapes := is_saddle & seems_there).any():
            walk.put(
                never_alone(np.flatnonzero(escapes)), self._escape(walk.where(escapes), is_held[:, _rows(escapes)])
            )
            return walk
        bent = walk.is_fresh & self._bends_down(walk, is_held)
        if bent.any():
            walk.put(never_alone(np.flatnonzero(bent)), _turned_up(walk.where(bent)))
            return walk
        return self._move(walk, equations)

    def _tolerance(self, chi2: Array) -> Array:
        return edm_tolerance(chi2, self.objective.precision, EDM_TOLERANCE)

    def _model(self, walk: QuasiNewtonWalk) -> tuple[NormalEquations, BoolArray]:
        """Return the quadratic model without the parameters whose descent leads out of the box, and which these are."""
        box, x, gradient = self.objective.box, walk.x, walk.gradient
        is_held = ((x <= box.lower) & (gradient > 0)) | ((x >= box.upper) & (gradient < 0)) | box.is_fixed
        free = 1.0 - is_held
        hessian = walk.hessian * (free * free[:, None])
        return NormalEquations.of_hessian(hessian, walk.gradient * free), is_held

    def _bends_down(self, walk: QuasiNewtonWalk, is_held: BoolArray) -> BoolArray:
        free = 1.0 - is_held
        matrices = np.moveaxis(walk.hessian * (free * free[:, None]), -1, 0)
        if not matrices.shape[1]:
            return np.zeros(len(walk.row), bool)
        is_known = np.asarray(np.isfinite(matrices).all(axis=(1, 2)))
        eigenvalues = np.linalg.eigvalsh(np.where(is_known[:, None, None], matrices, 0.0))
        bends: BoolArray = eigenvalues[:, 0] < -BENDS_DOWN * np.abs(eigenvalues).max(axis=1)
        return bends

    def _look_again(self, walk: QuasiNewtonWalk) -> QuasiNewtonWalk:
        """Find gradient and Hessian anew, by differences over steps at which the function changes visibly."""
        objective, p = self.objective, len(walk.x)
        known = np.einsum("iin->in", walk.hessian)
        at = objective.evaluate(walk.given, walk.x)
        gradient = objective.gradient(walk.given, walk.x, at)
        _, curvature = objective.differences(
            walk.given, walk.x, objective.lengths(known, walk.chi2) * objective.box.width
        )
        hessian = objective.hessian_of_parameters(walk.given, walk.x, curvature, walk.chi2)
        cost = 2 + p * (p + 1) + 3 * p + (0 if objective.problem.has_gradient else 3 * p)
        return replace(
            walk, gradient=gradient, hessian=hessian, n_evaluations=walk.n_evaluations + cost,
            is_fresh=np.ones(len(walk.row), bool), is_stuck=np.zeros(len(walk.row), bool),
            radius=np.maximum(walk.radius, 1e-3),
        )  # fmt: skip

    def _escape(self, walk: QuasiNewtonWalk, is_held: BoolArray) -> QuasiNewtonWalk:
        """Leave a place that is no minimum along the direction in which the function bends down most."""
        box, free = self.objective.box, 1.0 - is_held
        matrices = np.moveaxis(walk.hessian * (free * free[:, None]), -1, 0)
        direction = np.linalg.eigh(matrices)[1][:, :, 0].T
        best, chi2, cost = walk.x, walk.chi2, 0
        for sign in (1.0, -1.0):
            for length in (0.1, 0.01, 0.001):
                x = clipped(walk.x + sign * length * direction * box.width, box.lower, box.upper)
                value = self.objective.evaluate(walk.given, x).chi2
                best, chi2 = np.where(value < chi2, x, best), np.fmin(value, chi2)
                cost += 1
        has_left = chi2 < walk.chi2
        at = self.objective.evaluate(walk.given, best)
        gradient = np.where(has_left, self.objective.gradient(walk.given, best, at), walk.gradient)
        return replace(
            walk, x=best, chi2=chi2, gradient=gradient, is_fresh=~has_left, is_stuck=~has_left,
            n_steps=walk.n_steps + 1, n_evaluations=walk.n_evaluations + cost + self._cost_of_gradient(len(best)),
        )  # fmt: skip

    def _move(self, walk: QuasiNewtonWalk, equations: NormalEquations) -> QuasiNewtonWalk:
        """Try the trust region's step on every row, and learn from those that gain."""
        objective, box = self.objective, self.objective.box
        lower, upper = ((bound - walk.x) / box.width * REACH for bound in (box.lower, box.upper))
        step = step_inside(equations, walk.radius, lower, upper)
        x = clipped(walk.x + step * box.width, box.lower, box.upper)
        trial, promised = objective.evaluate(walk.given, x), -equations.change(step)
        gained = walk.chi2 - trial.chi2
        is_hopeless = np.abs(promised) <= objective.precision.noise(walk.chi2)
        walk = replace(
            walk, radius=next_radius(walk.radius, step, gained, promised), n_steps=walk.n_steps + 1,
            n_evaluations=walk.n_evaluations + 1, is_stuck=~(gained > 0) & is_hopeless,
        )  # fmt: skip
        better = never_alone(np.flatnonzero(gained > 0))
        if len(better):
            there = walk.take(better)
            place, at = x.take(better, axis=-1), trial.take(better)
            gradient = objective.gradient(there.given, place, at)
            made = (place - there.x) / box.width
            hessian = _learned(there.hessian, made, gradient - there.gradient)
            cost = there.n_evaluations + self._cost_of_gradient(len(place))
            moved = replace(
                there, x=place, chi2=at.chi2, gradient=gradient, hessian=hessian, n_evaluations=cost,
                is_fresh=np.zeros(len(better), bool),
            )  # fmt: skip
            walk.put(better, moved)
        return walk

    def _cost_of_gradient(self, p: int) -> int:
        return 0 if self.objective.problem.has_gradient else 3 * p

    def _leave(self, walk: QuasiNewtonWalk, edm: Array, is_no_minimum: BoolArray) -> None:
        """Record rows that have arrived, or cannot get on."""
        is_there = (edm <= tie_tolerance(walk.chi2, self.objective.precision)) & walk.is_fresh & ~is_no_minimum
        status = np.where(is_there, Status.CONVERGED, Status.NOT_CONVERGED).astype(np.int8)
        self.ends.put(
            walk.row,
            Minima(
                walk.x,
                walk.chi2,
                np.maximum(edm, 0.0),
                status,
                walk.n_steps,
                walk.n_evaluations,
                np.full_like(walk.n_steps, UNKNOWN),
            ),
        )

    def _release(
        self, walk: QuasiNewtonWalk, equations: NormalEquations, has_reached: BoolArray, leads: BoolArray, known: Array
    ) -> None:
        """Record rows that need not go on."""
        status = np.where(has_reached, Status.CONVERGED, Status.NOT_CONVERGED).astype(np.int8)
        chi2, edm = np.where(has_reached, known, walk.chi2), equations.decrement + 0.0
        unknown = np.full_like(walk.n_steps, UNKNOWN)
        end, gone = Minima(walk.x, chi2, edm, status, walk.n_steps, walk.n_evaluations, unknown), np.flatnonzero(leads)
        self.ends.put(walk.row[gone], end.take(gone))

    def _needed(self, walk: QuasiNewtonWalk) -> QuasiNewtonWalk:
        """Let the rows go that need not arrive any more."""
        is_needless = self.supply.needless(self.ends)[walk.row]
        if not is_needless.any():
            return walk
        row = walk.row[is_needless]
        self.ends.status[row], self.ends.x[:, row] = Status.NOT_RUN, np.nan
        self.ends.n_iterations[row] = walk.n_steps[is_needless]
        self.ends.n_evaluations[row] = walk.n_evaluations[is_needless]
        return walk.where(~is_needless)


def _rows(chosen: BoolArray) -> IntArray:
    """Return the rows that `Rows.where` selects."""
    return np.arange(len(chosen)) if chosen.all() and len(chosen) > 1 else never_alone(np.flatnonzero(chosen))


def _turned_up(walk: QuasiNewtonWalk) -> QuasiNewtonWalk:
    """Take the sizes of the Hessian's eigenvalues, so that steps go down where it bends down."""
    values, vectors = np.linalg.eigh(np.moveaxis(walk.hessian, -1, 0))
    up = np.einsum("nik,nk,njk->ijn", vectors, np.abs(values), vectors)
    return replace(walk, hessian=np.ascontiguousarray(up), is_fresh=np.zeros(len(walk.row), bool))


def estimated_distance(objective: ScalarObjective, given: Given, x: Array, at: Evaluation) -> Array:
    """Estimated distance to the minimum (EDM) at each row of x, from differences."""
    box, gradient = objective.box, objective.gradient(given, x, at)
    is_held = ((x <= box.lower) & (gradient > 0)) | ((x >= box.upper) & (gradient < 0)) | box.is_fixed
    _, curvature = objective.differences(given, x, FIRST_STEP * np.broadcast_to(box.width, x.shape))
    free = 1.0 - is_held
    hessian = objective.hessian_of_parameters(given, x, curvature, at.chi2) * (free * free[:, None])
    return NormalEquations.of_hessian(hessian, gradient * free).decrement


def _learned(hessian: Array, step: Array, change: Array) -> Array:
    """Update Hessians, shape (p, p, n), by what steps have changed of gradients (BFGS with Powell's damping)."""
    image = products(hessian, step)
    expected, seen = np.add.reduce(step * image, axis=0), np.add.reduce(step * change, axis=0)
    is_weak = ~(seen >= LEAST_CURVATURE * expected)
    share = np.where(is_weak, (1 - LEAST_CURVATURE) * expected / (expected - seen), 1.0)
    damped = share * change + (1 - share) * image
    norm = np.add.reduce(step * damped, axis=0)
    updated = hessian + damped[:, None] * damped / norm - image[:, None] * image / expected
    is_usable = (expected > 0) & (norm > 0) & np.isfinite(updated).all(axis=(0, 1)) & (sum_of_squares(step) > 0)
    result: Array = np.where(is_usable, updated, hessian)
    return result
