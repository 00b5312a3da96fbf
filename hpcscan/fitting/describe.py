"""From a minimum to the record of a grid point."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hpcscan.arrays import Array, BoolArray, IntArray
from hpcscan.fitting.curvature import (
    bound_multipliers,
    count_determined_axes,
    count_flat_directions,
    held_by_bounds,
    held_with_others,
    parameter_columns,
)
from hpcscan.fitting.records import PointResults
from hpcscan.likelihood.objective import Evaluation, Given, Objective
from hpcscan.likelihood.rows import never_alone
from hpcscan.likelihood.scalar import AnyObjective, ScalarObjective
from hpcscan.tolerance import tie_tolerance

#: A singular value of forward differences below this × the largest one may be their error.
DOUBTFUL = 1e-5


@dataclass(frozen=True)
class Minimum:
    """The best fit of n points: parameters (n_parameters, n), what the minimiser said of it (n,), and derivatives.

    The last are those of `Minima.slopes`.
    """

    x: Array
    chi2: Array
    edm: Array
    status: IntArray
    slopes: Array | None = None


def describe(objective: AnyObjective, points: Array, place: IntArray, minimum: Minimum, result: PointResults) -> None:
    """Write the minima of some points into their records; whether they are believed is for `evidence.judge` to say.

    Parameters
    ----------
    points : array, shape (n_points, n_axes)
    place : int array, shape (n,)
        Which of the points they are.
    result : PointResults
        Of n points; its status is that of the best start.
    """
    result.chi2[:], result.edm[:], result.status[:] = minimum.chi2, minimum.edm, minimum.status
    result.unique_within[:] = np.nan
    alive = never_alone(np.flatnonzero(np.isfinite(minimum.chi2)))
    if len(alive):
        owner = place[alive]
        given = Given(np.ascontiguousarray(points[owner].T), owner=owner)
        slopes = None if minimum.slopes is None else minimum.slopes.take(alive, axis=-1)
        _describe(objective, given, minimum.x.take(alive, axis=-1), slopes, alive, result)


def _describe(  # noqa: PLR0913, PLR0917  (a minimum, and where it goes)
    objective: AnyObjective, given: Given, x: Array, slopes: Array | None, row: IntArray, result: PointResults
) -> None:
    """Fill in what is known at the minima x, shape (n_parameters, n), of the points in these rows."""
    box, at = objective.box, objective.evaluate(given, x)
    gradient, jacobian = _derivatives(objective, given, x, at, slopes)
    curvature = objective.curvature(jacobian, at)
    tie = tie_tolerance(at.chi2, objective.precision)
    is_held = held_by_bounds(box, x, gradient, curvature, tie)
    if isinstance(objective, Objective):
        gradient, is_held = held_with_others(box, x, at, (gradient, jacobian), is_held, tie)
    result.scale[row] = at.scale.T
    result.profiled_parameter[row] = x.T
    result.predicted[row] = objective.predicted(at).T
    result.at_bound[row] = box.side(x).T
    result.bound_multiplier[row] = bound_multipliers(box, gradient, is_held).T
    result.n_flat_directions[row] = count_flat_directions(box, jacobian, is_held, objective.null(at))
    result.n_determined_axes[row] = count_determined_axes(objective, given, x, at, jacobian, is_held)
    for name, values in objective.derive(given, x, at).items():
        result.derived[name][row] = values


def _derivatives(
    objective: AnyObjective, given: Given, x: Array, at: Evaluation, slopes: Array | None
) -> tuple[Array, Array]:
    """Half the gradient of χ², shape (n_parameters, n), and the columns of which its curvature is made."""
    if isinstance(objective, ScalarObjective):
        return objective.gradient(given, x, at), parameter_columns(objective, given, x)
    jacobian = _jacobian(objective, given, x, at, slopes)
    with np.errstate(all="ignore"):
        return (jacobian * at.residual[:, None]).sum(axis=0), jacobian


def _jacobian(objective: Objective, given: Given, x: Array, at: Evaluation, known: Array | None) -> Array:
    """Differentiate the profiled residuals: by central differences where those to one side leave a rank in doubt."""
    if not objective.needs_differences(given, x):
        return objective.jacobian(given, x, at)
    slopes = completed(objective, given, x, at, known)
    jacobian = objective.profiled(slopes, objective.weighed(slopes, at), at)
    is_doubtful = _is_doubtful(objective, jacobian)
    rows = never_alone(np.flatnonzero(is_doubtful))
    if len(rows):
        jacobian[..., rows] = objective.jacobian(given.take(rows), x.take(rows, axis=-1), at.take(rows))
    return jacobian


def completed(objective: Objective, given: Given, x: Array, at: Evaluation, known: Array | None) -> Array:
    """Return the slopes that are known at places, and find those that are not by forward differences."""
    if known is None:
        return objective.forward_slopes(given, x, at)
    rows = never_alone(np.flatnonzero(np.isnan(known).any(axis=(0, 1))))
    if len(rows):
        known = known.copy()
        known[..., rows] = objective.forward_slopes(given.take(rows), x.take(rows, axis=-1), at.take(rows))
    return known


def _is_doubtful(objective: Objective, jacobian: Array) -> BoolArray:
    """Return where some direction of the free parameters moves the residuals little, or derivatives are not finite."""
    if objective.precision.relative or not jacobian.size:
        return np.ones(jacobian.shape[-1], bool)
    columns = np.moveaxis(jacobian[:, ~objective.box.is_fixed[:, 0]], -1, 0)
    is_known: BoolArray = np.asarray(np.isfinite(columns).all(axis=(1, 2)))
    singular = np.linalg.svd(np.where(is_known[:, None, None], columns, 0.0), compute_uv=False)
    is_clear = is_known & (columns.shape[1] >= columns.shape[2]) & (singular[:, -1] > DOUBTFUL * singular[:, 0])
    return np.asarray(~is_clear)
