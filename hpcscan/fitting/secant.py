"""Bounded least squares for models without derivatives, whose rows are what a fit costs.

The steps are those of `hpcscan.fitting.tries`. What is spared is differences: derivatives of the predictions are
found by forward differences, carried on by Broyden's update from step to step, and found anew where a step disappoints,
after a number of steps, and before a row counts as arrived. Between two such places the part of the Hessian that Gauss
and Newton leave out, Σ r ∂²r, is learned from the change of the Jacobian (J. E. Dennis, D. M. Gay and R. E. Welsch, ACM
Trans. Math. Software 7, 348 (1981)): with large residuals the steps would converge slowly without it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hpcscan.arrays import Array, BoolArray, IntArray
from hpcscan.fitting.ends import MOVING, Minima, Supply
from hpcscan.fitting.quadratic import NormalEquations, Predictions, QuadraticModel, is_held_by_box, without_held
from hpcscan.fitting.records import UNKNOWN, Status
from hpcscan.fitting.tries import Leaving, Place, Tries, try_steps
from hpcscan.fitting.trust_region import finish, settle
from hpcscan.likelihood.linear import products, sum_of_squares, weighted_sum
from hpcscan.likelihood.objective import Evaluation, Objective
from hpcscan.likelihood.rows import Rows, clipped, never_alone
from hpcscan.tolerance import tie_tolerance

#: Radius at the start.
INITIAL_RADIUS = 0.5
#: A row has arrived at this estimated distance to the minimum, in units of what makes two values of χ² different; one
#: more step makes it far smaller.
SHARE_OF_TIE = 0.1
#: A row that has not arrived after so many steps goes on with the Hessian in full.
MOST_STEPS = 100
#: A step that achieves less than this of its promise, or more than its inverse, asks for new derivatives, where they
#: are old.
POOR = 0.5
#: A step from old derivatives that fails shrinks the radius to no less than this of its length: they may be the cause.
SHRINK = 0.5
#: A singular value of forward differences below this × the largest one may be their error.
NULL_OF_DIFFERENCES = 1e-5
#: Curvature of the learned part of a Hessian that counts, relative to step and change.
LEAST_CURVATURE = 1e-12


@dataclass(frozen=True)
class Fresh(Rows):
    """What was known where derivatives were found last: x, J and Jᵀr, shape (p, n), (m, p, n), (p, n)."""

    x: Array
    jacobian: Array
    gradient: Array


@dataclass(frozen=True)
class SecantWalk(Rows):
    """Rows on their way.

    Attributes
    ----------
    at : Evaluation
        There.
    slopes : array, shape (m, p, n)
        Derivatives of the predictions in σ, before any scale, by the parameters in units of the box's widths.
    bend : array, shape (p, p, n)
        Σ r ∂²r, as far as it is learned.
    bends : bool array, shape (n,)
        Whether it has told the last change of χ² better than its absence.
    age : int array, shape (n,)
        Steps since the derivatives were found; −1 where they are to be found before the next.
    has_last : bool array, shape (n,)
    """

    place: Place
    at: Evaluation
    slopes: Array
    bend: Array
    bends: BoolArray
    age: IntArray
    last: Fresh
    has_last: BoolArray


def descend(  # noqa: PLR0913  (what is minimised, and what is wanted of it)
    objective: Objective,
    ends: Minima,
    supply: Supply,
    max_iter: int,
    leaving: Leaving | None = None,
    *,
    with_ranks: bool = True,
) -> None:
    """Minimise from the starts that are supplied, until there are no more; see `hpcscan.fitting.descent.descend`."""
    descent = SecantDescent(objective, ends, supply, max_iter, leaving or Leaving(), with_ranks)
    # A step that overflows is a step that is rejected.
    with np.errstate(all="ignore"):
        walk = descent.begin()
        while walk is not None:
            place = descent.run(walk)
            if objective.precision.relative:
                place = settle(objective, ends, supply, place, max_iter)
            finish(objective, ends, supply, place, max_iter)
            walk = descent.begin()


@dataclass(frozen=True)
class SecantDescent:
    """Many rows on their way down, and where those that have arrived ended."""

    objective: Objective
    ends: Minima
    supply: Supply
    max_iter: int
    leaving: Leaving
    with_ranks: bool

    def run(self, begun: SecantWalk) -> Place:
        """Move rows until they arrive; give the places of those that cannot get on, or take too many steps."""
        stopped: list[Place] = []
        walk = begun
        while len(walk.place.row):
            walk = self._advance(walk)
            stops = walk.place.is_stuck | (walk.place.n_steps >= min(MOST_STEPS, self.max_iter))
            if stops.any():
                stopped.append(walk.place.where(stops))
                walk = walk.where(~stops)
            more = self.begin() if len(walk.place.row) else None
            if more is not None:
                walk = walk.join(more) if len(more.place.row) else walk
        if not stopped:
            return begun.place.take(np.arange(0))
        place = stopped[0]
        for other in stopped[1:]:
            place = place.join(other)
        return place

    def begin(self) -> SecantWalk | None:
        """Collect the rows that are supplied now and whose start is finite; the others have failed."""
        launch = self.supply.more(self.ends)
        if launch is None:
            return None
        self.ends.status[launch.row], self.ends.n_evaluations[launch.row] = MOVING, 1
        self.ends.x[:, launch.row] = launch.start
        begun = launch.take(never_alone(np.arange(len(launch.row))))
        at, (p, n) = self.objective.evaluate(begun.given, begun.start), begun.start.shape
        none, m = np.zeros(n, np.int64), len(at.raw)
        place = Place(
            begun.row, begun.given, begun.start, at.chi2, at.residual, np.full(n, INITIAL_RADIUS), none, none + 1,
            none > 0, none + UNKNOWN,
        )  # fmt: skip
        is_alive = np.isfinite(at.chi2)
        self.ends.status[begun.row[~is_alive]] = Status.FAILED
        last = Fresh(np.zeros((p, n)), np.zeros((m, p, n)), np.zeros((p, n)))
        walk = SecantWalk(place, at, np.zeros((m, p, n)), np.zeros((p, p, n)), none > 0, none - 1, last, none > 0)
        return walk.where(is_alive)

    def _advance(self, walk: SecantWalk) -> SecantWalk:
        """Find derivatives where they are wanted, let rows leave that have arrived, and move the others."""
        walk = self._refreshed(self._seen(self._needed(walk)))
        if not len(walk.place.row):
            return walk
        around, place = self._expanded(walk), walk.place
        has_reached, is_lost, known = self.leaving.after(place, around.equations, walk.age == 0)
        leaves = has_reached | is_lost
        if leaves.any():
            self._release(walk, around.equations.decrement, has_reached, is_lost, known)
            walk, around = walk.where(~leaves), around.where(~leaves)
        return self._went_on(walk, around)

    def _went_on(self, walk: SecantWalk, around: QuadraticModel) -> SecantWalk:
        """Let rows leave that have arrived, have those look again that seem to, and move the others."""
        tolerance = SHARE_OF_TIE * tie_tolerance(walk.place.chi2, self.objective.precision)
        seems_there, is_fresh = ~(around.equations.decrement > tolerance), walk.age == 0
        has_arrived = seems_there & is_fresh
        if has_arrived.any():
            if self.objective.precision.relative:
                # Noise enters differences to one side more than central ones, with which the row goes on.
                return replace(walk, place=replace(walk.place, is_stuck=walk.place.is_stuck | has_arrived))
            self._arrive(walk.where(has_arrived), around.where(has_arrived))
            return walk.where(~has_arrived)
        looks = seems_there & ~is_fresh
        if not looks.any():
            return self._moved(walk, around) if len(looks) else walk
        waiting = walk.where(looks)
        waiting = replace(waiting, age=np.full_like(waiting.age, -1))
        return waiting if looks.all() else waiting.join(self._moved(walk.where(~looks), around.where(~looks)))

    def _seen(self, walk: SecantWalk) -> SecantWalk:
        """Let rows leave of which it is seen where they lead before their derivatives are found anew."""
        rows = np.flatnonzero((walk.age < 0) & walk.has_last)
        if not len(rows):
            return walk
        part = walk.take(rows)
        is_there, known = self.leaving.before(part.place)
        if not is_there.any():
            return walk
        self._release(part, np.zeros(len(rows)), is_there, np.zeros(len(rows), bool), known)
        stays = np.ones(len(walk.age), bool)
        stays[rows[is_there]] = False
        return walk.where(stays)

    def _refreshed(self, walk: SecantWalk) -> SecantWalk:
        """Find derivatives by differences, and learn from how the Jacobian has changed."""
        wants = walk.age < 0
        if not wants.any():
            return walk
        objective, rows = self.objective, never_alone(np.flatnonzero(wants))
        some = walk if wants.all() and len(wants) > 1 else walk.take(rows)
        place = some.place
        slopes = objective.forward_slopes(place.given, place.x, some.at)
        jacobian = objective.profiled(slopes, objective.weighed(slopes, some.at), some.at)
        gradient = weighted_sum(place.residual, jacobian)
        bend = some.bend
        if len(jacobian) >= len(gradient) and some.has_last.any():
            bend = np.where(some.has_last, self._learned(some, jacobian, gradient), some.bend)
        n = len(place.row)
        rank = place.rank if some.has_last.all() else np.where(some.has_last, place.rank, self._rank(jacobian))
        fresh = replace(
            some, place=replace(place, rank=rank), slopes=slopes, bend=bend, age=np.zeros(n, np.int64),
            last=Fresh(place.x, jacobian, gradient), has_last=np.ones(n, bool), bends=some.has_last | some.bends,
        )  # fmt: skip
        if some is walk:
            return fresh
        walk.put(rows, fresh)
        return walk

    def _rank(self, jacobian: Array) -> IntArray:
        """Count the directions of derivatives that are more than errors of forward differences."""
        if not self.with_ranks:
            return np.full(jacobian.shape[2], UNKNOWN)
        columns = np.moveaxis(np.where(self.objective.box.is_fixed, 0.0, jacobian), -1, 0)
        is_known: BoolArray = np.asarray(np.isfinite(columns).all(axis=(1, 2)))
        columns = np.where(is_known[:, None, None], columns, 0.0)
        values = np.linalg.eigvalsh(np.swapaxes(columns, 1, 2) @ columns)
        rank = (values > NULL_OF_DIFFERENCES**2 * values[:, -1:]).sum(axis=1)
        result: IntArray = np.where(is_known, rank, UNKNOWN)
        return result

    def _learned(self, some: SecantWalk, jacobian: Array, gradient: Array) -> Array:
        """Update Σ r ∂²r so that it tells the change of Jᵀr since the derivatives were found last."""
        last, box = some.last, self.objective.box
        step = (some.place.x - last.x) / box.width
        change = gradient - last.gradient
        own = weighted_sum(some.place.residual, jacobian - last.jacobian)
        image, along = products(some.bend, step), np.add.reduce(change * step, axis=0)
        expected, seen = np.add.reduce(step * image, axis=0), np.add.reduce(step * own, axis=0)
        share = np.where(np.abs(expected) > 0, np.minimum(1.0, np.abs(seen) / np.abs(expected)), 1.0)
        missing = own - image * share
        excess = np.add.reduce(missing * step, axis=0)
        updated = (
            some.bend * share
            + (missing[:, None] * change + change[:, None] * missing) / along
            - (excess / along**2) * change[:, None] * change
        )
        length = np.sqrt(sum_of_squares(change) * sum_of_squares(step))
        is_usable = np.isfinite(updated).all(axis=(0, 1)) & (along > LEAST_CURVATURE * length)
        result: Array = np.where(is_usable, updated, some.bend)
        return result

    def _expanded(self, walk: SecantWalk) -> QuadraticModel:
        """Expand χ² around each row, without the parameters whose descent leads out of the box."""
        objective, place, at = self.objective, walk.place, walk.at
        scaled = objective.weighed(walk.slopes, at)
        jacobian = objective.profiled(walk.slopes, scaled, at)
        gradient = weighted_sum(at.residual, jacobian)
        is_held = is_held_by_box(objective.box, place.x, gradient)
        gradient, jacobian, scaled = without_held(is_held, gradient, jacobian, scaled)
        m, p, _ = jacobian.shape
        if m >= p:
            free = (1.0 - is_held) * walk.bends
            equations = NormalEquations.of_bent(jacobian, walk.bend * (free * free[:, None]), gradient)
        else:
            equations = NormalEquations.of(jacobian, gradient)
        if m > p:
            return QuadraticModel(equations)
        return QuadraticModel(equations, Predictions(at.residual + objective.target(place.given), at.residual, scaled))

    def _moved(self, walk: SecantWalk, around: QuadraticModel) -> SecantWalk:
        """Try steps on every row, keep the best where χ² falls, and learn from it."""
        objective, old = self.objective, walk.place
        tries, width = try_steps(objective, old, around), objective.box.width
        made = (tries.x - old.x) / width
        promised, gained = -around.equations.change(made), old.chi2 - tries.at.chi2
        is_better, is_fresh = gained > 0, walk.age == 0
        is_poor = ~((gained >= POOR * promised) & (gained <= promised / POOR))
        # Derivatives that are old may be the cause of a failure.
        kept = SHRINK * np.minimum(old.radius, np.sqrt(sum_of_squares(made)))
        radius = np.where(is_poor & ~is_fresh, np.maximum(tries.radius, kept), tries.radius)
        place = replace(
            old, x=np.where(is_better, tries.x, old.x), chi2=np.where(is_better, tries.at.chi2, old.chi2),
            residual=np.where(is_better, tries.at.residual, old.residual), radius=radius, n_steps=old.n_steps + 1,
            n_evaluations=tries.n_evaluations, is_stuck=~is_better & is_fresh & tries.is_hopeless,
        )  # fmt: skip
        at = Evaluation(*(np.where(is_better, new, was) for new, was in _pairs(tries.at, walk.at)))
        most = max(1, objective.box.n_free)
        age = np.where(is_better, walk.age + 1, walk.age)
        wants = ~is_fresh & is_poor | (age >= most)
        return replace(
            walk, place=place, at=at, slopes=np.where(is_better, self._carried_on(walk, tries, made), walk.slopes),
            bends=self._judged(walk, made, gained, promised), age=np.where(wants, -1, age),
        )  # fmt: skip

    def _carried_on(self, walk: SecantWalk, tries: Tries, made: Array) -> Array:
        """Update derivatives so that they tell the change of the predictions over a step (Broyden)."""
        terms = self.objective.terms
        change = terms.in_sigmas(tries.at.raw) - terms.in_sigmas(walk.at.raw)
        missed = change - products(walk.slopes, made)
        updated = walk.slopes + missed[:, None] * (made / sum_of_squares(made))
        result: Array = np.where(np.isfinite(updated).all(axis=(0, 1)), updated, walk.slopes)
        return result

    def _judged(self, walk: SecantWalk, made: Array, gained: Array, promised: Array) -> BoolArray:
        """Return where the learned part of the Hessian has told the change of χ² better than its absence."""
        own = np.add.reduce(made * products(walk.bend, made), axis=0)
        without = np.where(walk.bends, promised + own, promised)
        is_better = np.abs(gained - (without - own)) < np.abs(gained - without)
        result: BoolArray = np.where(np.isfinite(gained) & (own != 0), is_better, walk.bends)
        return result

    def _arrive(self, walk: SecantWalk, around: QuadraticModel) -> None:
        """Take the last step of rows whose quadratic model offers next to nothing, and record them."""
        place, box, equations = walk.place, self.objective.box, around.equations
        x = clipped(place.x + equations.newton_step() * box.width, box.lower, box.upper)
        x = np.where(np.isfinite(x).all(axis=0), x, place.x)
        at = self.objective.evaluate(place.given, x)
        is_better = at.chi2 < place.chi2
        edm = equations.decrement + 0.0
        is_there = edm <= tie_tolerance(place.chi2, self.objective.precision)
        end = Minima(
            np.where(is_better, x, place.x), np.where(is_better, at.chi2, place.chi2), edm,
            np.where(is_there, Status.CONVERGED, Status.NOT_CONVERGED).astype(np.int8), place.n_steps + 1,
            place.n_evaluations + 1, np.maximum(place.rank, self._rank(walk.last.jacobian)), walk.slopes,
        )  # fmt: skip
        self.ends.put(place.row, end)

    def _release(self, walk: SecantWalk, edm: Array, has_reached: BoolArray, is_lost: BoolArray, known: Array) -> None:
        """Record rows that need not go on."""
        place, rank = walk.place, np.maximum(walk.place.rank, self._rank(walk.last.jacobian))
        status = np.where(has_reached, Status.CONVERGED, Status.NOT_CONVERGED).astype(np.int8)
        chi2 = np.where(has_reached, known, place.chi2)
        end = Minima(place.x, chi2, np.where(has_reached, 0.0, edm), status, place.n_steps, place.n_evaluations, rank)
        gone = np.flatnonzero(has_reached | is_lost)
        self.ends.put(place.row[gone], end.take(gone))

    def _needed(self, walk: SecantWalk) -> SecantWalk:
        """Let the rows go that need not arrive any more."""
        place = walk.place
        is_needless = self.supply.needless(self.ends)[place.row]
        if not is_needless.any():
            return walk
        row = place.row[is_needless]
        self.ends.status[row], self.ends.x[:, row] = Status.NOT_RUN, np.nan
        self.ends.n_iterations[row] = place.n_steps[is_needless]
        self.ends.n_evaluations[row] = place.n_evaluations[is_needless]
        return walk.where(~is_needless)


def _pairs(new: Evaluation, was: Evaluation) -> list[tuple[Array, Array]]:
    """Pair the parts of two evaluations of the same rows."""
    return [(getattr(new, name), getattr(was, name)) for name in vars(was)]
