"""Where fits begin and where they end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from hpcscan.arrays import Array, BoolArray, IntArray
from hpcscan.fitting.records import UNKNOWN, Status
from hpcscan.likelihood.objective import Given
from hpcscan.likelihood.rows import Rows
from hpcscan.tolerance import Precision

#: A start has arrived when its estimated distance to the minimum is below this × (1 + |χ²|).
EDM_TOLERANCE = 1e-12
#: Or below this × the largest noise that χ² can have: that of many predictions seldom adds up.
SHARE_OF_NOISE = 0.05
#: Status of a row on its way.
MOVING = -1


def edm_tolerance(chi2: Array, precision: Precision, relative: float = EDM_TOLERANCE) -> Array:
    """Compute the estimated distance to the minimum at which a row has arrived."""
    tolerance: Array = relative * (1 + np.abs(chi2))
    return np.maximum(tolerance, SHARE_OF_NOISE * precision.noise(chi2)) if precision.relative else tolerance


@dataclass(frozen=True)
class Minima(Rows):
    """Where n rows ended.

    Attributes
    ----------
    x : array, shape (n_parameters, n)
    chi2, edm : array, shape (n,)
        χ² and the estimated distance to its minimum, −gᵀs of an undamped step s: Minuit's EDM.
    status : int8 array, shape (n,)
    n_iterations, n_evaluations : int array, shape (n,)
    rank : int array, shape (n,)
        Largest rank of the Jacobian where the row began and where it ended; `UNKNOWN` where nobody has looked.
    slopes : array, shape (n_observables, n_parameters, n), or None
        Derivatives of the predictions at the last step; see `Objective.forward_slopes`. NaN where they are not known.
    """

    x: Array
    chi2: Array
    edm: Array
    status: IntArray
    n_iterations: IntArray
    n_evaluations: IntArray
    rank: IntArray
    slopes: Array | None = None

    @classmethod
    def not_run(cls, n_parameters: int, n: int) -> Minima:
        """Account for n rows that nobody has fitted yet."""
        nan, zero = np.full(n, np.nan), np.zeros(n, np.int64)
        x = np.full((n_parameters, n), np.nan)
        return cls(x, nan, nan.copy(), np.full(n, Status.NOT_RUN, np.int8), zero, zero.copy(), np.full(n, UNKNOWN))


@dataclass(frozen=True)
class Launch(Rows):
    """Rows to begin, shape (n,): what is given there, and from where in the box, (n_parameters, n).

    Steps that have led there are counted with those of the fit.
    """

    row: IntArray
    given: Given
    start: Array
    n_steps: IntArray | None = None


class Supply(Protocol):
    """Who decides what is begun, from where rows have ended so far; asked after every step."""

    def more(self, ends: Minima) -> Launch | None:
        """Return rows to begin now."""

    def needless(self, ends: Minima) -> BoolArray:
        """Return which rows need not end any more."""

    def dispensable_above(self, ends: Minima) -> Array:
        """Return χ² above which rows need not end if they take long, not converged; infinite where all have to."""
