"""Everything that the report derives from a file, in one record."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hpcscan.analysis.classes import degrees_of_freedom
from hpcscan.analysis.confidence import Condition, conditions
from hpcscan.analysis.freedom import Freedom, count_freedom
from hpcscan.analysis.landscape import Indices, Landscape
from hpcscan.analysis.plane import Plane, all_planes
from hpcscan.analysis.profiles import Profiles, profile_axes
from hpcscan.dataset.stored import StoredScan
from hpcscan.settings import ReportSettings


@dataclass(frozen=True)
class ActiveBound:
    """A bound that holds χ² up at the lowest point.

    Attributes
    ----------
    parameter, side, unit : str
    value : float
        Of the bound.
    multiplier : float
        dχ²/d(bound).
    cost : float
        |multiplier| × width of the parameter's interval, in units of χ².
    """

    parameter: str
    side: str
    value: float
    unit: str
    multiplier: float
    cost: float


@dataclass(frozen=True)
class Findings:
    """What a scan shows."""

    scan: StoredScan
    settings: ReportSettings
    landscape: Landscape
    freedom: Freedom
    profiles: Profiles
    conditions: tuple[Condition, ...]
    active_bounds: tuple[ActiveBound, ...]

    @property
    def examined(self) -> Indices:
        """Points that are looked at in detail: the lowest one, or all that are equal to it."""
        return self.landscape.equal

    @property
    def n_free(self) -> int:
        """Degrees of freedom of a χ² that has a distribution."""
        return degrees_of_freedom(self.scan, self.freedom)

    @property
    def has_confidence(self) -> bool:
        """Whether levels of Δχ² may be called confidence levels."""
        return all(condition.holds for condition in self.conditions)

    @cached_property
    def planes(self) -> tuple[Plane, ...]:
        """Δχ² over every pair of scanned axes."""
        return all_planes(self)


def study(scan: StoredScan, settings: ReportSettings) -> Findings:
    """Derive everything from a file."""
    landscape = Landscape.of(scan)
    freedom = count_freedom(scan, landscape)
    profiles = profile_axes(scan, landscape, settings)
    judged = conditions(scan, landscape, freedom, profiles, settings.gate)
    return Findings(scan, settings, landscape, freedom, profiles, judged, _active_bounds(scan, landscape))


def _active_bounds(scan: StoredScan, landscape: Landscape) -> tuple[ActiveBound, ...]:
    """List the bounds that hold the lowest point, the most costly first."""
    if landscape.lowest is None:
        return ()
    multiplier = scan.at_points("bound_multiplier")[landscape.lowest]
    lower, upper = scan.variables["parameter_lower"].values, scan.variables["parameter_upper"].values
    value = scan.at_points("profiled_parameter")[landscape.lowest]
    side = scan.at_points("at_bound")[landscape.lowest]
    # The width of an interval with an infinite end is not known; its bound comes first.
    cost = np.abs(multiplier) * np.where(multiplier != 0, upper - lower, 0)
    order = [int(j) for j in np.argsort(-cost, kind="stable") if cost[j] > 0]
    names, units = scan.labels("parameter"), [str(unit) for unit in scan.variables["parameter_unit"].values]
    return tuple(
        ActiveBound(
            parameter=names[j],
            side="lower" if side[j] < 0 else "upper",
            value=float(value[j]),
            unit="" if units[j] == "1" else units[j],
            multiplier=float(multiplier[j]),
            cost=float(cost[j]),
        )
        for j in order
    )
