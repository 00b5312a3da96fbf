"""Everything that a scan shows, derived once and in one record."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from hpcscan.analysis.certainty import ActiveBound, EvidenceSummary, active_bounds, evidence
from hpcscan.analysis.confidence import Conditions, conditions
from hpcscan.analysis.fitted import Fitted
from hpcscan.analysis.goodness import Freedom, count_freedom, degrees_of_freedom
from hpcscan.analysis.landscape import Indices, Landscape
from hpcscan.analysis.planes import Plane, all_planes
from hpcscan.analysis.profiles import Profiles, profile_axes
from hpcscan.analysis.toy_results import Toys
from hpcscan.dataset.scan import ScanData
from hpcscan.settings import ReportSettings


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
