"""What the curvature at a minimum says: what bounds hold, flat directions, whether the data determine the scan axes.

All of it is read off the columns of the Jacobian. A function without residuals has columns, too: half a Hessian M that
does not bend down is JᵀJ for J = M^(1/2), so that ranks of columns of J are ranks of blocks of M.
"""

from __future__ import annotations

from dataclasses import replace
from functools import reduce

import numpy as np

from hpcscan.arrays import Array, BoolArray, IntArray
from hpcscan.fitting.records import UNKNOWN
from hpcscan.likelihood.box import Box
from hpcscan.likelihood.objective import Evaluation, Given, Objective
from hpcscan.likelihood.rows import never_alone
from hpcscan.likelihood.scalar import AnyObjective, ScalarObjective
from hpcscan.tolerance import GAP_ABSOLUTE

#: Steps relative to those of a visible change; the longer one tells the error of the shorter.
COARSE, FINE = 2.0, 1.0
#: Steps of the axes at first, relative to the coordinate, to find how long they should be.
FIRST = 1e-3

#: Columns that differ by less than this share of their size are alike: a thousand times what rounding leaves.
ALIKE = 1e-12

#: Singular values above this × `null`, and this × the largest one, are beyond doubt.
CLEAR, LEAST_CLEAR = 10.0, 1e-5


def parameter_columns(objective: ScalarObjective, given: Given, x: Array) -> Array:
    """Compute the columns of the parameters, in units of the box's widths: shape (p, p, n)."""
    _, curvature = objective.differences(given, x, FIRST * np.broadcast_to(objective.box.width, x.shape))
    chi2 = objective.evaluate(given, x).chi2
    return _root(objective.hessian_of_parameters(given, x, curvature, chi2))


def all_columns(objective: ScalarObjective, given: Given, x: Array) -> list[Array]:
    """Compute the columns of relative changes of the axes, then of the parameters: (k, k, n) each, by two step lengths.

    NaN where the model raises beside the point.
    """
    before = objective.tally.n_rows.copy()
    try:
        return _all_columns(objective, given, x)
    except Exception:  # noqa: BLE001 - whatever a model raises where nobody asked it to be defined
        n_columns = len(given.points) + len(x)
        if _is_one_row(given, x):
            return [np.full((n_columns, n_columns, x.shape[1]), np.nan)] * 2
    # Those that do not raise are asked alone, and counted as if they had been from the beginning.
    objective.tally.n_rows[:] = before
    alone = [all_columns(objective, given.take(row), x.take(row, axis=-1)) for row in _each_alone(x)]
    return [np.stack([columns[..., 0] for columns in of_steps], axis=-1) for of_steps in zip(*alone, strict=True)]


def _all_columns(objective: ScalarObjective, given: Given, x: Array) -> list[Array]:
    points, box = given.points, objective.box
    unit = np.concatenate([np.where(points != 0, np.abs(points), 1.0), np.broadcast_to(box.width, x.shape)])
    room = np.concatenate([np.full(points.shape, np.inf), np.broadcast_to((box.upper - box.lower) / 4, x.shape)])
    first = np.minimum(FIRST * unit, room)
    diagonal = np.einsum("iin->in", objective.hessian(given, x, first))
    with np.errstate(all="ignore"):
        curvature = diagonal * (unit / np.where(first > 0, first, 1.0)) ** 2
    length = objective.lengths(curvature, objective.evaluate(given, x).chi2) * unit
    return [_columns(objective, given, x, np.minimum(factor * length, room), unit) for factor in (COARSE, FINE)]


def _is_one_row(given: Given, x: Array) -> bool:
    return bool((given.points == given.points[:, :1]).all() and (x == x[:, :1]).all())


def _each_alone(x: Array) -> list[IntArray]:
    return [never_alone(np.array([row])) for row in range(x.shape[1])]


def _columns(objective: ScalarObjective, given: Given, x: Array, step: Array, unit: Array) -> Array:
    factor = np.where(step > 0, unit / np.where(step > 0, step, 1.0), 0.0)
    return _root(objective.hessian(given, x, step) * factor[:, None] * factor)


