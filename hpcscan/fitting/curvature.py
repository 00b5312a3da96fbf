"""What holds a minimum and what does not: bounds with their multipliers, and flat directions."""

from __future__ import annotations

import numpy as np

from hpcscan.arrays import Array, BoolArray, IntArray
from hpcscan.fitting.records import UNKNOWN
from hpcscan.likelihood.box import Box
from hpcscan.likelihood.objective import Evaluation
from hpcscan.likelihood.rows import never_alone
from hpcscan.tolerance import GAP_ABSOLUTE

#: Columns that differ by less than this share of their size are alike: a thousand times what rounding leaves.
ALIKE = 1e-12

#: Singular values above this × `null`, and this × the largest one, are beyond doubt.
CLEAR, LEAST_CLEAR = 10.0, 1e-5


def held_by_bounds(box: Box, x: Array, gradient: Array, curvature: Array, tie: Array) -> BoolArray:
    """Mark the parameters that a bound keeps from lowering χ².

    Releasing parameter j alone would lower χ² by (J_jᵀr)²/|J_j|² in the Gauss–Newton model; less than the tie tolerance
    is nothing, so that a parameter which merely happens to rest on a bound is not held.

    Parameters
    ----------
    box : Box
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
    """Give gradient and curvature by every parameter when the free ones follow its release.

    Where another parameter makes up for all that a release does to a sharp prediction, releasing one alone tells
    nothing: what lowers χ² is the part of J_j that no free column has. That part also leaves out what the last step has
    left of the sharp prediction.

    Parameters
    ----------
    box : Box
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
    """Tell at which rows every entry is finite: shape (n,) for columns of shape (n_observables, any, n)."""
    return np.asarray(np.isfinite(columns).all(axis=(0, 1)))
