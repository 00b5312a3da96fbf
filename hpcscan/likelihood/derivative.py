"""Finite differences that stay within bounds, for models without a Jacobian."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hpcscan.arrays import Array, BoolArray
from hpcscan.likelihood.box import Box

#: Balances truncation, of third order, against rounding: ε^(1/3).
RELATIVE_STEP = float(np.finfo(float).eps ** (1 / 3))
#: A parameter counts as no smaller than this share of its width; less where it is known to be near a minimum.
LEAST_SIZE, LEAST_SIZE_NEAR = 1e-2, 1e-5


def finite_differences(  # noqa: PLR0913, PLR0917  (a function, and where and how to differentiate it)
    function: Callable[[Array], Array],
    x: Array,
    value: Array,
    box: Box,
    precision: float = 0.0,
    is_wanted: BoolArray | None = None,
    least_size: float = LEAST_SIZE,
) -> Array:
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
    precision : float
        Relative error of the function's values; 0 where it is that of floating point.
    is_wanted : bool array, shape (n_parameters,), optional
        Parameters by which to differentiate.
    least_size : float
        Share of its width as which a parameter counts at least.

    Returns
    -------
    array, shape (n_observables, n_parameters, n)
        Zero for a parameter that is fixed or not wanted.
    """
    result = np.zeros((len(value), *x.shape))
    is_free = ~box.is_fixed[:, 0]
    for j in np.flatnonzero(is_free if is_wanted is None else is_free & is_wanted):
        step = steps(x[j], box.width[j], precision, least_size)
        first, second = _offsets(x[j], box.lower[j], box.upper[j], step)
        trial = x.copy()
        trial[j] = x[j] + first
        rise_first = function(trial) - value
        trial[j] = x[j] + second
        rise_second = function(trial) - value
        parabola = (rise_first * second**2 - rise_second * first**2) / (first * second * (second - first))
        without_first = np.where(np.isfinite(rise_first), parabola, rise_second / second)
        result[:, j] = np.where(np.isfinite(rise_second), without_first, rise_first / first)
    return result


def steps(x: Array, width: Array, precision: float, least_size: float = LEAST_SIZE) -> Array:
    """Choose the length of a difference: from rounding, or from the noise of a model's numbers, the larger.

    Noise hides what a model does over short distances, and what it does over its parameters' widths is all that is
    known of its shape.
    """
    step: Array = RELATIVE_STEP * np.maximum(np.abs(x), least_size * width)
    return np.maximum(step, np.cbrt(precision) * width) if precision else step


def _offsets(x: Array, lower: Array, upper: Array, step: Array) -> tuple[Array, Array]:
    """Choose two offsets within [lower, upper], exactly representable as differences from x."""
    step = np.minimum(step, (upper - lower) / 4)
    first = np.where(x + step <= upper, step, -step)
    second = np.where(x - step < lower, 2 * step, np.where(x + step > upper, -2 * step, -step))
    return (x + first) - x, (x + second) - x
