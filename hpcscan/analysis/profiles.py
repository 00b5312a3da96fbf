"""Δχ² along each axis after profiling the others: its minimum, if there is one, and its intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from math import nan

import numpy as np

from hpcscan.analysis.fitted import Fitted, Region
from hpcscan.analysis.interpolation import minima, profile
from hpcscan.analysis.interval import Interval, interval, stretch
from hpcscan.analysis.landscape import Landscape
from hpcscan.arrays import Array
from hpcscan.dataset.scan import ScanData
from hpcscan.distribution import NAMED_LEVELS, delta_chi2_level
from hpcscan.settings import ReportSettings
from hpcscan.tolerance import tie_tolerance

SIGMAS, CLS = (1, 2, 3), tuple(NAMED_LEVELS)
#: Largest numerical error of a minimum and its interval at 1σ, in half-widths: added in squares, it widens them by 3 %.
RESOLVED = 1 / 4


class ProfileShape(Enum):
    """What a profile shows."""

    UNKNOWN = "no point has a chi2"
    FLAT = "flat: all values are equal within the tolerance"
    EDGE = "no minimum inside the grid"
    PLATEAU = "several neighbouring values are equally low"
    SHALLOW = "no rise above the numerical error of chi2"
    SEVERAL = "the best fit is not one place"
    MEASURED = "a minimum inside the grid"


@dataclass(frozen=True)
class AxisProfile:
    """The profile of one axis.

    Attributes
    ----------
    number : int
        Of the axis in the grid.
    values : array, shape (n,)
    delta_chi2 : array, shape (n,)
        Against the best point known.
    edge : str
        "lower" or "upper", the end of the axis where the lowest value lies, or "".
    position, error : float
        Of the minimum, and the numerical error of that; NaN unless it is measured.
    lowest : (float, float)
        The first and the last value around the lowest one that are equal to it; NaN without any.
    intervals : tuple of Interval or None
        At 1σ, 2σ, 3σ for one parameter.
    width_rule : (float, float) or None
        Half-widths at 1σ below the first are sharp, above the second flat.
    is_fitted : bool
        Whether minimum and intervals were fitted, not read off the grid.
    """

    name: str
    unit: str
    number: int
    values: Array
    delta_chi2: Array
    shape: ProfileShape
    edge: str
    position: float
    error: float
    lowest: tuple[float, float]
    intervals: tuple[Interval | None, ...]
    reference: float | None
    width_rule: tuple[float, float] | None
    is_fitted: bool = False

    @property
    def is_measured(self) -> bool:
        """Whether there is a minimum to quote."""
        return self.shape is ProfileShape.MEASURED

    @property
    def half_width(self) -> float:
        """Half the interval at 1σ; where it is open, at least half of what the grid shows of it; NaN without any."""
        one = self.intervals[0]
        return nan if one is None or self.shape is ProfileShape.UNKNOWN else _shown_width(self.values, one) / 2

    @property
    def is_open(self) -> bool:
        """Whether the interval at 1σ ends at an edge or a hole."""
        one = self.intervals[0]
        return one is not None and (one.lower.is_open or one.upper.is_open)

    @property
    def is_enclosed(self) -> bool:
        """Whether there is a minimum, and Δχ² crosses 1 on both sides of it before the grid ends."""
        return self.is_measured and self.intervals[0] is not None and not self.is_open

    @property
    def interval_error(self) -> float:
        """The largest numerical error of the minimum and of the ends at 1σ; NaN where one of them is not there."""
        one = self.intervals[0]
        return nan if one is None else float(np.max([self.error, one.lower.error, one.upper.error]))

    @property
    def is_quotable(self) -> bool:
        """Whether the minimum is enclosed, and the grid fine enough around it."""
        return self.is_enclosed and self.interval_error <= RESOLVED * self.half_width

    @property
    def width_class(self) -> str:
        """The class of the half-width: flat, sharp or in between; "" where that cannot be said."""
        if self.width_rule is None or np.isnan(self.half_width):
            return ""
        sharp, flat = self.width_rule
        if self.half_width > flat:
            return "flat"
        if self.is_open or not self.is_measured:
            return ""
        return "sharp" if self.half_width < sharp else "neither flat nor sharp"


@dataclass(frozen=True)
class Profiles:
    """Profiles of all scanned axes.

    Attributes
    ----------
    base : float
        χ² of the best point known: the lowest grid point or, where the points around it lie on a smooth curve, the
        minimum between them.
    """

    axes: tuple[AxisProfile, ...]
    base: float

    @property
    def closed(self) -> tuple[AxisProfile, ...]:
        """Axes with a minimum that the grid holds between its ends, however coarse it is."""
        return tuple(axis for axis in self.axes if axis.is_measured and not axis.is_open)

    @property
    def coarse(self) -> tuple[AxisProfile, ...]:
        """Those of them that need more values around the minimum."""
        return tuple(axis for axis in self.closed if not axis.is_quotable)


def profile_axes(scan: ScanData, landscape: Landscape, settings: ReportSettings) -> Profiles:
    """Profile every axis that has more than one value."""
    grid = landscape.grid
    values = tuple(np.array(axis.values) for axis in grid.axes)
    curves = {k: profiled(landscape, (k,)) for k in landscape.scanned}
    base, fitted = landscape.lowest_chi2, Fitted.of(scan)
    # One zero for everything: the best fit or, without one, the lowest value that the grid or a smooth curve shows.
    if fitted is not None:
        base = fitted.chi2
    elif landscape.is_sound and not landscape.is_flat:
        base = min([base, *(float(minima(values[k], curve[:, None]).value[0]) for k, curve in curves.items())])
    axes = [_axis_profile(scan, landscape, settings, k, values[k], curve - base) for k, curve in curves.items()]
    return Profiles(tuple(axis if fitted is None else _as_fitted(axis, fitted) for axis in axes), base)


def _as_fitted(axis: AxisProfile, fitted: Fitted) -> AxisProfile:
    """Put what was fitted in the place of what the grid shows."""
    if not fitted.has_intervals:
        # Levels mean nothing at such a best fit; a flat profile says so itself.
        return axis if axis.shape is ProfileShape.FLAT else replace(axis, intervals=(None,) * len(SIGMAS))
    # A result of other levels: what the grid shows is all there is for these.
    if any(fitted.regions(axis.name, cl) is None for cl in CLS):
        return axis
    value = fitted.values[axis.name]
    found = [_around(fitted.regions(axis.name, cl) or [], value, sigma) for cl, sigma in zip(CLS, SIGMAS, strict=True)]
    axis = replace(axis, is_fitted=True, intervals=tuple(found))
    # Several places are equally good, and none of them is the minimum.
    if np.isnan(value):
        return replace(axis, shape=ProfileShape.SEVERAL, position=nan, error=nan)
    axis = replace(axis, shape=ProfileShape.MEASURED, edge="", position=value)
    # A fit whose χ² may be a tie above its minimum has stopped within √tie standard deviations of it.
    error = axis.half_width * float(np.sqrt(tie_tolerance(np.array(fitted.chi2), fitted.scan.precision)))
    return replace(axis, error=error if np.isfinite(error) else 0.0)


def _around(regions: Sequence[Region], value: float, sigma: int) -> Interval | None:
    """Choose the region around a value, or the first one."""
    inside = [region for region in regions if not (value < region.lower or value > region.upper)]
    if not inside:
        return None
    return inside[0].as_interval(delta_chi2_level(sigma, 1), [other for other in regions if other is not inside[0]])


def profiled(landscape: Landscape, keep: tuple[int, ...]) -> Array:
    """Minimise χ² over all axes but those to keep.

    Between the grid points only where a curve through them means something.
    """
    chi2 = landscape.chi2.reshape(landscape.grid.shape)
    if landscape.is_sound:
        return profile(tuple(np.array(axis.values) for axis in landscape.grid.axes), chi2, keep)
    # Points that did not converge bend a curve: the lowest value counts, and holes are left out.
    others = tuple(k for k in range(chi2.ndim) if k not in keep)
    lowest = np.min(np.where(np.isnan(chi2), np.inf, chi2), axis=others)
    return np.where(np.isinf(lowest), np.nan, lowest)


def _axis_profile(  # noqa: PLR0913, PLR0917  (all of it describes one curve)
    scan: ScanData, landscape: Landscape, settings: ReportSettings, number: int, x: Array, delta: Array
) -> AxisProfile:
    name, noise = landscape.grid.axes[number].name, landscape.noise
    intervals = tuple(interval(x, delta, delta_chi2_level(n, 1), noise) for n in SIGMAS)
    lowest = _lowest(x, delta, landscape)
    shape, edge = _shape(landscape, delta)
    if shape is ProfileShape.MEASURED and _is_plateau(x, lowest, intervals[0]):
        shape = ProfileShape.PLATEAU
    position, error = _minimum(x, delta, landscape, lowest) if shape is ProfileShape.MEASURED else (nan, nan)
    return AxisProfile(
        name=name,
        unit=scan.unit(name),
        number=number,
        values=x,
        delta_chi2=delta,
        shape=shape,
        edge=edge,
        position=position,
        error=error,
        lowest=lowest,
        intervals=intervals,
        reference=settings.reference.get(name),
        width_rule=settings.gate.width.get(name),
    )


def _shape(landscape: Landscape, delta: Array) -> tuple[ProfileShape, str]:
    known = delta[np.isfinite(delta)]
    if not len(known):
        return ProfileShape.UNKNOWN, ""
    if len(known) > 1 and known.max() - known.min() <= tie_tolerance(np.array(landscape.lowest_chi2)):
        return ProfileShape.FLAT, ""
    index = int(np.nanargmin(delta))
    if index in (0, len(delta) - 1):
        return ProfileShape.EDGE, "upper" if index else "lower"
    before, after = delta[:index], delta[index + 1 :]
    if not (np.isfinite(before).any() and np.isfinite(after).any()):
        return ProfileShape.EDGE, ""
    # The lower of the two rims is how deep the valley is; noise alone makes valleys, too.
    rise = min(np.nanmax(before), np.nanmax(after)) - delta[index]
    return (ProfileShape.MEASURED if rise > landscape.noise else ProfileShape.SHALLOW), ""


def _lowest(x: Array, delta: Array, landscape: Landscape) -> tuple[float, float]:
    """Find the neighbours of the lowest value that are equal to it within the tie tolerance of χ²."""
    if not np.isfinite(delta).any():
        return nan, nan
    is_lowest = delta <= np.nanmin(delta) + tie_tolerance(np.array(landscape.lowest_chi2))
    first, last = stretch(is_lowest, int(np.nanargmin(delta)))
    return float(x[first]), float(x[last])


def _is_plateau(x: Array, lowest: tuple[float, float], one: Interval | None) -> bool:
    """Whether equal values fill so much of the interval at 1σ that none of them is the minimum.

    Two of them may have a minimum between them. On a very fine grid more are equal around a true minimum.
    """
    if one is None or _n_equal(x, lowest) < 3:
        return False
    return lowest[1] - lowest[0] > RESOLVED * _shown_width(x, one)


def _n_equal(x: Array, lowest: tuple[float, float]) -> int:
    return int(np.count_nonzero((x >= lowest[0]) & (x <= lowest[1])))


def _shown_width(x: Array, one: Interval) -> float:
    """Measure what the grid shows of an interval."""
    low = x[0] if one.lower.is_open else one.lower.value
    high = x[-1] if one.upper.is_open else one.upper.value
    return float(high - low)


def _minimum(x: Array, delta: Array, landscape: Landscape, lowest: tuple[float, float]) -> tuple[float, float]:
    """Place the minimum, with the error of that: two curves compared, or half a step where one cannot.

    Where more than two values are equally low, it is in their middle.
    """
    index = int(np.nanargmin(delta))
    step = float(max(x[index] - x[index - 1], x[index + 1] - x[index]))
    around = [index - 1, index, index + 1]
    if not landscape.is_sound or not np.isfinite(delta[around]).all():
        return float(x[index]), step
    if _n_equal(x, lowest) > 2:
        return (lowest[0] + lowest[1]) / 2, (lowest[1] - lowest[0]) / 2
    position = float(minima(x, (delta - np.nanmin(delta))[:, None]).position[0])
    if np.isfinite(delta).sum() < 4:
        return position, step / 2
    # The parabola through three nodes is the other opinion on where the minimum lies; noise moves its slope.
    (before, after), rise = np.diff(x[around]), np.diff(delta[around])
    with np.errstate(all="ignore"):
        slope = rise / (before, after)
        bend = (slope[1] - slope[0]) / (before + after)
        vertex = x[index] - (slope[0] + bend * before) / (2 * bend)
        error = float(abs(vertex - position) + landscape.noise / (2 * bend * step))
    # Numbers that are absurd in a file may overflow.
    return position, error if np.isfinite(error) else step
