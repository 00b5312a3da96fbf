"""The minimum of sampled values, between the nodes where the values say that it is there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpcscan.analysis.interpolation import slopes
from hpcscan.arrays import Array


@dataclass(frozen=True)
class Minima:
    """Minima of m columns.

    Attributes
    ----------
    index : int array, shape (m,)
        The lowest node, the first of equal ones; −1 where a column has no value.
    position, value : array, shape (m,)
        Of the minimum of the smooth curve next to that node; of the node itself where it is no inner minimum.
    is_inside : bool array, shape (m,)
        Whether the lowest node has a higher value on each side, or an equal one after it.
    """

    index: NDArray[np.intp]
    position: Array
    value: Array
    is_inside: NDArray[np.bool_]


def minima(x: Array, f: Array) -> Minima:
    """Find the minimum of every column of f, shape (len(x), m).

    The curve never falls below zero, for it stands for a χ².
    """
    is_known = np.isfinite(f)
    has_any = is_known.any(axis=0)
    column = np.arange(f.shape[1])
    index = np.argmin(np.where(is_known, f, np.inf), axis=0)
    position, value = x[index], np.where(has_any, f[index, column], np.nan)
    is_inside = _has_higher_sides(f, index, column)
    if len(x) >= 3:
        slope = slopes(x, np.where(is_known, f, np.nan))
        side = np.where(slope[index, column] < 0, 1, -1)
        other = np.clip(index + side, 0, len(x) - 1)
        reach = np.where(is_inside, x[other] - x[index], 0.0)
        part, lowest = _cubic_minimum(
            value, f[other, column], reach * slope[index, column], reach * slope[other, column]
        )
        is_lower = is_inside & (lowest < value)
        position = np.where(is_lower, position + part * reach, position)
        value = np.where(is_lower, np.maximum(lowest, np.minimum(value, 0)), value)
    return Minima(np.where(has_any, index, -1), np.where(has_any, position, np.nan), value, is_inside)


def _has_higher_sides(f: Array, index: NDArray[np.intp], column: NDArray[np.intp]) -> NDArray[np.bool_]:
    padded = np.pad(f, ((1, 1), (0, 0)), constant_values=np.nan)
    here = f[index, column]
    inside: NDArray[np.bool_] = (padded[index, column] > here) & (padded[index + 2, column] >= here)
    return inside


def _cubic_minimum(low: Array, high: Array, slope_low: Array, slope_high: Array) -> tuple[Array, Array]:
    """Find where in [0, 1] the cubic with these ends and slopes is lowest, and how low; for a negative first slope."""
    rise = high - low
    b, c = 3 * rise - 2 * slope_low - slope_high, slope_low + slope_high - 2 * rise
    with np.errstate(all="ignore"):
        t = -slope_low / (b + np.sqrt(b * b - 3 * c * slope_low))
    t = np.where((t >= 0) & (t <= 1), t, 0.0)
    return t, low + t * (slope_low + t * (b + t * c))


def profile(axes: tuple[Array, ...], f: Array, keep: tuple[int, ...]) -> Array:
    """Minimise over all axes but those to keep; between the nodes too, where the minimum is an inner one.

    Parameters
    ----------
    axes : tuple of array
        Values of each axis.
    f : array, one dimension for each axis
    keep : tuple of int
        Axes of the result, increasing.
    """
    for number in reversed(range(len(axes))):
        if number not in keep:
            columns = np.moveaxis(f, number, 0)
            f = minima(axes[number], columns.reshape(len(columns), -1)).value.reshape(columns.shape[1:])
    return f
