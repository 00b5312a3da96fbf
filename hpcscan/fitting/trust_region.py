"""Bounded non-linear least squares for many rows at once, by a trust region.

Every row is an independent minimisation of χ² = |r|² from its own start, by steps of `hpcscan.fitting.tries` in units
of the box's widths. A row has arrived when the quadratic model around it offers no more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from hpcscan.arrays import Array
from hpcscan.fitting.ends import MOVING, Minima, Supply, edm_tolerance
from hpcscan.fitting.quadratic import Expansion, expand, expand_fully
from hpcscan.fitting.records import UNKNOWN, Status
from hpcscan.fitting.tries import Leaving, Moving, Place, Tries, try_steps
from hpcscan.likelihood.objective import Evaluation, Given, Objective
from hpcscan.likelihood.rows import never_alone
from hpcscan.tolerance import tie_tolerance

#: Radius at the start.
INITIAL_RADIUS = 0.5
#: A row that has not arrived after so many steps, or cannot get on, goes on with the Hessian in full: most need 5.
GAUSS_NEWTON_STEPS = 40
#: The same for a row that has taken others before.
MOST_STEPS = 140
#: How χ² is expanded around rows of parameters.
Expand = Callable[[Objective, Given, Array, Evaluation], Expansion]


def descend(objective: Objective, ends: Minima, supply: Supply, max_iter: int, leaving: Leaving | None = None) -> None:
    """Minimise χ² from the starts that are supplied, until there are no more.

    Parameters
    ----------
    objective : Objective
    ends : Minima
        Where rows end is written here. What is found needless on its way stays `not_run`, but its cost counts.
    supply : Supply
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
            rows = descent.run(rows, expand, min(GAUSS_NEWTON_STEPS, max_iter), others_join=True)
            # The few that Gauss and Newton have not brought home.
            is_out_of_steps = rows.place.n_steps == max_iter
            descent.leave(rows.where(is_out_of_steps))
            finish(objective, ends, supply, rows.place.where(~is_out_of_steps), max_iter)
            rows = descent.begin()


def settle(objective: Objective, ends: Minima, supply: Supply, place: Place, max_iter: int) -> Place:
    """Go on by Gauss and Newton with central differences; give the places of rows that do not arrive."""
    if not len(place.row):
        return place
    descent = _Descent(objective, ends, supply)
    place = replace(place, is_stuck=np.zeros_like(place.is_stuck))
    around = expand(objective, place.given, place.x, objective.evaluate(place.given, place.x))
    return descent.run(Moving(place, around), expand, min(MOST_STEPS, max_iter)).place


def finish(objective: Objective, ends: Minima, supply: Supply, place: Place, max_iter: int) -> None:
    """Bring home the rows that cannot get on otherwise, with the Hessian in full; see `descend`."""
    if not len(place.row):
        return
    descent = _Descent(objective, ends, supply)
    fresh = np.full_like(place.radius, INITIAL_RADIUS)
    place = replace(place, radius=fresh, is_stuck=np.zeros_like(place.is_stuck))
    with np.errstate(all="ignore"):
        around = expand_fully(objective, place.given, place.x, objective.evaluate(place.given, place.x))
        descent.leave(descent.run(Moving(place, around), expand_fully, max_iter))


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
        self.ends.status[launch.row], self.ends.n_evaluations[launch.row] = MOVING, 1
        self.ends.x[:, launch.row] = launch.start
        begun = launch.take(never_alone(np.arange(len(launch.row))))
        at, n = self.objective.evaluate(begun.given, begun.start), len(begun.row)
        none, one = np.zeros(n, np.int64), np.ones(n, np.int64)
        radius = np.full(n, INITIAL_RADIUS)
        place = Place(
            begun.row, begun.given, begun.start, at.chi2, at.residual, radius, none, one, none > 0, none + UNKNOWN
        )
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
        if not is_needless.any():
            return rows
        row = rows.place.row[is_needless]
        self.ends.status[row], self.ends.x[:, row] = Status.NOT_RUN, np.nan
        self.ends.n_iterations[row] = rows.place.n_steps[is_needless]
        self.ends.n_evaluations[row] = rows.place.n_evaluations[is_needless]
        return rows.where(~is_needless)


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