def _root(matrices: Array) -> Array:
    """Take the symmetric root of matrices, shape (k, k, n), without what bends down; NaN where they are not finite."""
    rows = np.moveaxis(matrices, -1, 0)
    is_known = np.asarray(np.isfinite(rows).all(axis=(1, 2)))[:, None, None]
    values, vectors = np.linalg.eigh(np.where(is_known, rows, 0.0))
    root = (vectors * np.sqrt(np.maximum(values, 0.0))[:, None]) @ np.swapaxes(vectors, 1, 2)
    return np.ascontiguousarray(np.moveaxis(np.where(is_known, root, np.nan), 0, -1))


def held_by_bounds(box: Box, x: Array, gradient: Array, curvature: Array, tie: Array) -> BoolArray:
    """Mark the parameters that a bound keeps from lowering χ².

    Releasing parameter j alone would lower χ² by (J_jᵀr)²/|J_j|² in the Gauss–Newton model; less than the tie tolerance
    is nothing, so that a parameter which merely happens to rest on a bound is not held.

    Parameters
    ----------
    x : array, shape (n_parameters, n)
    gradient, curvature : array, shape (n_parameters, n)
        J_jᵀr and |J_j|², in units of the box's widths.
    tie : array, shape (n,)
        The tie tolerance of χ².

    Returns
    -------
    bool array, shape (n_parameters, n)
    """
    # A derivative may be infinite; one that is no number pushes nowhere.
    with np.errstate(all="ignore"):
        matters = (gradient * gradient > tie * curvature) | np.isinf(gradient)
        pushes_out = box.side(x) * gradient < 0
    is_held: BoolArray = pushes_out & matters
    return is_held


def released(box: Box, x: Array, jacobian: Array, residual: Array, is_held: BoolArray) -> tuple[Array, Array]:
    """Compute gradient and curvature by every parameter when the free ones follow its release.

    Where another parameter makes up for all that a release does to a sharp prediction, releasing one alone tells
    nothing: what lowers χ² is the part of J_j that no free column has. That part also leaves out what the last step has
    left of the sharp prediction.

    Parameters
    ----------
    x : array, shape (n_parameters, n)
    jacobian, residual : array, shape (n_observables, n_parameters, n), (n_observables, n)
    is_held : bool array, shape (n_parameters, n)
        What is held in any case. What rests on a bound does not follow either.

    Returns
    -------
    gradient, curvature : array, shape (n_parameters, n)
        Zero where no part of J_j is left, or a derivative is not finite.
    """
    is_free = ~(is_held | (box.side(x) != 0) | box.is_fixed)
    columns = np.moveaxis(np.where(is_finite(jacobian), jacobian, 0.0), -1, 0)
    size = np.sqrt((columns * columns).sum(axis=1))
    unit = columns / np.where(size > 0, size, 1.0)[:, None]
    base, singular, _ = np.linalg.svd(unit * is_free.T[:, None], full_matrices=False)
    base = np.where((singular > ALIKE)[:, None], base, 0.0)
    # Twice, so that rounding leaves nothing of a part that is much larger than the rest.
    for _ in range(2):
        unit = unit - base @ (np.swapaxes(base, 1, 2) @ unit)
    left = np.where((unit * unit).sum(axis=1) > ALIKE * ALIKE, size, 0.0)
    gradient = left * (np.moveaxis(residual, -1, 0)[:, :, None] * unit).sum(axis=1)
    return gradient.T, (left * left * (unit * unit).sum(axis=1)).T


