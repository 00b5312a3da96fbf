"""The repair of grid points: refits from the minima of their neighbours."""

from __future__ import annotations

import numpy as np

from hpcscan.fit.agreement import agreement
from hpcscan.fit.describe import Minimum, describe
from hpcscan.fit.levenberg_marquardt import Minima, minimise
from hpcscan.fit.objective import Objective
from hpcscan.fit.records import BoolArray, PointResults, Status
from hpcscan.fit.settings import FitSettings
from hpcscan.fit.tolerance import is_gap_closed, tie_tolerance
from hpcscan.model.interface import Array, Model


def refit_block(
    model: Model, points: Array, starts: Array, current: PointResults, settings: FitSettings
) -> PointResults:
    """Refit points from given parameters, and describe again those that improve.

    Parameters
    ----------
    model : Model
    points : array, shape (n, n_axes)
        Coordinates in the order of the model's axes.
    starts : array, shape (n, n_neighbours, n_parameters)
        NaN where there is no neighbour.
    current : PointResults
        What is known of the points.
    settings : FitSettings

    Returns
    -------
    PointResults
        The points that changed, possibly none. Where χ² fell by more than the tie tolerance, the new minimum, marked as
        repaired. Where refits ended at the same χ² and the point lacked such a confirmation, that. The starts are those
        of the first pass; `n_starts_at_minimum` counts refits too.
    """
    objective = Objective(model)
    ends = _refit(objective, points, starts, settings)
    shape = starts.shape[:2]
    together = agreement(ends.chi2.reshape(shape), ends.status.reshape(shape))
    row = np.arange(shape[0]) * shape[1] + together.best
    is_better = _is_better(ends.chi2[row], current.chi2)
    is_confirmed = _is_confirmed(ends.chi2[row], current) & (together.n_at_minimum > 0)

    # A record is a copy of what was known, so that only what changed has to be written.
    changed = np.flatnonzero(is_better | is_confirmed)
    result, is_better, row = current.take(changed), is_better[changed], row[changed]
    n_before = np.where(is_better, 0, result.n_starts_at_minimum)
    result.n_starts_at_minimum[:] = n_before + together.n_at_minimum[changed]
    result.n_evaluations[:] += ends.n_evaluations.reshape(shape).sum(axis=1)[changed]
    result.n_iterations[:] += ends.n_iterations.reshape(shape).sum(axis=1)[changed]
    result.repaired[is_better] = 1
    minimum = Minimum(
        x=np.where(is_better, ends.x.take(row, axis=-1), result.profiled_parameter.T),
        chi2=np.where(is_better, ends.chi2[row], result.chi2),
        edm=np.where(is_better, ends.edm[row], result.edm),
        status=np.where(is_better, ends.status[row], Status.CONVERGED),
    )
    describe(objective, points[changed], minimum, result)
    return result


def _refit(objective: Objective, points: Array, starts: Array, settings: FitSettings) -> Minima:
    """Minimise from every start that exists; rows without one stay `not_run`."""
    n, k, p = starts.shape
    x = np.ascontiguousarray(starts.reshape(n * k, p).T)
    exists = np.flatnonzero(np.isfinite(x).all(axis=0))
    ends = Minima.not_run(p, n * k)
    of_rows = np.repeat(points.T, k, axis=1).take(exists, axis=-1)
    inside = np.clip(x.take(exists, axis=-1), objective.box.lower, objective.box.upper)
    ends.put(exists, minimise(objective, of_rows, inside, settings.max_iter))
    return ends


def _is_better(chi2: Array, current: Array) -> BoolArray:
    """Tell which χ² is lower than the current one by more than the tie tolerance; a point without one improves."""
    target = np.where(np.isfinite(current), current - tie_tolerance(current), np.inf)
    is_better: BoolArray = chi2 < target
    return is_better


def _is_confirmed(chi2: Array, current: PointResults) -> BoolArray:
    """Tell which points only lacked a second fit that ends where theirs did."""
    had_arrived = (current.status == Status.NOT_CONVERGED) & (current.edm <= tie_tolerance(current.chi2))
    has_no_proof = np.isnan(current.chi2_lower_bound)
    is_equal = np.abs(chi2 - current.chi2) <= tie_tolerance(current.chi2)
    is_confirmed: BoolArray = had_arrived & has_no_proof & is_equal
    return is_confirmed


def needs_repair(results: PointResults) -> BoolArray:
    """Tell which points have been fitted without a proof that theirs is the minimum."""
    was_fitted = (results.status != Status.NOT_RUN) & (results.status != Status.TIMED_OUT)
    unproven: BoolArray = was_fitted & ~is_gap_closed(results.chi2, results.chi2_lower_bound)
    return unproven
