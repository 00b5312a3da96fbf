"""How far the minima of a scan are proven, and what in it deserves suspicion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hpcscan.analysis.landscape import Landscape
from hpcscan.dataset.scan import ScanData
from hpcscan.fitting.records import UNTRIED
from hpcscan.fitting.records import Evidence as Why
from hpcscan.tolerance import contradicts_bound, is_gap_closed


@dataclass(frozen=True)
class EvidenceSummary:
    """How far the minima of a scan are proven.

    Attributes
    ----------
    n_known : int
        Points with a χ².
    n_converged : int
        Points that converged.
    n_bounded : int
        Points with a χ² and a proven lower bound.
    n_closed : int
        Those whose χ² is that bound, within the tolerance.
    n_agreed : int
        Those without a proof at which enough starts agree.
    least_fresh : int
        Fresh starts behind an agreement, at least; 0 where there is none, or where they were not counted.
    n_unique : int
        Those without a proof whose minimum is shown to be the only one near, whether starts agree or not.
    least_within : float
        Standard deviations within which it is, at least; NaN where there are none.
    n_contradicted : int
        Those whose χ² is below it: there the ranges that the model offers are wrong.
    median_gap : float
        Of χ² above its lower bound where it is neither closed nor contradicted; NaN where there is none.
    largest_gap, lowest_gap : float
        Over all bounded points; NaN where there is none.
    """

    n_known: int
    n_converged: int
    n_bounded: int
    n_closed: int
    n_agreed: int
    least_fresh: int
    n_unique: int
    least_within: float
    n_contradicted: int
    median_gap: float
    largest_gap: float
    lowest_gap: float

    @property
    def is_proven(self) -> bool:
        """Whether the minimum is proven at every point with a χ²."""
        return 0 < self.n_known == self.n_closed

    @property
    def is_supported(self) -> bool:
        """Whether the minimum is proven or agreed at every point with a χ²."""
        return 0 < self.n_known == self.n_closed + self.n_agreed


def evidence(scan: ScanData, landscape: Landscape, gap: float) -> EvidenceSummary:
    """Count the points whose minimum is proven, and measure the gaps of the others.

    Parameters
    ----------
    gap : float
        Largest χ² above a lower bound that counts as proven; the tie tolerance of χ² is always allowed.
    """
    chi2, gaps = landscape.chi2[landscape.known], landscape.gap[landscape.known]
    is_bounded = ~np.isnan(gaps)
    # A gap is χ² minus its bound: so the bound is χ² minus the gap.
    is_below = contradicts_bound(chi2, chi2 - gaps)
    is_closed = is_gap_closed(chi2, chi2 - gaps, most=gap)
    is_open = is_bounded & ~is_below & ~is_closed
    bounded = gaps[is_bounded]
    # A result of another program may lack the count of fresh starts, or the reason.
    why = scan.at_points("evidence")[landscape.known] if scan.has("evidence") else np.zeros(len(chi2))
    is_agreed = (why == Why.AGREED) & ~is_closed
    within = scan.at_points("unique_within")[landscape.known] if scan.has("unique_within") else np.zeros(len(chi2))
    is_unique = (within > 0) & ~is_closed & ~is_below
    fresh = scan.at_points("n_fresh")[landscape.known] if scan.has("n_fresh") else np.zeros(len(chi2))
    return EvidenceSummary(
        n_known=len(chi2),
        n_converged=int(landscape.converged.sum()),
        n_bounded=len(bounded),
        n_closed=int(is_closed.sum()),
        n_agreed=int(is_agreed.sum()),
        least_fresh=int(fresh[is_agreed].min()) if is_agreed.any() else 0,
        n_unique=int(is_unique.sum()),
        least_within=float(within[is_unique].min()) if is_unique.any() else np.nan,
        n_contradicted=int(is_below.sum()),
        median_gap=float(np.median(gaps[is_open])) if is_open.any() else np.nan,
        largest_gap=float(bounded.max()) if len(bounded) else np.nan,
        lowest_gap=float(bounded.min()) if len(bounded) else np.nan,
    )


def n_untried(scan: ScanData) -> int:
    """Return the number of points that improved when waves of repair ran out."""
    return int(np.count_nonzero(scan.at_points("repaired") == UNTRIED))


@dataclass(frozen=True)
class ActiveBound:
    """A bound that holds χ² up at the lowest point.

    Attributes
    ----------
    value : float
        Of the bound.
    multiplier : float
        dχ²/d(bound).
    cost : float
        |multiplier| × width of the range from which the parameter's starts are drawn, in units of χ²: finite also
        where the other bound is infinite.
    """

    parameter: str
    side: str
    value: float
    unit: str
    multiplier: float
    cost: float


def active_bounds(scan: ScanData, landscape: Landscape) -> tuple[ActiveBound, ...]:
    """List the bounds that hold the lowest point, the most costly first."""
    if landscape.lowest is None:
        return ()
    at_lowest = {
        name: scan.at_points(name)[landscape.lowest] for name in ("bound_multiplier", "at_bound", "profiled_parameter")
    }
    lower, upper = (scan.variables[f"parameter_start_{side}"].values for side in ("lower", "upper"))
    # dχ²/d(bound) × range: by how much χ² would fall, to first order, if the bound moved by a whole range.
    cost = np.abs(at_lowest["bound_multiplier"]) * (upper - lower)
    names, units = scan.labels("parameter"), scan.units("parameter")
    return tuple(
        ActiveBound(
            parameter=names[j],
            side="lower" if at_lowest["at_bound"][j] < 0 else "upper",
            value=float(at_lowest["profiled_parameter"][j]),
            unit=units[j],
            multiplier=float(at_lowest["bound_multiplier"][j]),
            cost=float(cost[j]),
        )
        for j in np.argsort(-cost, kind="stable")
        if cost[j] > 0
    )
