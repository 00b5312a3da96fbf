"""The repair of grid points: refits from the minima of their neighbours."""

from __future__ import annotations

import numpy as np

from hpcscan.arrays import Array, BoolArray
from hpcscan.fitting.agreement import agreement, n_starts_at
from hpcscan.fitting.descent import minimise
from hpcscan.fitting.describe import Minimum, describe
from hpcscan.fitting.ends import Minima
from hpcscan.fitting.evidence import judge
from hpcscan.fitting.records import PointResults, Status
from hpcscan.likelihood.derivative import LEAST_SIZE
from hpcscan.likelihood.objective import Given
from hpcscan.likelihood.scalar import AnyObjective, objective_of
from hpcscan.model.problem import Problem
from hpcscan.settings import FitSettings
from hpcscan.tolerance import Precision, is_gap_closed, tie_tolerance


def refit_block(  # noqa: PLR0913, PLR0917  (what is known of points)
    problem: Problem,
    points: Array,
    starts: Array,
    current: PointResults,
    settings: FitSettings,
    least_size: float = LEAST_SIZE,
) -> PointResults:
    """Refit points from given parameters, and describe again those that improve.

    Parameters
    ----------
    problem : Problem
    points : array, shape (n, n_axes)
        Coordinates in the order of the problem's axes.
    starts : array, shape (n, n_neighbours, n_parameters)
        NaN where there is no neighbour.
    current : PointResults
        What is known of the points.
    settings : FitSettings
    least_size : float
        See `Objective`.

    Returns
    -------
    PointResults
        The points whose χ² fell by more than the tie tolerance, possibly none, with the new minimum, marked as
        repaired. What is said of starts is about those of the first pass: neighbours' minima come from each other, and
        so their agreement confirms nothing.
    """
    objective = objective_of(problem, settings.precision, least_size, settings.precision_floor)
    ends = _refit(objective, points, starts, settings)
    shape = starts.shape[:2]
    together = agreement(ends.chi2.reshape(shape), ends.status.reshape(shape), objective.precision)
    row = np.arange(shape[0]) * shape[1] + together.best
    better = np.flatnonzero(_is_better(ends.chi2[row], current.chi2, objective.precision))

    # A record is a copy of what was known, so that only what changed has to be written.
    result, row = current.take(better), row[better]
    result.n_starts_at_minimum[:] = n_starts_at(
        ends.chi2[row], result.start_chi2, result.start_status, objective.precision
    )
    result.n_evaluations[:] += ends.n_evaluations.reshape(shape).sum(axis=1)[better]
    result.n_iterations[:] += ends.n_iterations.reshape(shape).sum(axis=1)[better]
    result.repaired[:] = 1
    minimum = Minimum(ends.x.take(row, axis=-1), ends.chi2[row], ends.edm[row], ends.status[row])
    describe(objective, points[better], minimum, result)
    # Their own starts have found another place: nothing supports this one before all points are judged together.
    judge(result, np.zeros(len(better), bool), objective.precision)
    return result


def _refit(objective: AnyObjective, points: Array, starts: Array, settings: FitSettings) -> Minima:
    """Minimise from every start that exists; rows without one stay `not_run`."""
    n, k, p = starts.shape
    x = np.ascontiguousarray(starts.reshape(n * k, p).T)
    exists = np.flatnonzero(np.isfinite(x).all(axis=0))
    ends = Minima.not_run(p, n * k)
    of_rows = np.repeat(points.T, k, axis=1).take(exists, axis=-1)
    inside = np.clip(x.take(exists, axis=-1), objective.box.lower, objective.box.upper)
    ends.put(exists, minimise(objective, Given(of_rows), inside, settings.max_iter))
    return ends


def _is_better(chi2: Array, current: Array, precision: Precision) -> BoolArray:
    """Tell which χ² is lower than the current one by more than the tie tolerance; a point without one improves."""
    target = np.where(np.isfinite(current), current - tie_tolerance(current, precision), np.inf)
    is_better: BoolArray = chi2 < target
    return is_better


def needs_repair(results: PointResults) -> BoolArray:
    """Tell which points have been fitted without a proof that theirs is the minimum."""
    was_fitted = (results.status != Status.NOT_RUN) & (results.status != Status.TIMED_OUT)
    unproven: BoolArray = was_fitted & ~is_gap_closed(results.chi2, results.chi2_lower_bound)
    return unproven
