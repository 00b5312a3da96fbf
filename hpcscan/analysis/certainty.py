"""How far the minima of a scan are proven, and what in it deserves suspicion."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hpcscan.analysis.landscape import Landscape
from hpcscan.arrays import BoolArray
from hpcscan.dataset.scan import ScanData
from hpcscan.fitting.evidence import LEAST_FRESH, LEAST_HITS, is_agreed
from hpcscan.fitting.records import UNTRIED
from hpcscan.fitting.records import Evidence as Why
from hpcscan.tolerance import contradicts_bound, is_gap_closed, tie_tolerance


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
class Unconverged:
    """Points that were fitted and have not converged, for one reason.

    Attributes
    ----------
    points : bool array, shape (n_points,)
    why : str
        What they lack, and what helps.
    """

    points: BoolArray
    why: str


def unconverged(scan: ScanData, landscape: Landscape) -> list[Unconverged]:
    """Sort the points that have not converged by what they lack."""
    left, found = landscape.status.are("not_converged"), list[Unconverged]()
    # A point belongs to the first reason that it has.
    for points, why in _reasons(scan, landscape):
        if (left & points).any():
            found.append(Unconverged(left & points, why))
        left = left & ~points
    return found


def _reasons(scan: ScanData, landscape: Landscape) -> Iterator[tuple[BoolArray, str]]:
    """Return reasons with the points that have them, those that explain others first."""
    every, chi2 = np.ones(len(landscape.chi2), bool), landscape.chi2
    if not (scan.has("n_fresh") and scan.has("start_status")):
        yield every, "the starts do not agree or ran out of iterations: raise fit.starts or fit.max_iter"
        return
    n_starts, n_fresh, n_hits, why = (scan.at_points(name) for name in ("n_starts", "n_fresh", "n_hits", "evidence"))
    # What is wrong with the fit itself.
    yield (
        ~(landscape.edm <= tie_tolerance(chi2, landscape.precision)),
        "the fit stops before its minimum: raise fit.max_iter; where that changes nothing, chi2 is not smooth there, "
        "or a start range is far wider than the values of its parameter",
    )
    yield np.isin(why, (Why.AGREED, Why.PROVEN)), "the run ends before it meets its own tolerance: raise fit.max_iter"
    yield contradicts_bound(chi2, chi2 - landscape.gap), "chi2 is below its proven bound, so that no start counts"
    # Then what is wrong with its starts.
    lower, upper = (scan.variables[f"parameter_start_{side}"].values for side in ("lower", "upper"))
    yield every & bool((lower == upper).all()), "all starts begin at one place: give the parameters start ranges"
    most = scan.at_points("start_status").shape[1]
    yield (
        every & (most == 1),
        "a single run per point has nobody to agree with: write fit.method: multistart with fit.starts: auto",
    )
    few = f"fewer than {LEAST_FRESH} fresh starts of the point and its neighbours ran, which agree with nobody"
    yield (n_fresh < LEAST_FRESH) & (n_starts < most), f"{few}: raise fit.fresh_starts, or leave it out"
    yield n_fresh < LEAST_FRESH, f"{few}: write fit.starts: auto, or a number from {LEAST_FRESH} on"
    yield (
        ~is_agreed(n_fresh, n_hits),
        f"too few fresh starts end at the minimum (wanted: {LEAST_HITS}, and a fifth of all): narrow the start "
        f"ranges, or raise fit.starts, such as to {{min: {2 * most}, max: {8 * most}}}",
    )
    yield (
        every,
        "the starts agree on a plateau, where fewer parameters matter than elsewhere: narrow the start ranges to where "
        "all of them do",
    )


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
