"""What the starts of a point say together: the best of them, and how far they agree."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hpcscan.arrays import Array, BoolArray, IntArray
from hpcscan.fitting.records import Status
from hpcscan.tolerance import EXACT, Precision, tie_tolerance


@dataclass(frozen=True)
class Agreement:
    """Agreement of the starts of n points.

    A level is a value of χ² to which starts converged; values within the tie tolerance are one level. The minima of a
    model may be manifolds, so levels and not places in parameter space are what can be told apart.

    Attributes
    ----------
    best : int array, shape (n,)
        The best start. Among those that are equal to the lowest a converged one comes first, then the lowest index.
    n_run, n_converged, n_at_minimum, n_levels : int array, shape (n,)
    spread : array, shape (n,)
        χ² from the lowest level to the next; NaN where there is only one.
    """

    best: IntArray
    n_run: IntArray
    n_converged: IntArray
    n_at_minimum: IntArray
    n_levels: IntArray
    spread: Array

    @property
    def unexplored_fraction(self) -> Array:
        """Estimated share of levels that no start has seen: w (w + 1) / (n (n − 1)) for w levels in n converged starts.

        C. G. E. Boender and A. H. G. Rinnooy Kan, Math. Programming 37, 59 (1987); clipped to 1, NaN for n < w + 2.
        """
        w, n = self.n_levels, self.n_converged
        with np.errstate(all="ignore"):
            return np.where(n < w + 2, np.nan, np.minimum(w * (w + 1) / (n * (n - 1.0)), 1.0))


def agreement(chi2: Array, status: IntArray, precision: Precision = EXACT) -> Agreement:
    """Compare the starts of every point; `chi2` and `status` have shape (n, n_starts)."""
    lowest = np.min(np.where(np.isnan(chi2), np.inf, chi2), axis=1, keepdims=True)
    is_at_minimum: BoolArray = chi2 <= lowest + tie_tolerance(lowest, precision)
    has_converged = status == Status.CONVERGED
    n_levels, spread = _levels(np.where(has_converged, chi2, np.nan), precision)
    return Agreement(
        best=np.argmax(is_at_minimum * 1 + (is_at_minimum & has_converged), axis=1),
        n_run=(status != Status.NOT_RUN).sum(axis=1),
        n_converged=has_converged.sum(axis=1),
        n_at_minimum=(is_at_minimum & has_converged).sum(axis=1),
        n_levels=n_levels,
        spread=spread,
    )


def n_starts_at(minimum: Array, chi2: Array, status: IntArray, precision: Precision = EXACT) -> IntArray:
    """Count the starts of every point that converged to a given χ² or below, shape (n,)."""
    level = (minimum + tie_tolerance(minimum, precision))[:, None]
    n_at: IntArray = ((status == Status.CONVERGED) & (chi2 <= level)).sum(axis=1)
    return n_at


def _levels(chi2: Array, precision: Precision) -> tuple[IntArray, Array]:
    """Count the distinct levels of each row, and measure the gap above the lowest one; NaN entries do not count."""
    chi2 = np.sort(chi2, axis=1)
    is_step = np.diff(chi2, axis=1) > tie_tolerance(chi2[:, :-1], precision)
    n_levels = is_step.sum(axis=1) + ~np.isnan(chi2[:, 0])
    row, next_level = np.arange(len(chi2)), np.argmax(is_step, axis=1) + 1 if is_step.shape[1] else 0
    spread = np.where(is_step.any(axis=1), chi2[row, next_level] - chi2[:, 0], np.nan)
    return n_levels, spread
