"""When two values of χ² are equal, and when a minimum counts as proven."""

from __future__ import annotations

import numpy as np

from hpcscan.arrays import Array, BoolArray

#: Values of χ² closer than max(TIE_RELATIVE χ², TIE_ABSOLUTE) are equal.
TIE_RELATIVE, TIE_ABSOLUTE = 1e-9, 1e-6
#: A gap between χ² and its lower bound up to max(TIE_RELATIVE χ², GAP_ABSOLUTE) is closed.
GAP_ABSOLUTE = 1e-3


def tie_tolerance(chi2: Array) -> Array:
    """Give the difference below which two values of χ² are equal."""
    return np.maximum(TIE_RELATIVE * chi2, TIE_ABSOLUTE)


def is_gap_closed(chi2: Array, lower_bound: Array) -> BoolArray:
    """Tell whether χ² is proven to be the minimum; False where either is NaN, and where they contradict each other."""
    is_near: BoolArray = chi2 - lower_bound <= np.maximum(TIE_RELATIVE * chi2, GAP_ABSOLUTE)
    return is_near & ~contradicts_bound(chi2, lower_bound)


def contradicts_bound(chi2: Array, lower_bound: Array) -> BoolArray:
    """Tell whether χ² is below what cannot be beaten: then the ranges that the model offers are wrong.

    A certificate is lowered by more than all rounding, so that a true one is never above χ². Ranges that a model gives
    without a margin of their own may be short by rounding; up to the tie tolerance that is no contradiction.
    """
    contradicts: BoolArray = chi2 < lower_bound - tie_tolerance(chi2)
    return contradicts
