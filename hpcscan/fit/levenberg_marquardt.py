"""Bounded Levenberg–Marquardt for many rows at once.

Every row is an independent minimisation of χ² = |r|² from its own start. A step solves the damped normal equations of
the parameters that no bound holds and is projected onto the box; for a damping large enough that is projected steepest
descent, so that the iteration cannot get stuck at a point which is not stationary (Kanzow, Yamashita and Fukushima,
J. Comput. Appl. Math. 172, 375, 2004). The damping follows Nielsen's rule (IMM-REP-1999-05, DTU).
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from hpcscan.fit.objective import Evaluation, Objective, never_alone
from hpcscan.fit.quadratic import Quadratic, expand, expand_fully, scaled_jacobian
from hpcscan.fit.records import BoolArray, IntArray, Status
from hpcscan.fit.tolerance import tie_tolerance
from hpcscan.model.interface import Array

#: A start has converged when its estimated distance to the minimum is below this × (1 + χ²).
EDM_TOLERANCE = 1e-12
#: Damping at the start, relative to the trace of the normal equations.
INITIAL_DAMPING = 1e-3
#: After so many steps the Hessian is computed in full, and the damping starts again: most rows need about 30.
GAUSS_NEWTON_STEPS = 60
#: A row stops when its steps promise less than rounding leaves of χ².
ROUNDING = 4 * float(np.finfo(float).eps)
#: Limits of the damping's decrease.
FASTEST_DECREASE, SMALLEST_DAMPING = 0.1, 1e-15


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
    """The rows that still move; `jacobian` is in units of the box's widths."""

    row: IntArray
    points: Array
    x: Array
    at: Evaluation
    jacobian: Array
    damping: Array
    growth: Array
    is_stalled: BoolArray

    def take(self, keep: IntArray) -> _Rows:
        """Select rows."""
        return _Rows(
            self.row[keep],
            self.points.take(keep, axis=-1),
            self.x.take(keep, axis=-1),
            self.at.take(keep),
            self.jacobian.take(keep, axis=-1),
            self.damping[keep],
            self.growth[keep],
            self.is_stalled[keep],
        )


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
        rows, iteration = _begin(objective, points, start), 0
        while len(rows.row):
            rows = _iterate(objective, rows, ends, iteration, is_last=iteration == max_iter)
            iteration += 1
    return ends


def _iterate(objective: Objective, rows: _Rows, ends: Minima, iteration: int, *, is_last: bool) -> _Rows:
    """Let the rows that have arrived leave, and move the others by one step."""
    if iteration == GAUSS_NEWTON_STEPS:
        rows = replace(rows, damping=np.full_like(rows.damping, INITIAL_DAMPING))
    quadratic = _expand(objective, rows, iteration)
    is_done = rows.is_stalled | ~(quadratic.edm > EDM_TOLERANCE * (1 + rows.at.chi2)) | is_last
    if is_done.any():
        _leave(ends, rows, quadratic.edm, np.flatnonzero(is_done), iteration)
        still = never_alone(np.flatnonzero(~is_done))
        rows, quadratic = rows.take(still), quadratic.take(still)
    return _advance(objective, rows, quadratic) if len(rows.row) else rows


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
    row, at, n = row[alive], at.take(alive), len(alive)
    points, x = points.take(alive, axis=-1), x.take(alive, axis=-1)
    jacobian = scaled_jacobian(objective, points, x, at)
    damping, growth = np.full(n, INITIAL_DAMPING), np.full(n, 2.0)
    return _Rows(row, points, x, at, jacobian, damping, growth, np.zeros(n, bool))


def _expand(objective: Objective, rows: _Rows, iteration: int) -> Quadratic:
    """Expand χ² around each row; fully for the few that Gauss and Newton have not brought home."""
    if iteration < GAUSS_NEWTON_STEPS:
        return expand(objective.box, rows.x, rows.at.residual, rows.jacobian)
    return expand_fully(objective, rows.points, rows.x, rows.at.residual, rows.jacobian)


def _advance(objective: Objective, rows: _Rows, quadratic: Quadratic) -> _Rows:
    """Try one damped step on every row and keep it where χ² falls."""
    box = objective.box
    step = quadratic.equations.step(rows.damping) * box.width
    x = np.clip(rows.x + step, box.lower, box.upper)
    trial = objective.evaluate(rows.points, x)
    promised = -quadratic.change((x - rows.x) / box.width)
    gained = rows.at.chi2 - trial.chi2
    is_better = gained > 0
    is_stalled = ~is_better & (np.abs(promised) <= ROUNDING * rows.at.chi2)
    damping, growth = _next_damping(rows, gained, promised, is_better)
    rows = replace(rows, damping=damping, growth=growth, is_stalled=is_stalled)
    return _moved(objective, rows, x, trial, is_better)


def _next_damping(rows: _Rows, gained: Array, promised: Array, is_better: BoolArray) -> tuple[Array, Array]:
    """Nielsen's rule: lower the damping the better the promise was kept, raise it ever faster on failures."""
    excess = 2 * np.clip(gained / promised, 0, 1) - 1
    lowered = np.maximum(rows.damping * np.maximum(FASTEST_DECREASE, 1 - excess * excess * excess), SMALLEST_DAMPING)
    damping = np.where(is_better, lowered, rows.damping * rows.growth)
    return damping, np.where(is_better, 2.0, 2 * rows.growth)


def _moved(objective: Objective, rows: _Rows, x: Array, trial: Evaluation, is_better: BoolArray) -> _Rows:
    """Give the rows whose step is kept their new place and Jacobian."""
    if is_better.all():
        return replace(rows, x=x, at=trial, jacobian=scaled_jacobian(objective, rows.points, x, trial))
    better = never_alone(np.flatnonzero(is_better))
    at, place = trial.take(better), x.take(better, axis=-1)
    rows.x[:, better] = place
    rows.at.put(better, at)
    rows.jacobian[:, :, better] = scaled_jacobian(objective, rows.points.take(better, axis=-1), place, at)
    return rows


def _leave(ends: Minima, rows: _Rows, edm: Array, done: IntArray, iteration: int) -> None:
    """Record rows that have arrived, stalled or run out of steps."""
    row, chi2 = rows.row[done], rows.at.chi2[done]
    has_arrived = edm[done] <= tie_tolerance(chi2)
    ends.x[:, row] = rows.x[:, done]
    ends.chi2[row] = chi2
    ends.edm[row] = edm[done]
    ends.status[row] = np.where(has_arrived, Status.CONVERGED, Status.NOT_CONVERGED)
    ends.n_iterations[row] = iteration
    ends.n_evaluations[row] = 1 + iteration
