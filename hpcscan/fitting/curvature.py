"""What holds a minimum and what does not: bounds with their multipliers, and flat directions."""

from __future__ import annotations

import numpy as np

from hpcscan.arrays import Array, BoolArray, IntArray
from hpcscan.fitting.records import UNKNOWN
from hpcscan.likelihood.box import Box


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
    singular = np.linalg.svd(np.moveaxis(columns, -1, 0), compute_uv=False)
    rank: IntArray = (singular > null[:, None] * singular[:, :1]).sum(axis=1)
    return rank


def is_finite(columns: Array) -> BoolArray:
    """Tell at which rows every entry is finite: shape (n,) for columns of shape (n_observables, any, n)."""
    return np.asarray(np.isfinite(columns).all(axis=(0, 1)))
