"""The fit of a block of grid points: from coordinates to one record per point."""

from __future__ import annotations

import numpy as np

from hpcscan.arrays import Array, IntArray
from hpcscan.fitting.agreement import agreement
from hpcscan.fitting.describe import Minimum, describe
from hpcscan.fitting.ends import Minima
from hpcscan.fitting.methods import RUNS
from hpcscan.fitting.records import PointResults
from hpcscan.likelihood.scalar import AnyObjective, objective_of
from hpcscan.model.problem import Problem
from hpcscan.proof.certificate import certify
from hpcscan.settings import FitSettings


def fit_block(problem: Problem, points: Array, point_index: IntArray, settings: FitSettings) -> PointResults:
    """Fit a block of grid points and describe each.

    Parameters
    ----------
    problem : Problem
    points : array, shape (n_points, n_axes)
        Coordinates in the order of the problem's axes.
    point_index : int array, shape (n_points,)
    settings : FitSettings

    Returns
    -------
    PointResults
    """
    return fit_starts(problem, points, point_index, settings)[1]


def fit_starts(
    problem: Problem, points: Array, point_index: IntArray, settings: FitSettings
) -> tuple[Minima, PointResults]:
    """Do the same, and give the end of every start too: n_points × n_starts rows, those of a point in succession."""
    objective = objective_of(problem, settings.precision)
    result = PointResults.not_run(problem, point_index, settings.n_starts)
    if settings.certify:
        _certify(problem, points, result)
    ends = RUNS[settings.method](objective, points, settings, result.chi2_lower_bound)
    _summarise(objective, points, ends, result)
    return ends, result


def _certify(problem: Problem, points: Array, result: PointResults) -> None:
    """Write down what no fit can beat."""
    certificate = certify(problem, points)
    result.chi2_lower_bound[:] = certificate.chi2_lower_bound
    result.scale_lower[:], result.scale_upper[:] = certificate.scale_lower, certificate.scale_upper


def _summarise(objective: AnyObjective, points: Array, ends: Minima, result: PointResults) -> None:
    """Choose the best start of every point, and describe the minimum there."""
    shape = result.start_chi2.shape
    result.start_chi2[:], result.start_status[:] = ends.chi2.reshape(shape), ends.status.reshape(shape)
    together = agreement(result.start_chi2, result.start_status, objective.precision)
    result.n_starts[:] = together.n_run
    result.n_starts_converged[:] = together.n_converged
    result.n_starts_at_minimum[:] = together.n_at_minimum
    result.start_spread[:], result.unexplored_fraction[:] = together.spread, together.unexplored_fraction
    result.n_evaluations[:] = ends.n_evaluations.reshape(shape).sum(axis=1)
    result.n_iterations[:] = ends.n_iterations.reshape(shape).sum(axis=1)
    row = np.arange(shape[0]) * shape[1] + together.best
    minimum = Minimum(ends.x.take(row, axis=-1), ends.chi2[row], ends.edm[row], ends.status[row])
    describe(objective, points, minimum, result)
