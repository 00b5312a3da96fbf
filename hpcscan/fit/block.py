"""The fit of a block of grid points: from coordinates to one record per point."""

from __future__ import annotations

import numpy as np

from hpcscan.fit.levenberg_marquardt import Minima, minimise, tie_tolerance
from hpcscan.fit.objective import Objective, never_alone
from hpcscan.fit.records import BoolArray, IntArray, PointResults, Status
from hpcscan.fit.settings import FitSettings
from hpcscan.fit.starts import draw_starts
from hpcscan.model.interface import Array, Model

#: Without a certificate, so many starts have to agree on the minimum.
AGREEING_STARTS = 2


def run_starts(model: Model, points: Array, settings: FitSettings) -> Minima:
    """Fit every start of every point.

    Parameters
    ----------
    model : Model
    points : array, shape (n_points, n_axes)
        Coordinates in the order of the model's axes.
    settings : FitSettings

    Returns
    -------
    Minima
        n_points × n_starts rows, the starts of a point in succession.
    """
    objective = Objective(model)
    if settings.method == "differential_evolution":
        from hpcscan.fit.evolution import evolve  # noqa: PLC0415  (needs scipy.optimize)

        return evolve(objective, np.ascontiguousarray(points.T), settings)
    starts = draw_starts(objective.box, points, settings.seed, settings.n_starts)
    rows = np.repeat(points.T, settings.n_starts, axis=1)
    return minimise(objective, rows, starts.reshape(len(starts), -1), settings.max_iter)


def fit_block(model: Model, points: Array, point_index: IntArray, settings: FitSettings) -> PointResults:
    """Fit a block of grid points and summarise each.

    Parameters
    ----------
    model : Model
    points : array, shape (n_points, n_axes)
        Coordinates in the order of the model's axes.
    point_index : int array, shape (n_points,)
    settings : FitSettings

    Returns
    -------
    PointResults
    """
    return summarise(model, points, point_index, run_starts(model, points, settings))


def summarise(model: Model, points: Array, point_index: IntArray, ends: Minima) -> PointResults:
    """Choose the best start of every point and describe the minimum there.

    Values of χ² within the tie tolerance are equal; among them a converged start comes first, then the lowest index.
    """
    n = len(points)
    start_chi2, start_status = ends.chi2.reshape(n, -1), ends.status.reshape(n, -1)
    is_at_minimum = _at_minimum(start_chi2)
    has_converged = start_status == Status.CONVERGED
    best = np.argmax(is_at_minimum * 1 + (is_at_minimum & has_converged), axis=1)
    row = np.arange(n) * start_chi2.shape[1] + best
    result = PointResults.not_run(model, point_index, start_chi2.shape[1])
    result.start_chi2[:], result.start_status[:] = start_chi2, start_status
    result.n_starts[:] = start_chi2.shape[1]
    result.n_starts_converged[:] = has_converged.sum(axis=1)
    result.n_starts_at_minimum[:] = (is_at_minimum & has_converged).sum(axis=1)
    result.n_evaluations[:] = ends.n_evaluations.reshape(n, -1).sum(axis=1)
    result.n_iterations[:] = ends.n_iterations.reshape(n, -1).sum(axis=1)
    result.chi2[:], result.edm[:] = ends.chi2[row], ends.edm[row]
    result.status[:] = _status(ends.status[row], result.n_starts_at_minimum)
    _describe(model, points, ends.x.take(row, axis=-1), result)
    return result


def _at_minimum(start_chi2: Array) -> BoolArray:
    """Mark the starts whose χ² equals the lowest of their point; none where all failed."""
    lowest = np.min(np.where(np.isnan(start_chi2), np.inf, start_chi2), axis=1, keepdims=True)
    is_at_minimum: BoolArray = start_chi2 <= lowest + tie_tolerance(lowest)
    return is_at_minimum


def _status(best_status: IntArray, n_at_minimum: IntArray) -> IntArray:
    """Call a point converged when its best start has converged and enough starts agree with it."""
    is_confirmed = n_at_minimum >= AGREEING_STARTS
    return np.where((best_status == Status.CONVERGED) & ~is_confirmed, Status.NOT_CONVERGED, best_status)


def _describe(model: Model, points: Array, x: Array, result: PointResults) -> None:
    """Fill in what is known at the minima of the points that did not fail; x has shape (n_parameters, n)."""
    alive = never_alone(np.flatnonzero(result.status != Status.FAILED))
    if not len(alive):
        return
    objective = Objective(model)
    columns, x = np.ascontiguousarray(points[alive].T), x.take(alive, axis=-1)
    at = objective.evaluate(columns, x)
    result.scale[alive] = at.scale.T
    result.profiled_parameter[alive] = x.T
    result.predicted[alive] = objective.predicted(at).T
    result.at_bound[alive] = objective.box.side(x).T
    for name, values in objective.derive(columns, x, at).items():
        result.derived[name][alive] = values
