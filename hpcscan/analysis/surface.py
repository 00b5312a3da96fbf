"""χ² between the grid points: a smooth surface through its values and slopes there, in log x on a log axis."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hpcscan.analysis.interpolation import slopes
from hpcscan.arrays import Array
from hpcscan.dataset.scan import ScanData


@dataclass(frozen=True)
class Surface:
    """A function on a grid, with its slopes.

    Attributes
    ----------
    axes : tuple of array
        The coordinates, in which it is smooth.
    values : array, one dimension for each axis
    slopes : tuple of array, one for each axis
        Each of the shape of `values`.
    """

    axes: tuple[Array, ...]
    values: Array
    slopes: tuple[Array, ...]

    @classmethod
    def of(cls, scan: ScanData) -> Surface:
        """Collect χ² of a scan; where its slopes are not known, they are estimated from the neighbours."""
        grid = scan.grid
        chi2 = np.where(np.isfinite(scan.at_points("chi2")), scan.at_points("chi2"), np.nan).reshape(grid.shape)
        known = scan.at_points("chi2_gradient") if scan.has("chi2_gradient") else None
        names = scan.labels("scanned") if known is not None else ()
        axes, found = [], []
        for number, axis in enumerate(grid.axes):
            values = np.array(axis.values)
            coordinate = coordinates(values)
            slope = _slopes(coordinate, chi2, number)
            if known is not None and axis.name in names:
                # dχ²/dz = dχ²/dx · dx/dz for the coordinate z in which the surface is smooth.
                own = known[:, names.index(axis.name)].reshape(grid.shape)
                per_coordinate = np.expand_dims(_derivative(values), [k for k in range(chi2.ndim) if k != number])
                slope = np.where(np.isfinite(own), own * per_coordinate, slope)
            axes.append(coordinate)
            found.append(slope)
        return cls(tuple(axes), chi2, tuple(found))

    def profiled(self, keep: tuple[int, ...]) -> Surface:
        """Minimise over all axes but those to keep, which come in this order, between the nodes too.

        At a minimum over one axis the slopes along the others are those of the profile; between two nodes they are
        interpolated linearly.
        """
        found = self
        for number in reversed(range(len(self.axes))):
            if number not in keep:
                found = found._without(number)
        # The axes that are left are in the grid's order; `keep` may want another.
        order = np.argsort(np.argsort(keep))
        axes, known = ([part[k] for k in order] for part in (found.axes, found.slopes))
        return Surface(tuple(axes), found.values.transpose(order), tuple(part.transpose(order) for part in known))

    def _without(self, number: int) -> Surface:
        axes = self.axes[:number] + self.axes[number + 1 :]
        f, *others = (np.moveaxis(part, number, 0) for part in (self.values, *_without(self.slopes, number)))
        if len(f) == 1:
            return Surface(axes, f[0], tuple(part[0] for part in others))
        slope, width = np.moveaxis(self.slopes[number], number, 0), np.diff(self.axes[number])
        # In every cell the lowest place of its cubic, then the lowest of all cells and nodes.
        t = _lowest(f, slope, width.reshape(-1, *[1] * (f.ndim - 1)))
        value = _hermite(f, slope, width.reshape(-1, *[1] * (f.ndim - 1)), t)
        # A node beside a hole counts too.
        candidates = np.concatenate([f, value])
        chosen = np.argmin(np.where(np.isnan(candidates), np.inf, candidates), axis=0)[None]
        along = [np.concatenate([part, part[:-1] + t * np.diff(part, axis=0)]) for part in others]
        lowest, *rest = (np.take_along_axis(part, chosen, axis=0)[0] for part in (candidates, *along))
        return Surface(axes, lowest, tuple(rest))

    def at(self, *places: Array) -> Array:
        """Evaluate a surface of one or two axes on the grid of these places; missing beside a missing value."""
        if len(self.axes) == 1:
            return _along(self.axes[0], self.values[:, None], self.slopes[0][:, None], places[0])[:, 0]
        (x, y), (along_x, along_y) = self.axes, self.slopes
        # The mixed derivative is estimated from either slope.
        mixed = (_slopes(y, along_x, 1) + _slopes(x, along_y, 0)) / 2
        mixed = np.where(np.isnan(mixed), 0.0, mixed)
        values = _along(x, self.values, along_x, places[0])
        across = _along(x, along_y, mixed, places[0])
        return _along(y, values.T, across.T, places[1]).T

    def above(self, base: float) -> Surface:
        """Return it measured from a base."""
        return replace(self, values=self.values - base)


def is_geometric(values: Array) -> bool:
    """Whether steps are more even between logarithms."""
    if len(values) < 3 or values[0] <= 0:
        return False
    steps, ratios = np.diff(values), np.diff(np.log(values))
    return bool(np.ptp(ratios) / ratios.mean() < np.ptp(steps) / steps.mean())


def coordinates(values: Array) -> Array:
    """Return the coordinates of an axis: its values or, on a log axis, their logarithms."""
    return np.log(values) if is_geometric(values) else values


def _derivative(values: Array) -> Array:
    """Return dx/dz of the coordinate z."""
    return values if is_geometric(values) else np.ones_like(values)


def _without(parts: tuple[Array, ...], number: int) -> tuple[Array, ...]:
    return parts[:number] + parts[number + 1 :]


def _slopes(x: Array, f: Array, number: int) -> Array:
    """Estimate the slopes of f along one of its axes from neighbouring values."""
    columns = np.moveaxis(f, number, 0)
    if len(x) == 1:
        return np.zeros_like(f)
    found = slopes(x, columns.reshape(len(x), -1)).reshape(columns.shape)
    return np.moveaxis(found, 0, number)


def _along(x: Array, f: Array, slope: Array, at: Array) -> Array:
    """Evaluate the cubics along the first axis of f, shape (n, m), at places; shape (len(at), m)."""
    cell = np.clip(np.searchsorted(x, at, side="right") - 1, 0, len(x) - 2)
    width = (x[cell + 1] - x[cell])[:, None]
    t = (at - x[cell])[:, None] / width
    low, high = f[cell], f[cell + 1]
    return _cubic(low, high, slope[cell] * width, slope[cell + 1] * width, t)


def _hermite(f: Array, slope: Array, width: Array, t: Array) -> Array:
    return _cubic(f[:-1], f[1:], slope[:-1] * width, slope[1:] * width, t)


def _cubic(low: Array, high: Array, rise: Array, end: Array, t: Array) -> Array:
    """Evaluate the cubic with these values and slopes at t = 0 and 1."""
    u = 1 - t
    value: Array = low * (1 + 2 * t) * u * u + high * t * t * (3 - 2 * t) + t * u * (u * rise - t * end)
    return np.where(t == 0, low, np.where(t == 1, high, value))


def _lowest(f: Array, slope: Array, width: Array) -> Array:
    """Find where in every cell along the first axis the cubic is lowest; shape (n − 1, …), 0 to 1."""
    low, high, rise, end = f[:-1], f[1:], slope[:-1] * width, slope[1:] * width
    # The derivative is a + b t + c t²; of its roots, the one where it increases.
    a, b, c = rise, 2 * (3 * (high - low) - 2 * rise - end), 3 * (rise + end - 2 * (high - low))
    with np.errstate(all="ignore"):
        root = np.sqrt(b * b - 4 * a * c)
        t = np.where(b > 0, -2 * a / (b + root), (root - b) / (2 * c))
    t = np.where((t > 0) & (t < 1), t, 0.0)
    at_ends = np.where(high < low, 1.0, 0.0)
    ends = np.minimum(low, high)
    return np.where(_cubic(low, high, rise, end, t) < ends, t, at_ends)
