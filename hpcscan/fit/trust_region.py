"""Bounded non-linear least squares for many rows at once, by a trust region.

Every row is an independent minimisation of χ² = |r|² from its own start. Steps are those of `hpcscan.fit.steps` for
the parameters that no bound holds, in units of the box's widths, and no longer than a radius that grows and shrinks
with what they achieve (Nocedal and Wright, Numerical Optimization, algorithm 4.1).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np

from hpcscan.fit.correction import correct
from hpcscan.fit.linear import NormalEquations, sum_of_squares
from hpcscan.fit.objective import Evaluation, Objective, never_alone
from hpcscan.fit.quadratic import expand, expand_fully
from hpcscan.fit.records import IntArray, Status
from hpcscan.fit.steps import step_inside
from hpcscan.fit.tolerance import tie_tolerance
from hpcscan.model.interface import Array

#: A start has converged when its estimated distance to the minimum is below this × (1 + χ²).
EDM_TOLERANCE = 1e-12
#: Radius at the start.
INITIAL_RADIUS = 0.5
#: A step that achieves less than POOR of its promise shrinks the radius; one that achieves more than GOOD may grow it.
POOR, GOOD = 0.25, 0.75
#: The new radius relative to the length of such a step.
SHRINK, GROW = 0.25, 2.0
#: A row that has not arrived after so many steps, or cannot get on, goes on with the Hessian in full: most need 13.
GAUSS_NEWTON_STEPS = 40
#: A step to a bound is longer by this, lest rounding leave it short of the bound.
REACH = 1 + 4 * float(np.finfo(float).eps)
#: A row stops when its steps promise less than rounding leaves of χ².
ROUNDING = 4 * float(np.finfo(float).eps)


#: How χ² is expanded around rows of parameters.
Expansion = Callable[[Objective, Array, Array, Evaluation], NormalEquations]


@dataclass(frozen=True)
class Minima:
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

    def put(self, rows: IntArray, part: Minima) -> None:
        """Write a part into these rows."""
        for field in fields(self):
            getattr(self, field.name)[..., rows] = getattr(part, field.name)


@dataclass(frozen=True)
class _Rows:
    """The rows that still move, in any order; the last axis of every array."""

    row: IntArray
    points: Array
    x: Array
    chi2: Array
    residual: Array
    equations: NormalEquations
    radius: Array
    n_steps: IntArray
    n_evaluations: IntArray

    def take(self, keep: IntArray) -> _Rows:
        """Select rows."""
        arrays = {name: getattr(self, name).take(keep, axis=-1) for name in ARRAYS}
        return _Rows(equations=self.equations.take(keep), **arrays)

    def join(self, other: _Rows) -> _Rows:
        """Append other rows."""
        if not len(self.row) or not len(other.row):
            either = other if len(other.row) else self
            return either.take(never_alone(np.arange(1))) if len(either.row) == 1 else either
        arrays = {name: np.concatenate([getattr(self, name), getattr(other, name)], axis=-1) for name in ARRAYS}
        return _Rows(equations=self.equations.join(other.equations), **arrays)


ARRAYS = tuple(field.name for field in fields(_Rows) if field.name != "equations")


def minimise(objective: Objective, points: Array, start: Array, max_iter: int) -> Minima:
    """Minimise χ² from every start.

    Parameters
    ----------
    objective : Objective
    points : array, shape (n_axes, n)
    start : array, shape (n_parameters, n)
        Inside the box.
    max_iter : int
        Steps that a row may try.

    Returns
    -------
    Minima
        A row whose start is not finite has status `failed`; one that ran out of steps, `not_converged`.
    """
    ends = _all_failed(start)
    # A step that overflows is a step that is rejected.
    with np.errstate(all="ignore"):
        rows = _begin(objective, points, start)
        rows = _descend(objective, rows, ends, expand, min(GAUSS_NEWTON_STEPS, max_iter))
        # The few that Gauss and Newton have not brought home.
        _leave(ends, rows, np.flatnonzero(rows.n_steps == max_iter))
        rows = rows.take(never_alone(np.flatnonzero(rows.n_steps < max_iter)))
        if len(rows.row):
            equations = expand_fully(objective, rows.points, rows.x, objective.evaluate(rows.points, rows.x))
            rows = replace(rows, equations=equations, radius=np.full_like(rows.radius, INITIAL_RADIUS))
            rows = _descend(objective, rows, ends, expand_fully, max_iter)
            _leave(ends, rows, np.arange(len(rows.row)))
    return ends


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


def _begin(objective: Objective, points: Array, start: Array) -> _Rows:
    """Collect the rows whose start is finite."""
    row = never_alone(np.arange(start.shape[1]))
    points, x = points.take(row, axis=-1), start.take(row, axis=-1)
    at = objective.evaluate(points, x)
    alive = never_alone(np.flatnonzero(np.isfinite(at.chi2)))
    points, x, at, n = points.take(alive, axis=-1), x.take(alive, axis=-1), at.take(alive), len(alive)
    equations = expand(objective, points, x, at)
    n_steps, n_evaluations = np.zeros(n, np.int64), np.ones(n, np.int64)
    radius = np.full(n, INITIAL_RADIUS)
    return _Rows(row[alive], points, x, at.chi2, at.residual, equations, radius, n_steps, n_evaluations)


def _descend(objective: Objective, rows: _Rows, ends: Minima, expansion: Expansion, most_steps: int) -> _Rows:
    """Move rows, whose steps are fewer than the most, until they arrive; give those that do not."""
    rows = _still_moving(ends, rows)
    stopped = rows.take(np.arange(0))
    while len(rows.row):
        is_out_of_steps = rows.n_steps >= most_steps
        if is_out_of_steps.any():
            stopped = stopped.join(rows.take(np.flatnonzero(is_out_of_steps)))
            rows = rows.take(never_alone(np.flatnonzero(~is_out_of_steps)))
        else:
            rows, stalled = _iterate(objective, rows, ends, expansion)
            stopped = stopped.join(stalled)
    return stopped


def _iterate(objective: Objective, rows: _Rows, ends: Minima, expansion: Expansion) -> tuple[_Rows, _Rows]:
    """Try one step on every row and keep it where χ² falls; give the rows that move on, and those that cannot."""
    box = objective.box
    to_lower, to_upper = ((bound - rows.x) / box.width * REACH for bound in (box.lower, box.upper))
    step = step_inside(rows.equations, rows.radius, to_lower, to_upper)
    x = np.clip(rows.x + step * box.width, box.lower, box.upper)
    trial = objective.evaluate(rows.points, x)
    promised = -rows.equations.change(step)
    is_hopeless = np.abs(promised) <= ROUNDING * rows.chi2
    worse = np.flatnonzero(~(is_hopeless | (trial.chi2 < rows.chi2)))
    again = correct(objective, rows.points, rows.equations, rows.residual, step, x, trial, worse)
    gained = rows.chi2 - trial.chi2
    n_evaluations = rows.n_evaluations + 1
    n_evaluations[again] += 1
    radius = _next_radius(rows.radius, step, gained, promised)
    rows = replace(rows, radius=radius, n_steps=rows.n_steps + 1, n_evaluations=n_evaluations)
    is_better = gained > 0
    is_stalled = ~is_better & is_hopeless
    moved = _still_moving(ends, _moved(objective, rows, x, trial, np.flatnonzero(is_better), expansion))
    kept = rows.take(np.flatnonzero(~(is_better | is_stalled)))
    return kept.join(moved), rows.take(np.flatnonzero(is_stalled))


def _next_radius(radius: Array, step: Array, gained: Array, promised: Array) -> Array:
    """Shrink the radius where a step disappoints, and grow it where the model deserves more trust."""
    length, quality = np.sqrt(sum_of_squares(step)), gained / promised
    is_good, is_poor = (gained > 0) & (quality > GOOD), ~((gained > 0) & (quality >= POOR))
    kept = np.where(is_good, np.maximum(radius, GROW * length), radius)
    return np.where(is_poor, SHRINK * np.minimum(radius, length), kept)


def _moved(  # noqa: PLR0913, PLR0917  (what a step has found)
    objective: Objective, rows: _Rows, x: Array, trial: Evaluation, better: IntArray, expansion: Expansion
) -> _Rows:
    """Give the rows whose step is kept, with χ² expanded around their new places."""
    if not len(better):
        return rows.take(better)
    two = never_alone(better)
    points, x, at = rows.points.take(two, axis=-1), x.take(two, axis=-1), trial.take(two)
    equations = expansion(objective, points, x, at)
    row, n_steps, n_evaluations = (count[two] for count in (rows.row, rows.n_steps, rows.n_evaluations))
    return _Rows(row, points, x, at.chi2, at.residual, equations, rows.radius[two], n_steps, n_evaluations)


def _still_moving(ends: Minima, rows: _Rows) -> _Rows:
    """Let the rows leave that have arrived, as far as one can tell from the expansion around their places."""
    is_moving = rows.equations.decrement > EDM_TOLERANCE * (1 + rows.chi2)
    if is_moving.all():
        return rows
    _leave(ends, rows, np.flatnonzero(~is_moving))
    return rows.take(np.flatnonzero(is_moving))


def _leave(ends: Minima, rows: _Rows, done: IntArray) -> None:
    """Record rows that have arrived, stalled or run out of steps."""
    row, chi2, edm = rows.row[done], rows.chi2[done], rows.equations.decrement[done]
    ends.x[:, row] = rows.x[:, done]
    ends.chi2[row] = chi2
    ends.edm[row] = edm
    ends.status[row] = np.where(edm <= tie_tolerance(chi2), Status.CONVERGED, Status.NOT_CONVERGED)
    ends.n_iterations[row] = rows.n_steps[done]
    ends.n_evaluations[row] = rows.n_evaluations[done]
