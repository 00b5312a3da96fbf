"""From a minimum to the record of a grid point."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hpcscan.arrays import Array, IntArray
from hpcscan.fitting.curvature import bound_multipliers, count_flat_directions, held_by_bounds
from hpcscan.fitting.identification import count_determined_axes
from hpcscan.fitting.records import PointResults
from hpcscan.fitting.scalar_columns import parameter_columns
from hpcscan.likelihood.objective import Evaluation, Given
from hpcscan.likelihood.rows import never_alone
from hpcscan.likelihood.scalar import AnyObjective, ScalarObjective
from hpcscan.tolerance import tie_tolerance


@dataclass(frozen=True)
class Minimum:
    """The best fit of n points: parameters (n_parameters, n), and what the minimiser said of it (n,)."""

    x: Array
    chi2: Array
    edm: Array
    status: IntArray


def describe(objective: AnyObjective, points: Array, minimum: Minimum, result: PointResults) -> None:
    """Write the minimum of every point into its record; whether it is believed is for `evidence.judge` to say.

    Parameters
    ----------
    objective : Objective or ScalarObjective
    points : array, shape (n, n_axes)
    minimum : Minimum
    result : PointResults
        Its status is that of the best start.
    """
    result.chi2[:], result.edm[:], result.status[:] = minimum.chi2, minimum.edm, minimum.status
    alive = never_alone(np.flatnonzero(np.isfinite(minimum.chi2)))
    if len(alive):
        _describe(
            objective, Given(np.ascontiguousarray(points[alive].T)), minimum.x.take(alive, axis=-1), alive, result
        )


def _describe(objective: AnyObjective, given: Given, x: Array, row: IntArray, result: PointResults) -> None:
    """Fill in what is known at the minima x, shape (n_parameters, n), of the points in these rows."""
    box, at = objective.box, objective.evaluate(given, x)
    gradient, jacobian = _derivatives(objective, given, x, at)
    curvature = objective.curvature(jacobian, at)
    is_held = held_by_bounds(box, x, gradient, curvature, tie_tolerance(at.chi2, objective.precision))
    result.scale[row] = at.scale.T
    result.profiled_parameter[row] = x.T
    result.predicted[row] = objective.predicted(at).T
    result.at_bound[row] = box.side(x).T
    result.bound_multiplier[row] = bound_multipliers(box, gradient, is_held).T
    result.n_flat_directions[row] = count_flat_directions(box, jacobian, is_held, objective.null(at))
    result.n_determined_axes[row] = count_determined_axes(objective, given, x, at, jacobian, is_held)
    for name, values in objective.derive(given, x, at).items():
        result.derived[name][row] = values


def _derivatives(objective: AnyObjective, given: Given, x: Array, at: Evaluation) -> tuple[Array, Array]:
    """Half the gradient of χ², shape (n_parameters, n), and the columns of which its curvature is made."""
    if isinstance(objective, ScalarObjective):
        return objective.gradient(given, x, at), parameter_columns(objective, given, x)
    jacobian = objective.jacobian(given, x, at)
    with np.errstate(all="ignore"):
        return (jacobian * at.residual[:, None]).sum(axis=0), jacobian
