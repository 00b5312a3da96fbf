"""Finite differences that stay within bounds, for models without a Jacobian."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hpcscan.arrays import Array
from hpcscan.likelihood.box import Box

#: Balances truncation, of third order, against rounding: ε^(1/3).
RELATIVE_STEP = float(np.finfo(float).eps ** (1 / 3))


def finite_differences(function: Callable[[Array], Array], x: Array, value: Array, box: Box) -> Array:
    """Differentiate by a parabola through three points: central inside the box, one-sided at its walls.

    Where the function is not finite at one of the two others, the line through the remaining two points is taken.

    Parameters
    ----------
    function : callable
        From (n_parameters, n) to (n_observables, n).
    x : array, shape (n_parameters, n)
    value : array, shape (n_observables, n)
        The function at x.
    box : Box

    Returns
    -------
    array, shape (n_observables, n_parameters, n)
        Zero for a parameter that is fixed.
    """
    result = np.zeros((len(value), *x.shape))
    for j in np.flatnonzero(~box.is_fixed):
        first, second = _offsets(x[j], box.lower[j], box.upper[j], box.width[j])
        trial = x.copy()
        trial[j] = x[j] + first
        rise_first = function(trial) - value
        trial[j] = x[j] + second
        rise_second = function(trial) - value
        parabola = (rise_first * second**2 - rise_second * first**2) / (first * second * (second - first))
        without_first = np.where(np.isfinite(rise_first), parabola, rise_second / second)
        result[:, j] = np.where(np.isfinite(rise_second), without_first, rise_first / first)
    return result


def _offsets(x: Array, lower: Array, upper: Array, width: Array) -> tuple[Array, Array]:
    """Choose two offsets within [lower, upper], exactly representable as differences from x."""
    step = np.minimum(RELATIVE_STEP * np.maximum(np.abs(x), 1e-2 * width), (upper - lower) / 4)
    first = np.where(x + step <= upper, step, -step)
    second = np.where(x - step < lower, 2 * step, np.where(x + step > upper, -2 * step, -step))
    return (x + first) - x, (x + second) - x
