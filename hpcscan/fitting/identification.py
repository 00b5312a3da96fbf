"""Whether the data determine the scan axes: how the rank of the Jacobian grows when they join the parameters."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce

import numpy as np

from hpcscan.arrays import Array, BoolArray, IntArray
from hpcscan.fitting.curvature import is_finite
from hpcscan.fitting.records import UNKNOWN
from hpcscan.fitting.scalar_columns import all_columns
from hpcscan.likelihood.objective import Evaluation, Given, Objective
from hpcscan.likelihood.rows import never_alone
from hpcscan.likelihood.scalar import AnyObjective, ScalarObjective

#: Steps of central differences, relative to the coordinate; the longer one tells the error of the shorter.
STEPS, SIGNS = (4 * np.finfo(float).eps ** (1 / 3), np.finfo(float).eps ** (1 / 3)), (1, -1)
#: A direction counts where it moves the residuals by more than this share of what the axes move them, …
SHARE = 1e-6
#: … by more than this many times the error of the differences, and by more than this share of the predictions.
ERRORS, ROUNDING = 10.0, 1e-9


def count_determined_axes(  # noqa: PLR0913, PLR0917  (all that is known at a minimum)
    objective: AnyObjective, given: Given, x: Array, at: Evaluation, jacobian: Array, is_held: BoolArray
) -> IntArray:
    """Count by how much the rank grows when all axes join the free parameters and the scales.

    An axis whose derivative is not finite, or cannot be had because the model raises beside the point, is not
    determined.

    Parameters
    ----------
    objective : Objective or ScalarObjective
    given : Given
    x : array, shape (n_parameters, n)
    at : Evaluation
        Of these rows.
    jacobian : array, shape (n_observables, n_parameters, n)
        Of the profiled residuals, in units of the box's widths.
    is_held : bool array, shape (n_parameters, n)
        Parameters that a bound holds.

    Returns
    -------
    int array, shape (n,)
        `UNKNOWN` where a derivative by a free parameter is not finite.
    """
    is_scalar = isinstance(objective, ScalarObjective)
    if not len(given.points) or not (is_scalar or len(jacobian)):
        return np.zeros(x.shape[1], np.int64)
    if isinstance(objective, ScalarObjective):
        (coarse, _), (fine, jacobian) = (
            np.split(columns, [len(given.points)], axis=1) for columns in all_columns(objective, given, x)
        )
    else:
        coarse, fine = _axis_jacobians(objective, given, x, at)
    is_known = np.isfinite(coarse).all(axis=0) & np.isfinite(fine).all(axis=0)
    coarse, fine = np.where(is_known, coarse, 0.0), np.where(is_known, fine, 0.0)
    error = np.sqrt(((coarse - fine) ** 2).sum(axis=(0, 1)))
    size = np.sqrt((objective.without_scales(fine, at) ** 2).sum(axis=(0, 1)))
    prediction = objective.size(at)

    # What the axes add to the space that the parameters reach.
    is_free = ~(is_held | objective.box.is_fixed)
    columns = objective.without_scales(np.where(is_free, jacobian, 0.0), at)
    is_counted = is_finite(columns)
    reached = np.moveaxis(np.where(is_counted, columns, 0.0), -1, 0)
    added = np.moveaxis(objective.without_scales(fine, at), -1, 0)
    if reached.shape[2]:
        base, singular, _ = np.linalg.svd(reached, full_matrices=False)
        base = np.where((singular > objective.null(at)[:, None] * singular[:, :1])[:, None], base, 0.0)
        added = added - base @ (np.swapaxes(base, 1, 2) @ added)
    least = np.maximum(SHARE * size, ERRORS * error + max(ROUNDING, objective.precision.relative) * prediction)
    n_determined = (np.linalg.svd(added, compute_uv=False) > least[:, None]).sum(axis=1)
    return np.where(is_counted, n_determined, UNKNOWN)


def _axis_jacobians(objective: Objective, given: Given, x: Array, at: Evaluation) -> list[Array]:
    """Differentiate the scaled predictions, in σ, by relative changes of each axis: (n_observables, n_axes, n) each."""
    points = given.points
    unit = np.where(points != 0, np.abs(points), 1.0)
    least = np.cbrt(objective.precision.relative)
    places = [
        replace(given, points=_moved(points, axis, sign * max(step, least) * unit))
        for step in STEPS
        for axis in range(len(points))
        for sign in SIGNS
    ]
    predicted = _predict_all(objective, places, x)
    columns = []
    for k in range(0, len(places), 2):
        axis = k // 2 % len(points)
        rise, change = predicted[k] - predicted[k + 1], places[k].points[axis] - places[k + 1].points[axis]
        slopes = objective.terms.in_sigmas(rise * (unit[axis] / change))
        columns.append(objective.weighed(slopes[:, None], at)[:, 0])
    return [np.stack(columns[i : i + len(points)], axis=1) for i in range(0, len(columns), len(points))]


def _moved(points: Array, axis: int, offset: Array) -> Array:
    moved = points.copy()
    moved[axis] += offset[axis]
    return moved


def _predict_all(objective: Objective, places: list[Given], x: Array) -> list[Array]:
    """Predict beside grid points, at all places in one go; place by place where the model raises."""
    together = reduce(Given.join, places)
    try:
        predicted = objective.predict(together, np.tile(x, len(places)))
    except Exception:  # noqa: BLE001 - whatever a model raises where nobody asked it to be defined
        return [_predict(objective, place, x) for place in places]
    return [predicted[:, i : i + x.shape[1]] for i in range(0, predicted.shape[1], x.shape[1])]


def _predict(objective: Objective, given: Given, x: Array) -> Array:
    """Predict beside grid points; NaN for a row at which the model raises."""
    points = given.points
    try:
        return objective.predict(given, x)
    except Exception:  # noqa: BLE001 - whatever a model raises where nobody asked it to be defined
        if (points == points[:, :1]).all() and (x == x[:, :1]).all():
            return np.full((len(objective.terms.sigma), x.shape[1]), np.nan)
    alone = [never_alone(np.array([row])) for row in range(x.shape[1])]
    columns = [_predict(objective, given.take(row), x.take(row, axis=-1))[:, 0] for row in alone]
    return np.stack(columns, axis=1)
