"""When two values of χ² are equal, and when a minimum counts as proven."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hpcscan.arrays import Array, BoolArray

#: Values of χ² closer than max(TIE_RELATIVE |χ²|, TIE_ABSOLUTE), or than their noise, are equal.
TIE_RELATIVE, TIE_ABSOLUTE = 1e-9, 1e-6
#: A gap between χ² and its lower bound up to max(TIE_RELATIVE χ², GAP_ABSOLUTE) is closed.
GAP_ABSOLUTE = 1e-3
#: What rounding leaves of χ², relative to it.
ROUNDING = 4 * float(np.finfo(float).eps)
#: Two equal numbers differ by this × the standard deviation of their noise, at most: √12 where they are rounded, and
#: what the measurement of the noise may be short of it.
SPREAD = 6.0


@dataclass(frozen=True)
class Precision:
    """How precise a model's numbers are, and so its χ².

    Attributes
    ----------
    relative : float
        Relative error of the predictions, or of −2 ln L itself in a scalar model; 0 where it is that of floating point.
    size : float
        Length of the data vector in σ; 0 in a scalar model.
    floor : float
        Size of −2 ln L below which its error falls no more, in a scalar model: that of numbers that are rounded.
    """

    relative: float = 0.0
    size: float = 0.0
    floor: float = 0.0

    def noise(self, chi2: Array) -> Array:
        """Error of χ² from that of the predictions, whose length in σ is at most |data| + √χ²; or that of −2 ln L."""
        magnitude = np.abs(chi2)
        if not self.relative:
            return np.asarray(ROUNDING * magnitude)
        if not self.size:
            return np.asarray(SPREAD * self.relative * np.maximum(magnitude, self.floor))
        root = np.sqrt(magnitude)
        error = self.relative * (self.size + root)
        return np.asarray(ROUNDING * magnitude + error * (2 * root + error))


#: Of a model whose numbers are as precise as floating point.
EXACT = Precision()


def tie_tolerance(chi2: Array, precision: Precision = EXACT) -> Array:
    """Compute the difference below which two values of χ² are equal."""
    tie: Array = np.maximum(TIE_RELATIVE * np.abs(chi2), TIE_ABSOLUTE)
    return np.maximum(tie, precision.noise(chi2)) if precision.relative else tie


def is_gap_closed(
    chi2: Array, lower_bound: Array, precision: Precision = EXACT, most: float = GAP_ABSOLUTE
) -> BoolArray:
    """Whether χ² is proven to be the minimum; False where either is NaN, and where they contradict each other."""
    is_near: BoolArray = chi2 - lower_bound <= np.maximum(tie_tolerance(chi2, precision), most)
    return is_near & ~contradicts_bound(chi2, lower_bound, precision)


def contradicts_bound(chi2: Array, lower_bound: Array, precision: Precision = EXACT) -> BoolArray:
    """Whether χ² is below what cannot be beaten: then the ranges that the model offers are wrong.

    A certificate is lowered by more than all rounding, so that a true one is never above χ². Ranges that a model gives
    without a margin of their own may be short by rounding; up to the tie tolerance that is no contradiction.
    """
    contradicts: BoolArray = chi2 < lower_bound - tie_tolerance(chi2, precision)
    return contradicts
