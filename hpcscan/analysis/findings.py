"""Everything that a scan shows, derived once and in one record; and its best fit, as fitted or as the grid shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import nan

import numpy as np

from hpcscan.analysis.certainty import ActiveBound, EvidenceSummary, active_bounds, evidence
from hpcscan.analysis.confidence import Conditions, conditions
from hpcscan.analysis.fitted import Fitted
from hpcscan.analysis.goodness import Freedom, count_freedom, degrees_of_freedom
from hpcscan.analysis.landscape import Indices, Landscape
from hpcscan.analysis.planes import Plane, all_planes
from hpcscan.analysis.profiles import AxisProfile, Profiles, profile_axes
from hpcscan.analysis.toy_results import Toys
from hpcscan.dataset.scan import ScanData
from hpcscan.distribution import survival
from hpcscan.settings import ReportSettings

FITTED = "fitted"

INTERPOLATED = "interpolated between grid points"

ONE_POINT = "the only grid point"

LOWEST_POINT = "the lowest grid point: there is no minimum inside the grid in every axis"


@dataclass(frozen=True)
class Findings:
    """What a scan shows."""

    scan: ScanData
    settings: ReportSettings
    landscape: Landscape
    freedom: Freedom
    profiles: Profiles
    conditions: Conditions
    evidence: EvidenceSummary
    active_bounds: tuple[ActiveBound, ...]
    fitted: Fitted | None = None
    toys: Toys | None = None

    @property
    def examined(self) -> Indices:
        """Points that are looked at in detail: the lowest one, or all that are equal to it."""
        return self.landscape.equal

    @property
    def chi2(self) -> float:
        """χ² that is judged: that of the best fit or, without one, of the lowest point."""
        return self.landscape.lowest_chi2 if self.fitted is None else self.fitted.chi2

    @property
    def n_free(self) -> int:
        """Degrees of freedom of a χ² that has a distribution."""
        return degrees_of_freedom(self.scan, self.freedom) if self.fitted is None else self.fitted.n_dof

    @property
    def has_confidence(self) -> bool:
        """Whether levels of Δχ² may be called confidence levels."""
        return not self.conditions.missing

    @cached_property
    def planes(self) -> tuple[Plane, ...]:
        """Δχ² over every pair of scanned axes."""
        return all_planes(self.landscape, self.profiles, self.fitted)


def study(scan: ScanData, settings: ReportSettings) -> Findings:
    """Derive everything from a scan."""
    landscape = Landscape.of(scan)
    freedom = count_freedom(scan, landscape)
    profiles = profile_axes(scan, landscape, settings)
    # What follows from the fits after the grid, and from toys, where there are any.
    fitted, toys, active = Fitted.of(scan), Toys.of(scan), active_bounds(scan, landscape)
    judged = conditions(scan, landscape, freedom, profiles, active, settings.gate, fitted, toys)
    proven = evidence(scan, landscape, settings.gate.gap)
    return Findings(scan, settings, landscape, freedom, profiles, judged, proven, active, fitted, toys)


@dataclass(frozen=True)
class BestFit:
    """The best fit of a scan or, where none was fitted after the grid, what the grid shows of it.

    Attributes
    ----------
    chi2 : float
        The lowest known χ².
    parameters : mapping of str to float
        Scanned, fixed and profiled parameters, and scales; NaN where the data determine no value. From the grid alone,
        the profiled ones are those of the lowest point.
    errors : mapping of str to (float, float)
        Distances from a parameter down (negative) and up to where Δχ² = 1; NaN where it is not reached. From the grid
        alone, those of the scanned ones.
    covariance : mapping of str to mapping of str to float
        By two names; NaN where there is none, empty from the grid alone.
    n_dof : int
        Degrees of freedom; 0 where there are none, or σ is a tolerance.
    p_value : float
        NaN without degrees of freedom.
    evidence : {"proven", "agreed", "unique", "none"}
        Why it is the minimum: enough random starts agree; from the grid alone, why the lowest point is, there.
    source : str
        Where these values come from: "fitted", or how they were read off the grid.
    remark : str
        What is not said, and why; empty where everything is.
    """

    chi2: float
    parameters: Mapping[str, float]
    errors: Mapping[str, tuple[float, float]]
    covariance: Mapping[str, Mapping[str, float]]
    n_dof: int
    p_value: float
    evidence: str
    source: str
    remark: str = ""


def best_fit(findings: Findings, fixed: Mapping[str, float]) -> BestFit:
    """Describe the best fit of a scan, some of whose parameters have fixed values."""
    lowest, chi2, n_dof = findings.landscape.lowest, findings.profiles.base, findings.n_free
    p_value, evidence = survival(chi2, n_dof) if n_dof and lowest is not None else nan, _evidence(findings)
    # What was fitted with everything free is the best fit; the grid is only what leads there.
    if (fitted := findings.fitted) is not None:
        rows = zip(fitted.names, fitted.covariance.tolist(), strict=True)
        covariance = {name: dict(zip(fitted.names, row, strict=True)) for name, row in rows}
        values = {**fixed, **fitted.values}
        why = fitted.evidence
        return BestFit(chi2, values, fitted.errors, covariance, n_dof, p_value, why, FITTED, fitted.sentence)
    # Without it, the minimum between grid points is quoted only where every axis has one.
    is_inside = lowest is not None and all(axis.is_measured for axis in findings.profiles.axes)
    return BestFit(
        chi2=chi2,
        parameters={} if lowest is None else _values_at(findings, lowest, fixed),
        errors={axis.name: _errors(axis) for axis in findings.profiles.axes},
        covariance={},
        n_dof=n_dof,
        p_value=p_value,
        evidence=evidence,
        source=ONE_POINT if not findings.profiles.axes else INTERPOLATED if is_inside else LOWEST_POINT,
    )


def _values_at(findings: Findings, point: int, fixed: Mapping[str, float]) -> dict[str, float]:
    data = findings.scan
    values = dict(zip((axis.name for axis in data.grid.axes), data.grid.points([point])[0].tolist(), strict=True))
    values |= fixed
    # A minimum between grid points replaces the coordinate of the lowest one.
    values |= {axis.name: axis.position for axis in findings.profiles.axes if axis.is_measured}
    # Profiled parameters and scales are known at grid points alone.
    profiled = data.at_points("profiled_parameter")[point].tolist()
    values |= dict(zip(data.labels("parameter"), profiled, strict=True))
    return values | {name: float(data.at_points(f"{name}_opt")[point]) for name in data.scales}


def _evidence(findings: Findings) -> str:
    landscape = findings.landscape
    if landscape.lowest is None or not landscape.converged[landscape.lowest]:
        return "none"
    # A point that converged without a bound has done so because its starts agree.
    return "agreed" if np.isnan(landscape.gap[landscape.lowest]) else "proven"


def _errors(axis: AxisProfile) -> tuple[float, float]:
    one = axis.intervals[0]
    if one is None or not axis.is_measured:
        return nan, nan
    return one.lower.value - axis.position, one.upper.value - axis.position
