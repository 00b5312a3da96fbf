"""Where the values of a variable come from."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hpcscan.arrays import Array
from hpcscan.dataset.variable import Take
from hpcscan.fitting.records import PointResults
from hpcscan.likelihood.terms import pulls
from hpcscan.model.problem import Problem


def constant(values: ArrayLike) -> Take:
    """Take values that are known before the scan."""
    array = np.asarray(values)
    return lambda _, __: array


def field(name: str) -> Take:
    """Take a field of the results."""

    def take(results: PointResults, rows: slice) -> NDArray[Any]:
        values: NDArray[Any] = getattr(results, name)[rows]
        return values

    return take


def scale(column: int, attribute: str = "scale") -> Take:
    """Take one of the profiled scales, or an end of its interval."""
    return lambda results, rows: getattr(results, attribute)[rows, column]


def derived(name: str) -> Take:
    """Take a quantity that the model reports."""
    return lambda results, rows: results.derived[name][rows]


def pull(model: Problem) -> Take:
    """Take the pulls of the observables."""
    return lambda results, rows: pulls(model, results.predicted[rows])


def delta_chi2(results: PointResults, rows: slice) -> Array:
    """Take the difference to the lowest finite χ² of the grid; NaN where χ² is not finite."""
    lowest = np.min(results.chi2, where=np.isfinite(results.chi2), initial=np.inf)
    chi2 = results.chi2[rows]
    difference = np.full(chi2.shape, np.nan)
    np.subtract(chi2, lowest, out=difference, where=np.isfinite(chi2))
    return difference
