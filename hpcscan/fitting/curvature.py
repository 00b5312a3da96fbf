"""What holds a minimum and what does not: bounds with their multipliers, and flat directions."""

from __future__ import annotations

import numpy as np

from hpcscan.arrays import Array, BoolArray, IntArray
from hpcscan.fitting.records import UNKNOWN
from hpcscan.likelihood.box import Box
from hpcscan.tolerance import tie_tolerance

#: A singular value of the Jacobian below this × the largest one counts as zero.
NULL = 1e-8


def held_by_bounds(box: Box, x: Array, residual: Array, jacobian: Array) -> BoolArray:
    """Mark the parameters that a bound keeps from lowering χ².

    Releasing parameter j alone would lower χ² by (J_jᵀr)²/|J_j|² in the Gauss–Newton model; less than the tie tolerance
    is nothing, so that a parameter which merely happens to rest on a bound is not held.

    Parameters
    ----------
    box : Box
    x : array, shape (n_parameters, n)
    residual : array, shape (n_observables, n)
    jacobian : array, shape (n_observables, n_parameters, n)
        Of the profiled residuals, in units of the box's widths.

    Returns
    -------
    bool array, shape (n_parameters, n)
    """
    # A derivative may be infinite; one that is no number pushes nowhere.
    with np.errstate(all="ignore"):
        gradient = (jacobian * residual[:, None]).sum(axis=0)
        norm2 = (jacobian * jacobian).sum(axis=0)
        chi2 = (residual * residual).sum(axis=0)
        matters = (gradient * gradient > tie_tolerance(chi2) * norm2) | np.isinf(gradient)
        pushes_out = box.side(x) * gradient < 0
    is_held: BoolArray = pushes_out & matters
    return is_held


def bound_multipliers(box: Box, residual: Array, jacobian: Array, is_held: BoolArray) -> Array:
    """dχ²/d(bound) in the parameter's unit, shape (n_parameters, n); 0 for a parameter that is not held."""
    with np.errstate(all="ignore"):
        gradient = 2 * (jacobian * residual[:, None]).sum(axis=0) / box.width
    return np.where(is_held, gradient, 0.0)


def count_flat_directions(box: Box, jacobian: Array, is_held: BoolArray) -> IntArray:
    """Nullity of the Jacobian among the parameters that are neither held nor fixed, shape (n,).

    `UNKNOWN` where a derivative by one of these is not finite.
    """
    is_free = ~(is_held | box.is_fixed)
    columns = np.where(is_free, jacobian, 0.0)
    is_known = is_finite(columns)
    singular = np.linalg.svd(np.moveaxis(np.where(is_known, columns, 0.0), -1, 0), compute_uv=False)
    rank = (singular > NULL * singular[:, :1]).sum(axis=1)
    n_flat: IntArray = np.where(is_known, is_free.sum(axis=0) - rank, UNKNOWN)
    return n_flat


def is_finite(columns: Array) -> BoolArray:
    """Tell at which rows every entry is finite: shape (n,) for columns of shape (n_observables, any, n)."""
    return np.asarray(np.isfinite(columns).all(axis=(0, 1)))
