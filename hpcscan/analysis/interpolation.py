"""A smooth curve through sampled values, with holes where one is missing, and the minimum that the values show."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpcscan.arrays import Array

#: The parabola through both neighbours is replaced by one from a single side that is this much less curved.
KINK = 4.0


def slopes(x: Array, f: Array) -> Array:
    """Estimate the derivative at every node of x, shape (n,), for columns of f, shape (n, m).

    It is the slope of the parabola through a node and its neighbours. At an end, next to a missing value, and where the
    parabola through two nodes of one side is much less curved (so that a kink stays on its own side), the latter is
    taken. With two values the line through them is all there is.
    """
    # Divided differences: secants between nodes, and half the second derivative at the inner ones.
    unit = unit_of(x)
    step = np.diff(x)[:, None] / unit
    secant = np.diff(f, axis=0) / step
    curvature = np.diff(secant, axis=0) / (step[:-1] + step[1:])
    nothing = np.full((1, f.shape[1]), np.nan)
    inner = np.concatenate([nothing, curvature, nothing])
    before, after = np.concatenate([nothing, secant]), np.concatenate([secant, nothing])
    width_before, width_after = np.vstack([[[0.0]], step]), np.vstack([step, [[0.0]]])

    # Slopes at a node of the parabolas around it, through two nodes before it, and through two after it.
    around = before + inner * width_before
    left = before + np.concatenate([nothing, inner[:-1]]) * width_before
    right = after - np.concatenate([inner[1:], nothing]) * width_after
    result = np.where(np.isnan(around), np.where(np.isnan(left), right, left), around)
    smoother_left = ~np.isnan(left) & (np.abs(inner) > KINK * np.abs(np.concatenate([nothing, inner[:-1]])))
    smoother_right = ~np.isnan(right) & (np.abs(inner) > KINK * np.abs(np.concatenate([inner[1:], nothing])))
    # With a smooth stretch on both sides the node itself is the kink, and belongs to neither.
    result = np.where(smoother_left & ~smoother_right, left, result)
    result = np.where(smoother_right & ~smoother_left, right, result)
    known: Array = np.where(np.isnan(result), np.where(np.isnan(before), after, before), result)
    return known / unit


def unit_of(x: Array) -> float:
    """Return a power of two of about the size of the steps between nodes, shape (n,).

    To divide by it changes no digits, and keeps the squares of tiny and huge steps from leaving the range of numbers.
    """
    return float(2.0 ** np.floor(np.log2(np.diff(x).max())))


def interpolate(x: Array, f: Array, at: Array, slope: Array | None = None) -> Array:
    """Evaluate the curve through columns of f at places inside the range of x; shape (len(at), m).

    Missing in every cell between two nodes of which one has no value. The slopes are those of `slopes`, if they are not
    given.
    """
    if len(x) == 1:
        return np.repeat(f, len(at), axis=0)
    unit = unit_of(x)
    x, at = x / unit, at / unit
    slope = slopes(x, f) if slope is None else slope * unit
    cell = np.clip(np.searchsorted(x, at, side="right") - 1, 0, len(x) - 2)
    width = (x[cell + 1] - x[cell])[:, None]
    t = (at - x[cell])[:, None] / width
    low, high = f[cell], f[cell + 1]
    value: Array = (
        # Hermite's cubic: values and slopes at both ends of the cell.
        low * (1 + 2 * t) * (1 - t) ** 2
        + high * t * t * (3 - 2 * t)
        + width * t * (1 - t) * ((1 - t) * slope[cell] - t * slope[cell + 1])
    )
    # At a node itself its own value counts, also next to a hole.
    return np.where(t == 0, low, np.where(t == 1, high, value))


def refined(x: Array, per_cell: int) -> Array:
    """Cut every cell between two nodes into equal parts; the nodes stay."""
    parts = np.linspace(0, 1, per_cell, endpoint=False)
    inner = (x[:-1, None] + np.diff(x)[:, None] * parts).ravel()
    return np.append(inner, x[-1])


def refine_surface(x: Array, y: Array, f: Array, most_values: int = 400) -> tuple[Array, Array, Array]:
    """Sample the smooth surface through f, shape (len(x), len(y)), more densely: new x, new y, new f.

    Parameters
    ----------
    most_values : int
        An axis gets at most about so many values; at least its own.
    """
    fine_x, fine_y = (refined(values, max(1, most_values // len(values))) for values in (x, y))
    # One axis after the other: the product of two curves.
    along_x = interpolate(x, f, fine_x)
    return fine_x, fine_y, interpolate(y, along_x.T, fine_y).T


@dataclass(frozen=True)
class ColumnMinima:
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


def minima(x: Array, f: Array) -> ColumnMinima:
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
        # The minimum lies in the cell towards which the curve falls at the lowest node.
        unit = unit_of(x)
        slope = slopes(x / unit, np.where(is_known, f, np.nan))
        side = np.where(slope[index, column] < 0, 1, -1)
        other = np.clip(index + side, 0, len(x) - 1)
        reach = np.where(is_inside, x[other] - x[index], 0.0) / unit
        part, lowest = _cubic_minimum(
            value, f[other, column], reach * slope[index, column], reach * slope[other, column]
        )
        # The node itself counts where the cubic is not below it.
        is_lower = is_inside & (lowest < value)
        position = np.where(is_lower, position + part * (reach * unit), position)
        value = np.where(is_lower, np.maximum(lowest, np.minimum(value, 0)), value)
    return ColumnMinima(np.where(has_any, index, -1), np.where(has_any, position, np.nan), value, is_inside)


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
        # The derivative is slope + 2b t + 3c t²; of its roots the one where it rises, in the form that is stable for c
        # = 0.
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
    # From the last axis on, so that the numbers of the others stay.
    for number in reversed(range(len(axes))):
        if number not in keep:
            columns = np.moveaxis(f, number, 0)
            f = minima(axes[number], columns.reshape(len(columns), -1)).value.reshape(columns.shape[1:])
    return f