def held_with_others(  # noqa: PLR0913, PLR0917  (a minimum, and what is known of it)
    box: Box, x: Array, at: Evaluation, derivatives: tuple[Array, Array], is_held: BoolArray, tie: Array
) -> tuple[Array, BoolArray]:
    """Look again at parameters that rest on a bound and are not held alone; give the gradient and what is held.

    Where χ² is below its tie tolerance nothing can hold it.

    Parameters
    ----------
    derivatives : pair of arrays, shape (n_parameters, n) and (n_observables, n_parameters, n)
        Gradient and Jacobian of the residuals.
    is_held : bool array, shape (n_parameters, n)
        By `held_by_bounds`.
    """
    gradient, jacobian = derivatives
    rests = (box.side(x) != 0) & ~(is_held | box.is_fixed) & (at.chi2 > tie)
    row = never_alone(np.flatnonzero(rests.any(axis=0)))
    if not len(row):
        return gradient, is_held
    there, held = x[:, row], is_held[:, row]
    pull, curvature = released(box, there, jacobian[..., row], at.residual[:, row], held)
    # The gain is extrapolated along a valley: what is less than the gap of a proof may be, holds nothing.
    also = rests[:, row] & held_by_bounds(box, there, pull, curvature, np.maximum(tie[row], GAP_ABSOLUTE))
    gradient, is_held = gradient.copy(), is_held.copy()
    gradient[:, row], is_held[:, row] = np.where(also, pull, gradient[:, row]), held | also
    return gradient, is_held


def bound_multipliers(box: Box, gradient: Array, is_held: BoolArray) -> Array:
    """dχ²/d(bound) in the parameter's unit, shape (n_parameters, n); 0 for a parameter that is not held."""
    with np.errstate(all="ignore"):
        return np.where(is_held, 2 * gradient / box.width, 0.0)


def count_flat_directions(box: Box, jacobian: Array, is_held: BoolArray, null: Array) -> IntArray:
    """Nullity of the Jacobian among the parameters that are neither held nor fixed, shape (n,).

    A singular value below `null`, shape (n,), times the largest one counts as zero.

    `UNKNOWN` where a derivative by one of these is not finite.
    """
    is_free = ~(is_held | box.is_fixed)
    columns = np.where(is_free, jacobian, 0.0)
    is_known = is_finite(columns)
    rank = ranks(np.where(is_known, columns, 0.0), null)
    n_flat: IntArray = np.where(is_known, is_free.sum(axis=0) - rank, UNKNOWN)
    return n_flat


def ranks(columns: Array, null: Array) -> IntArray:
    """Rank of the columns of every row, shape (n,) for columns of shape (m, p, n)."""
    if not columns.size:
        return np.zeros(columns.shape[-1], np.int64)
    rows = np.ascontiguousarray(np.moveaxis(columns, -1, 0))
    # Most have the full rank, which the eigenvalues of the smaller product show several times faster.
    other = np.swapaxes(rows, 1, 2)
    eigenvalues = np.linalg.eigvalsh(rows @ other if rows.shape[1] < rows.shape[2] else other @ rows)
    is_full = eigenvalues[:, 0] > np.maximum(CLEAR * null, LEAST_CLEAR) ** 2 * eigenvalues[:, -1]
    rank = np.full(len(rows), eigenvalues.shape[1], np.int64)
    singular = np.linalg.svd(rows[~is_full], compute_uv=False)
    rank[~is_full] = (singular > null[~is_full, None] * singular[:, :1]).sum(axis=1)
    return rank


def is_finite(columns: Array) -> BoolArray:
    """Return at which rows every entry is finite: shape (n,) for columns of shape (n_observables, any, n)."""
    return np.asarray(np.isfinite(columns).all(axis=(0, 1)))


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
        predicted = objective.predict_beside(together, np.tile(x, len(places)))
    except Exception:  # noqa: BLE001 - whatever a model raises where nobody asked it to be defined
        return [_predict(objective, place, x) for place in places]
    return [predicted[:, i : i + x.shape[1]] for i in range(0, predicted.shape[1], x.shape[1])]


def _predict(objective: Objective, given: Given, x: Array) -> Array:
    """Predict beside grid points; NaN for a row at which the model raises."""
    try:
        return objective.predict(given, x)
    except Exception:  # noqa: BLE001 - whatever a model raises where nobody asked it to be defined
        if _is_one_row(given, x):
            return np.full((len(objective.terms.sigma), x.shape[1]), np.nan)
    columns = [_predict(objective, given.take(row), x.take(row, axis=-1))[:, 0] for row in _each_alone(x)]
    return np.stack(columns, axis=1)
