"""What a scan proves, and what in it deserves suspicion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hpcscan.arrays import Array, BoolArray
from hpcscan.fit.records import PointResults
from hpcscan.grid import Grid
from hpcscan.model.interface import Model
from hpcscan.tolerance import contradicts_bound, is_gap_closed, tie_tolerance

#: On an axis of three values nothing tells a spike from a smooth minimum.
LEAST_VALUES = 4


@dataclass(frozen=True)
class Proof:
    """How far the minima of a scan are proven.

    Attributes
    ----------
    n_known : int
        Points with a χ².
    n_bounded : int
        Those of them with a proven lower bound.
    n_closed : int
        Those whose χ² is that bound, within the tolerance.
    n_contradicted : int
        Those whose χ² is below it: there the ranges that the model offers are wrong.
    median_gap, largest_gap, lowest_gap : float
        Of χ² above its lower bound, the median where it is neither closed nor contradicted; NaN where there is none.
    """

    n_known: int
    n_bounded: int
    n_closed: int
    n_contradicted: int
    median_gap: float
    largest_gap: float
    lowest_gap: float


@dataclass(frozen=True)
class ActiveBound:
    """A bound that raises the minimum of a point.

    Attributes
    ----------
    parameter, side : str
    cost : float
        |multiplier| × width of the parameter's interval, in units of χ².
    """

    parameter: str
    side: str
    cost: float


def proof(results: PointResults) -> Proof:
    """Count the points whose minimum is proven, and measure the gaps of the others."""
    is_closed = is_gap_closed(results.chi2, results.chi2_lower_bound)
    gap = results.optimality_gap
    is_below = contradicts_bound(results.chi2, results.chi2_lower_bound)
    is_bounded, is_open = ~np.isnan(gap), ~(np.isnan(gap) | is_closed | is_below)
    return Proof(
        n_known=int(np.count_nonzero(np.isfinite(results.chi2))),
        n_bounded=int(np.count_nonzero(is_bounded)),
        n_closed=int(np.count_nonzero(is_closed)),
        n_contradicted=int(np.count_nonzero(is_below)),
        median_gap=float(np.median(gap[is_open])) if is_open.any() else np.nan,
        largest_gap=float(gap[is_bounded].max()) if is_bounded.any() else np.nan,
        lowest_gap=float(gap[is_bounded].min()) if is_bounded.any() else np.nan,
    )


def active_bounds(model: Model, results: PointResults, point: int) -> tuple[ActiveBound, ...]:
    """List the bounds that hold the minimum of a point, the most costly first."""
    width = np.array([p.start_range[1] - p.start_range[0] for p in model.parameters])
    cost = np.abs(results.bound_multiplier[point]) * width
    order = [int(j) for j in np.argsort(-cost, kind="stable") if cost[j] > 0]
    sides = {-1: "lower", 1: "upper"}
    return tuple(
        ActiveBound(model.parameters[j].name, sides[int(results.at_bound[point, j])], float(cost[j])) for j in order
    )


def spikes(grid: Grid, chi2: Array) -> BoolArray:
    """Find points that disagree with their neighbours more than the neighbours' own slope explains.

    Along each axis a point is compared with the straight line through its two neighbours. It is a spike where it lies
    off that line by more than the steepest slope around it, without the point, would move χ² in one step.

    Parameters
    ----------
    grid : Grid
    chi2 : array, shape (n_points,)

    Returns
    -------
    bool array, shape (n_points,)
        False at the ends of an axis, on axes too short to tell, and where a neighbour has no χ².
    """
    surface = chi2.reshape(grid.shape)
    found = np.zeros(grid.shape, bool)
    for number, axis in enumerate(grid.axes):
        if len(axis.values) >= LEAST_VALUES:
            along = np.moveaxis(surface, number, 0).reshape(len(axis.values), -1)
            is_spike = _spikes_along(np.array(axis.values)[:, None], along)
            others = tuple(n for k, n in enumerate(grid.shape) if k != number)
            found |= np.moveaxis(is_spike.reshape(len(axis.values), *others), 0, number)
    return found.ravel()


def _spikes_along(x: Array, f: Array) -> BoolArray:
    """Compare the inner rows of f, shape (n, m), with the line through the rows before and after them."""
    found = np.zeros(f.shape, bool)
    left, right = x[1:-1] - x[:-2], x[2:] - x[1:-1]
    across = (f[2:] - f[:-2]) / (left + right)
    off = np.abs(f[1:-1] - (f[:-2] + across * left))
    slope = np.abs(np.diff(f, axis=0) / np.diff(x, axis=0))
    nothing = np.zeros((1, f.shape[1]))
    before, after = np.concatenate([nothing, slope[:-2]]), np.concatenate([slope[2:], nothing])
    steepest = np.fmax(np.fmax(before, after), np.abs(across))
    found[1:-1] = off > steepest * np.maximum(left, right) + tie_tolerance(np.abs(f[1:-1]))
    return found
