"""The curvature of a function without residuals, as columns of which it would be the sum of squares.

Half a Hessian M that does not bend down is JᵀJ for J = M^(1/2), so that ranks of columns of J are ranks of blocks of M,
and what is said of Jacobians holds of it.
"""

from __future__ import annotations

import numpy as np

from hpcscan.arrays import Array
from hpcscan.likelihood.objective import Given
from hpcscan.likelihood.scalar import ScalarObjective

#: Steps relative to those of a visible change; the longer one tells the error of the shorter.
COARSE, FINE = 2.0, 1.0
#: Steps of the axes at first, relative to the coordinate, to find how long they should be.
FIRST = 1e-3


def parameter_columns(objective: ScalarObjective, given: Given, x: Array) -> Array:
    """Give the columns of the parameters, in units of the box's widths: shape (p, p, n)."""
    _, curvature = objective.differences(given, x, FIRST * np.broadcast_to(objective.box.width, x.shape))
    chi2 = objective.evaluate(given, x).chi2
    return _root(objective.hessian_of_parameters(given, x, curvature, chi2))


def all_columns(objective: ScalarObjective, given: Given, x: Array) -> list[Array]:
    """Give the columns of relative changes of the axes, then of the parameters: (k, k, n) each, by two step lengths.

    NaN where the model raises beside the point.
    """
    points, box = given.points, objective.box
    unit = np.concatenate([np.where(points != 0, np.abs(points), 1.0), np.broadcast_to(box.width, x.shape)])
    room = np.concatenate([np.full(points.shape, np.inf), np.broadcast_to((box.upper - box.lower) / 4, x.shape)])
    try:
        first = np.minimum(FIRST * unit, room)
        diagonal = np.einsum("iin->in", objective.hessian(given, x, first))
        with np.errstate(all="ignore"):
            curvature = diagonal * (unit / np.where(first > 0, first, 1.0)) ** 2
        length = objective.lengths(curvature, objective.evaluate(given, x).chi2) * unit
        return [_columns(objective, given, x, np.minimum(factor * length, room), unit) for factor in (COARSE, FINE)]
    except Exception:  # noqa: BLE001 - whatever a model raises where nobody asked it to be defined
        return [np.full((len(unit), *unit.shape), np.nan)] * 2


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
