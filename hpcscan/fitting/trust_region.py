"""Bounded non-linear least squares for many rows at once, by a trust region.

Every row is an independent minimisation of χ² = |r|² from its own start, in units of the box's widths, by the steps of
`hpcscan.fitting.tries`. It has arrived when the quadratic model around it offers no more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from hpcscan.arrays import Array, BoolArray
from hpcscan.fitting.approach import MOST_STEPS as MOST_STEPS_OF_APPROACH
from hpcscan.fitting.approach import approach, can_approach
from hpcscan.fitting.ends import MOVING, Minima, Supply, edm_tolerance
from hpcscan.fitting.quadratic import QuadraticModel, expand, expand_fully
from hpcscan.fitting.records import UNKNOWN, Status
from hpcscan.fitting.tries import Leaving, Place, Tries, try_steps
from hpcscan.likelihood.objective import Evaluation, Given, Objective
from hpcscan.likelihood.rows import Rows, never_alone
from hpcscan.tolerance import tie_tolerance

#: Radius at the start.
INITIAL_RADIUS = 0.5
#: A row that has not arrived after so many steps, or cannot get on, goes on with the Hessian in full: most need 5.
GAUSS_NEWTON_STEPS = 40
#: With several scales the profiled residuals bend so much that Gauss and Newton hardly get on where others converge, …
GAUSS_NEWTON_STEPS_OF_SCALES = 20
#: … and less where a row can approach again.
GAUSS_NEWTON_STEPS_OF_APPROACHES = 8
#: The same for a row that has taken others before.
MOST_STEPS = 140
#: A row has taken long after so many steps.
LONG = 28
#: How χ² is expanded around rows of parameters.
Expand = Callable[[Objective, Given, Array, Evaluation], QuadraticModel]
#: How rows with several scales go on after they have approached again, up to so many steps from their starts.
ROUNDS: tuple[tuple[Expand, int], ...] = (
    (expand, LONG), (expand_fully, 40), (expand_fully, 64), (expand_fully, 96), (expand_fully, 128)
)  # fmt: skip


@dataclass(frozen=True)
class Moving(Rows):
    """Rows that still move: where they are, and what is around."""

    place: Place
    around: QuadraticModel


def descend(objective: Objective, ends: Minima, supply: Supply, max_iter: int, leaving: Leaving | None = None) -> None:
    """Minimise χ² from the starts that are supplied, until there are no more.

    Parameters
    ----------
    ends : Minima
        Where rows end is written here. What is found needless on its way stays `not_run`, but its cost counts.
    max_iter : int
        Steps that a row may try.
    leaving : Leaving, optional
        Says which rows need not go on.
    """
    descent = _Descent(objective, ends, supply, leaving)
    # A step that overflows is a step that is rejected.
    with np.errstate(all="ignore"):
        rows = descent.begin()
        while rows is not None:
            most_steps = min(_gauss_newton_steps(objective, rows.place), max_iter)
            rows = descent.run(rows, expand, most_steps, others_join=True)
            # The few that Gauss and Newton have not brought home.
            is_out_of_steps = rows.place.n_steps >= max_iter
            descent.leave(rows.where(is_out_of_steps))
            finish(objective, ends, supply, rows.place.where(~is_out_of_steps), max_iter)
            rows = descent.begin()


def _gauss_newton_steps(objective: Objective, place: Place) -> int:
    """Return after how many steps rows go on otherwise."""
    if len(objective.groups) < 2:
        return GAUSS_NEWTON_STEPS
    can = can_approach(objective, place.given, place.x)
    return GAUSS_NEWTON_STEPS_OF_APPROACHES if can else GAUSS_NEWTON_STEPS_OF_SCALES


def settle(objective: Objective, ends: Minima, supply: Supply, place: Place, max_iter: int) -> Place:
    """Go on by Gauss and Newton with central differences; give the places of rows that do not arrive."""
    if not len(place.row):
        return place
    descent = _Descent(objective, ends, supply)
    place = replace(place, is_stuck=np.zeros_like(place.is_stuck))
    around = expand(objective, place.given, place.x, objective.evaluate(place.given, place.x))
    return descent.run(Moving(place, around), expand, min(MOST_STEPS, max_iter)).place


def finish(objective: Objective, ends: Minima, supply: Supply, place: Place, max_iter: int) -> None:
    """Bring home the rows that cannot get on otherwise, with the Hessian in full; see `descend`.

    With several scales what does not come home soon is far away, where these hide the way: then it approaches again.
    """
    if not len(place.row):
        return
    descent, can = _Descent(objective, ends, supply), can_approach(objective, place.given, place.x)
    rounds = [(by, most) for by, most in ROUNDS if can and most + MOST_STEPS_OF_APPROACH < max_iter]
    with np.errstate(all="ignore"):
        for expansion, most_steps in (*rounds, (expand_fully, max_iter)):
            place = descent.spared(place)
            place = _nearer(objective, place, max_iter) if can else place
            if not len(place.row):
                return
            place = replace(
                place, radius=np.full_like(place.radius, INITIAL_RADIUS), is_stuck=np.zeros_like(place.is_stuck)
            )
            around = expansion(objective, place.given, place.x, objective.evaluate(place.given, place.x))
            rows = descent.run(Moving(place, around), expansion, most_steps)
            place = rows.place
        if len(place.row):
            descent.leave(rows)


def _nearer(objective: Objective, place: Place, max_iter: int) -> Place:
    """Let rows that have the steps for it approach again, and stay where they are where that leads higher."""
    rows = never_alone(np.flatnonzero(place.n_steps + MOST_STEPS_OF_APPROACH < max_iter))
    if not len(rows):
        return place
    some = place.take(rows)
    x, made = approach(objective, some.given, some.x)
    at = objective.evaluate(some.given, x)
    nearer, lower = replace(some, x=x, chi2=at.chi2, residual=at.residual), np.flatnonzero(at.chi2 < some.chi2)
    some.put(lower, nearer.take(lower))
    place = place.take(np.arange(len(place.row)))
    place.put(rows, replace(some, n_steps=some.n_steps + made, n_evaluations=some.n_evaluations + made + 1))
    return place


@dataclass(frozen=True)
class _Descent:
    """Many rows on their way down, and where those that have arrived ended."""

    objective: Objective
    ends: Minima
    supply: Supply
    leaving: Leaving | None = None

    def begin(self) -> Moving | None:
        """Collect the rows that are supplied now and whose start is finite; the others have failed."""
        launch = self.supply.more(self.ends)
        if launch is None:
            return None
        self.ends.status[launch.row], self.ends.x[:, launch.row] = MOVING, launch.start
        begun = launch.take(never_alone(np.arange(len(launch.row))))
        at, n = self.objective.evaluate(begun.given, begun.start), len(begun.row)
        none, radius = np.zeros(n, np.int64), np.full(n, INITIAL_RADIUS)
        # The steps of an approach have cost one evaluation each, and its end another.
        made = none if begun.n_steps is None else begun.n_steps
        n_evaluations = 1 + made + (made > 0)
        self.ends.n_evaluations[begun.row] = n_evaluations
        of_start = begun.row, begun.given, begun.start, at.chi2, at.residual
        place = Place(*of_start, radius, made, n_evaluations, none > 0, none + UNKNOWN)
        is_alive = np.isfinite(at.chi2)
        self.ends.status[begun.row[~is_alive]] = Status.FAILED
        place, at = place.where(is_alive), at.where(is_alive)
        return Moving(place, expand(self.objective, place.given, place.x, at))

    def run(self, rows: Moving, expansion: Expand, most_steps: int, *, others_join: bool = False) -> Moving:
        """Move rows, whose steps are fewer than the most, until they arrive; give those that do not."""
        rows = self._still_moving(rows)
        stopped = rows.take(np.arange(0))
        while len(rows.place.row):
            stops = rows.place.is_stuck | (rows.place.n_steps >= most_steps)
            if stops.any():
                stopped, rows = _joined(stopped, rows.where(stops)), rows.where(~stops)
            else:
                rows = self._needed(self._iterate(rows, expansion))
                begun = self.begin() if others_join else None
                rows = _joined(rows, self._still_moving(begun)) if begun else rows
        return self._needed(stopped)

    def spared(self, place: Place) -> Place:
        """Leave the rows behind that take long and that nobody waits for."""
        is_spared = self._is_spared(place)
        if not is_spared.any():
            return place
        left = place.where(is_spared)
        at = self.objective.evaluate(left.given, left.x)
        self.leave(Moving(left, expand(self.objective, left.given, left.x, at)))
        return place.where(~is_spared)

    def _is_spared(self, place: Place) -> BoolArray:
        takes_long = place.n_steps >= LONG
        if not takes_long.any():
            return takes_long
        return np.asarray(takes_long & (place.chi2 > self.supply.dispensable_above(self.ends)[place.row]))

    def leave(self, rows: Moving) -> None:
        """Record rows that have arrived, stalled or run out of steps."""
        place, edm = rows.place, rows.around.equations.decrement + 0.0
        is_there = edm <= tie_tolerance(place.chi2, self.objective.precision)
        status = np.where(is_there, Status.CONVERGED, Status.NOT_CONVERGED).astype(np.int8)
        end = Minima(place.x, place.chi2, edm, status, place.n_steps, place.n_evaluations, place.rank)
        self.ends.put(place.row, end)

    def _iterate(self, rows: Moving, expansion: Expand) -> Moving:
        """Try steps on every row and keep the best where χ² falls; give the rows that have not arrived."""
        old = rows.place
        tries = try_steps(self.objective, old, rows.around)
        counted = replace(old, radius=tries.radius, n_steps=old.n_steps + 1, n_evaluations=tries.n_evaluations)
        is_better = tries.at.chi2 < old.chi2
        if is_better.all():
            return self._still_moving(_moved(self.objective, counted, tries, expansion))
        kept = Moving(replace(counted, is_stuck=tries.is_hopeless), rows.around).where(~is_better)
        if not is_better.any():
            return kept
        moved = _moved(self.objective, counted.where(is_better), tries.where(is_better), expansion)
        return _joined(kept, self._still_moving(moved))

    def _still_moving(self, rows: Moving) -> Moving:
        """Let the rows leave that have arrived, as far as one can tell from the expansion around their places."""
        rows = self._wanted(rows)
        is_moving = rows.around.equations.decrement > edm_tolerance(rows.place.chi2, self.objective.precision)
        if is_moving.all():
            return rows
        self.leave(rows.where(~is_moving))
        return rows.where(is_moving)

    def _wanted(self, rows: Moving) -> Moving:
        """Let the rows leave of which it is seen where they lead."""
        if self.leaving is None or not len(rows.place.row):
            return rows
        place, is_fresh = rows.place, np.ones(len(rows.place.row), bool)
        has_reached, is_lost, known = self.leaving.after(place, rows.around.equations, is_fresh)
        leaves = has_reached | is_lost
        if not leaves.any():
            return rows
        status = np.where(has_reached, Status.CONVERGED, Status.NOT_CONVERGED).astype(np.int8)
        chi2, edm = np.where(has_reached, known, place.chi2), rows.around.equations.decrement + 0.0
        end = Minima(place.x, chi2, edm, status, place.n_steps, place.n_evaluations, place.rank)
        gone = np.flatnonzero(leaves)
        self.ends.put(place.row[gone], end.take(gone))
        return rows.where(~leaves)

    def _needed(self, rows: Moving) -> Moving:
        """Let the rows go that need not arrive any more."""
        is_needless = self.supply.needless(self.ends)[rows.place.row]
        if is_needless.any():
            row = rows.place.row[is_needless]
            self.ends.status[row], self.ends.x[:, row] = Status.NOT_RUN, np.nan
            self.ends.n_iterations[row] = rows.place.n_steps[is_needless]
            self.ends.n_evaluations[row] = rows.place.n_evaluations[is_needless]
            rows = rows.where(~is_needless)
        is_spared = self._is_spared(rows.place)
        if is_spared.any():
            self.leave(rows.where(is_spared))
            rows = rows.where(~is_spared)
        return rows


def _moved(objective: Objective, place: Place, tries: Tries, expansion: Expand) -> Moving:
    """Go where the tries are, and expand χ² around there."""
    at = tries.at
    there = replace(place, x=tries.x, chi2=at.chi2, residual=at.residual)
    return Moving(there, expansion(objective, there.given, there.x, at))


def _joined(some: Moving, others: Moving) -> Moving:
    """Put rows together."""
    if len(some.place.row) and len(others.place.row):
        return some.join(others)
    return others if len(others.place.row) else some
