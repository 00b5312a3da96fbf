"""Bounded non-linear least squares for many rows at once, by a trust region.

Every row is an independent minimisation of χ² = |r|² from its own start, by steps of `hpcscan.fit.tries` in units of
the box's widths. A row has arrived when the quadratic model around it offers no more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from hpcscan.fit.objective import Evaluation, Objective
from hpcscan.fit.quadratic import Expansion, expand, expand_fully
from hpcscan.fit.records import BoolArray, IntArray, Status
from hpcscan.fit.rows import Rows, never_alone
from hpcscan.fit.tolerance import tie_tolerance
from hpcscan.fit.tries import Moving, Place, Tries, try_steps
from hpcscan.model.interface import Array

#: A start has converged when its estimated distance to the minimum is below this × (1 + χ²).
EDM_TOLERANCE = 1e-12
#: Radius at the start.
INITIAL_RADIUS = 0.5
#: A row that has not arrived after so many steps, or cannot get on, goes on with the Hessian in full: most need 5.
GAUSS_NEWTON_STEPS = 40
#: How χ² is expanded around rows of parameters.
Expand = Callable[[Objective, Array, Array, Evaluation], Expansion]


@dataclass(frozen=True)
class Minima(Rows):
    """Where n rows ended.

    Attributes
    ----------
    x : array, shape (n_parameters, n)
    chi2, edm : array, shape (n,)
        χ² and the estimated distance to its minimum, −gᵀs of an undamped step s: Minuit's EDM.
    status : int8 array, shape (n,)
    n_iterations, n_evaluations : int array, shape (n,)
    """

    x: Array
    chi2: Array
    edm: Array
    status: IntArray
    n_iterations: IntArray
    n_evaluations: IntArray

    @classmethod
    def not_run(cls, n_parameters: int, n: int) -> Minima:
        """Account for n rows that nobody has fitted yet."""
        nan, zero = np.full(n, np.nan), np.zeros(n, np.int64)
        x = np.full((n_parameters, n), np.nan)
        return cls(x, nan, nan.copy(), np.full(n, Status.NOT_RUN, np.int8), zero, zero.copy())


#: Tells, from where rows have ended so far, which ones need not end any more.
Needless = Callable[[Minima], BoolArray]


def minimise(
    objective: Objective, points: Array, start: Array, max_iter: int, is_needless: Needless | None = None
) -> Minima:
    """Minimise χ² from every start.

    Parameters
    ----------
    objective : Objective
    points : array, shape (n_axes, n)
    start : array, shape (n_parameters, n)
        Inside the box.
    max_iter : int
        Steps that a row may try.
    is_needless : callable, optional
        Asked after every step. What is needless and still moves is left, with the status `not_run`; its cost counts.

    Returns
    -------
    Minima
        A row whose start is not finite has status `failed`; one that ran out of steps, `not_converged`.
    """
    descent = _Descent(objective, _all_failed(start), is_needless)
    # A step that overflows is a step that is rejected.
    with np.errstate(all="ignore"):
        rows = descent.run(_begin(objective, points, start), expand, min(GAUSS_NEWTON_STEPS, max_iter))
        # The few that Gauss and Newton have not brought home.
        is_out_of_steps = rows.place.n_steps == max_iter
        descent.leave(rows.where(is_out_of_steps))
        place = rows.place.where(~is_out_of_steps)
        if len(place.row):
            fresh = np.full_like(place.radius, INITIAL_RADIUS)
            place = replace(place, radius=fresh, is_stuck=np.zeros_like(place.is_stuck))
            around = expand_fully(objective, place.points, place.x, objective.evaluate(place.points, place.x))
            descent.leave(descent.run(Moving(place, around), expand_fully, max_iter))
    return descent.ends


def _all_failed(start: Array) -> Minima:
    """Account for every row as failed, until it has ended otherwise."""
    n = start.shape[1]
    return Minima(
        x=start.copy(),
        chi2=np.full(n, np.nan),
        edm=np.full(n, np.nan),
        status=np.full(n, Status.FAILED, np.int8),
        n_iterations=np.zeros(n, np.int64),
        n_evaluations=np.ones(n, np.int64),
    )


def _begin(objective: Objective, points: Array, start: Array) -> Moving:
    """Collect the rows whose start is finite."""
    row = never_alone(np.arange(start.shape[1]))
    points, x = points.take(row, axis=-1), start.take(row, axis=-1)
    at, n = objective.evaluate(points, x), len(row)
    none, one = np.zeros(n, np.int64), np.ones(n, np.int64)
    place = Place(row, points, x, at.chi2, at.residual, np.full(n, INITIAL_RADIUS), none, one, none > 0)
    is_alive = np.isfinite(at.chi2)
    place, at = place.where(is_alive), at.where(is_alive)
    return Moving(place, expand(objective, place.points, place.x, at))


@dataclass(frozen=True)
class _Descent:
    """Many rows on their way down, and where those that have arrived ended."""

    objective: Objective
    ends: Minima
    is_needless: Needless | None

    def run(self, rows: Moving, expansion: Expand, most_steps: int) -> Moving:
        """Move rows, whose steps are fewer than the most, until they arrive; give those that do not."""
        rows = self._still_moving(rows)
        stopped = rows.take(np.arange(0))
        while len(rows.place.row):
            stops = rows.place.is_stuck | (rows.place.n_steps >= most_steps)
            if stops.any():
                stopped, rows = _joined(stopped, rows.where(stops)), rows.where(~stops)
            else:
                rows = self._needed(self._iterate(rows, expansion))
        return self._needed(stopped)

    def leave(self, rows: Moving) -> None:
        """Record rows that have arrived, stalled or run out of steps."""
        place, edm = rows.place, rows.around.equations.decrement
        is_there = edm <= tie_tolerance(place.chi2)
        status = np.where(is_there, Status.CONVERGED, Status.NOT_CONVERGED).astype(np.int8)
        end = Minima(place.x, place.chi2, edm, status, place.n_steps, place.n_evaluations)
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
        is_moving = rows.around.equations.decrement > EDM_TOLERANCE * (1 + rows.place.chi2)
        if is_moving.all():
            return rows
        self.leave(rows.where(~is_moving))
        return rows.where(is_moving)

    def _needed(self, rows: Moving) -> Moving:
        """Let the rows go that need not arrive any more."""
        if self.is_needless is None or not len(rows.place.row):
            return rows
        is_needless = self.is_needless(self.ends)[rows.place.row]
        row = rows.place.row[is_needless]
        self.ends.status[row], self.ends.x[:, row] = Status.NOT_RUN, np.nan
        self.ends.n_iterations[row] = rows.place.n_steps[is_needless]
        self.ends.n_evaluations[row] = rows.place.n_evaluations[is_needless]
        return rows.where(~is_needless)


def _moved(objective: Objective, place: Place, tries: Tries, expansion: Expand) -> Moving:
    """Go where the tries are, and expand χ² around there."""
    at = tries.at
    there = replace(place, x=tries.x, chi2=at.chi2, residual=at.residual)
    return Moving(there, expansion(objective, there.points, there.x, at))


def _joined(some: Moving, others: Moving) -> Moving:
    """Put rows together."""
    if len(some.place.row) and len(others.place.row):
        return some.join(others)
    return others if len(others.place.row) else some
