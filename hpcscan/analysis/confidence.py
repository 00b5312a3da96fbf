"""Whether levels of Δχ² may be called confidence levels: one condition after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hpcscan.analysis.certainty import ActiveBound
from hpcscan.analysis.fitted import Fitted
from hpcscan.analysis.goodness import Freedom, chi2_class, counts_warning, degrees_of_freedom
from hpcscan.analysis.landscape import Landscape
from hpcscan.analysis.profiles import AxisProfile, Profiles
from hpcscan.analysis.toy_results import Toys, comparison_text
from hpcscan.dataset.scan import ScanData
from hpcscan.distribution import delta_chi2_level
from hpcscan.settings import AnswerSettings, GateSettings
from hpcscan.tolerance import is_gap_closed
from hpcscan.words.numbers import count, rounded_up, with_unit


@dataclass(frozen=True)
class Condition:
    """One condition.

    Attributes
    ----------
    holds : bool or None
        None where it is not known; it counts as failed.
    text : str
        What was found.
    """

    name: str
    holds: bool | None
    text: str


@dataclass(frozen=True)
class Conditions:
    """All conditions under which levels of Δχ² are confidence levels.

    Attributes
    ----------
    whole : Condition
        Every point converged, and none is out of line.
    inside : Condition
        Every scanned axis has a minimum inside the grid, with Δχ² = 1 reached on both sides.
    fine : Condition
        The values around each such minimum lie close enough.
    acceptable : Condition
        The lowest χ² is what a correct model may have.
    identified : Condition
        The data determine the scanned axes.
    unbounded : Condition
        No bound of a parameter raises χ² inside the outermost contour, or cuts it off.
    minimal : Condition
        There, every minimum is proven or agreed on.
    covering : Condition
        Toys, where there are any, have the same critical values.
    """

    whole: Condition
    inside: Condition
    fine: Condition
    acceptable: Condition
    identified: Condition
    unbounded: Condition
    minimal: Condition
    covering: Condition

    @property
    def missing(self) -> tuple[Condition, ...]:
        """Those that do not hold, or of which that is not known."""
        found: tuple[Condition, ...] = tuple(vars(self).values())
        return tuple(condition for condition in found if condition.holds is not True)


def conditions(  # noqa: PLR0913, PLR0917  (all of it bears on the levels)
    scan: ScanData,
    landscape: Landscape,
    freedom: Freedom,
    profiles: Profiles,
    active: Sequence[ActiveBound],
    gate: GateSettings,
    fitted: Fitted | None = None,
    toys: Toys | None = None,
) -> Conditions:
    """Judge all conditions."""
    inside = _inside(landscape, profiles)
    # The best fit is judged where there is one; a grid point is never better than that.
    chi2 = landscape.lowest_chi2 if fitted is None else fitted.chi2
    n_free = degrees_of_freedom(scan, freedom) if fitted is None else fitted.n_dof
    return Conditions(
        _whole(landscape),
        _minimum_inside(profiles),
        _fine(landscape, profiles),
        _acceptable(scan, landscape, chi2, n_free, gate),
        _identified(freedom, profiles, fitted),
        _no_bound(scan, inside, active, ends_at_bounds(profiles, fitted)),
        _closed(landscape, inside, gate.gap),
        _covering(toys, gate),
    )


def _inside(landscape: Landscape, profiles: Profiles) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Points inside the outermost contour."""
    # 3σ for as many parameters as a contour has: one or two.
    level = delta_chi2_level(3, max(1, min(2, len(landscape.scanned))))
    return np.flatnonzero(landscape.chi2 - profiles.base <= level)


def _whole(landscape: Landscape) -> Condition:
    """Judge the grid: a point that failed may hide a lower minimum, and one that did not converge bends every curve."""
    n, n_points = int(landscape.converged.sum()), landscape.grid.n_points
    out_of_line = f", {int(landscape.out_of_line.sum()):,} out of line" if landscape.out_of_line.any() else ""
    holds = n == n_points and landscape.is_sound
    return Condition("every point converged", holds, f"{n:,} of {n_points:,}{out_of_line}")


def _minimum_inside(profiles: Profiles) -> Condition:
    missing = [f"{axis.name}: {_why_not_inside(axis)}" for axis in profiles.axes if axis not in profiles.closed]
    if not profiles.axes:
        return Condition("a minimum in every axis", True, "nothing is scanned")
    return Condition("a minimum in every axis", not missing, "; ".join(missing) or "inside the grid")


def _why_not_inside(axis: AxisProfile) -> str:
    return "the grid ends before delta chi2 = 1" if axis.is_measured else axis.shape.value


def _fine(landscape: Landscape, profiles: Profiles) -> Condition:
    """Judge whether the values between which a curve is drawn lie close enough around every minimum."""
    name = "the grid is fine enough"
    if not landscape.is_sound:
        # A curve through such points has no error to be judged; the first condition has failed then.
        return Condition(name, True, "not judged, because points did not converge or are out of line")
    if profiles.coarse:
        return Condition(name, False, "; ".join(map(_coarse_text, profiles.coarse)))
    names = " and ".join(axis.name for axis in profiles.closed)
    return Condition(name, True, f"around the minimum in {names}" if names else "no minimum is enclosed by the grid")


def _coarse_text(axis: AxisProfile) -> str:
    if not axis.is_enclosed:
        return f"{axis.name}: no value of the grid is within delta chi2 = 1"
    error, width = rounded_up(axis.interval_error), f"{axis.half_width:.2g}"
    return f"{axis.name}: numerical error {with_unit(error, axis.unit)}, half-width {with_unit(width, axis.unit)}"


def _acceptable(scan: ScanData, landscape: Landscape, chi2: float, n_free: int, gate: GateSettings) -> Condition:
    if scan.is_scalar:
        return Condition("the model fits", True, "not tested: a number alone has no goodness of fit")
    warning = counts_warning(scan, landscape.equal)
    found = chi2_class(chi2, gate, n_free, has_tolerances=scan.has_tolerances, warning=warning)
    if found.is_acceptable is None:
        return Condition("the model fits", True, f"not tested: chi2 = {found.text}")
    return Condition("the lowest chi2 is acceptable", found.is_acceptable, found.text)


def _identified(freedom: Freedom, profiles: Profiles, fitted: Fitted | None) -> Condition:
    """Judge the axes at the best fit; where there is none, at the lowest points of the grid."""
    name = "the data determine the axes"
    if fitted is None or not fitted.has_intervals:
        return Condition(name, freedom.has_identified_axes, freedom.axes_text)
    names = [axis.name for axis in profiles.axes]
    missing = [one for one in names if one in fitted.undetermined]
    text = f"{len(names) - len(missing)} of {len(names)} at the best fit"
    return Condition(name, not missing, f"{text}, not {' and '.join(missing)}" if missing else text)


def _no_bound(
    scan: ScanData,
    inside: np.ndarray[tuple[int], np.dtype[np.intp]],
    active: Sequence[ActiveBound],
    ends_at_bounds: Sequence[str],
) -> Condition:
    """List the bounds inside the contour: of scanned parameters, then the most frequent first, then the most costly."""
    name = "no bound is inside the contour"
    if not len(inside):
        return Condition(name, None, "no point has a chi2")
    is_held = scan.at_points("bound_multiplier")[inside] != 0
    # `active` is sorted by cost already.
    ranks = {bound.parameter: rank for rank, bound in enumerate(active)}
    n_at = sorted(
        zip(scan.labels("parameter"), is_held.sum(axis=0).tolist(), strict=True),
        key=lambda item: (-item[1], ranks.get(item[0], len(ranks))),
    )
    held = [f"{label} at {n:,}" for label, n in n_at if n]
    texts = [*ends_at_bounds, *([f"active among {count(len(inside), 'point')}: {', '.join(held)}"] if held else [])]
    return Condition(name, not texts, "; ".join(texts) or "none is active")


def ends_at_bounds(profiles: Profiles, fitted: Fitted | None) -> list[str]:
    """List the declared bounds of scanned parameters at which their 3σ regions end."""
    if fitted is None:
        return []
    cl = AnswerSettings().cl[-1]
    regions = [(axis.name, region) for axis in profiles.axes for region in fitted.regions(axis.name, cl) or ()]
    ends = [
        (name, value)
        for name, region in regions
        for value, kind in ((region.lower, region.lower_end), (region.upper, region.upper_end))
        if kind == "bound"
    ]
    return [f"{name} ends at its bound {value:.6g} within 3σ" for name, value in ends]


def _closed(landscape: Landscape, inside: np.ndarray[tuple[int], np.dtype[np.intp]], most: float) -> Condition:
    """Every minimum inside is proven or, where the model offers no bound, agreed on by starts."""
    name = "the minima inside the contour are the minima"
    gap = landscape.gap[inside]
    if not len(inside):
        return Condition(name, None, "no point has a chi2")
    chi2, n_without = landscape.chi2[inside], int(np.isnan(gap).sum())
    closed = is_gap_closed(chi2, chi2 - gap, most=most)
    # Without a bound, a point converges only where its starts agree.
    agreed = np.isnan(gap) & landscape.converged[inside]
    n_bad = int((~(closed | agreed)).sum())
    if n_bad:
        return Condition(name, False, f"{n_bad:,} of {len(inside):,} are neither proven nor agreed on by two starts")
    if n_without:
        return Condition(name, True, f"agreed on by at least two starts, not proven, at {count(n_without, 'point')}")
    return Condition(name, True, f"proven at {count(len(inside), 'point')}")


def _covering(toys: Toys | None, gate: GateSettings) -> Condition:
    """Judge Wilks' levels by the critical values of toys."""
    name = "toys confirm the levels"
    if toys is None or toys.refusal:
        return Condition(name, True, "no toys were made")
    if not toys.comparisons:
        return Condition(name, None, "they give no critical value at any point")
    wrong = [one for one in toys.comparisons if not one.is_right(gate.wilks)]
    # What is wrong is told alone; where nothing is, everything is told.
    text = "; ".join(comparison_text(one, toys, gate.wilks) for one in wrong or toys.comparisons)
    is_told = all(one.is_told(gate.wilks) for one in toys.comparisons)
    return Condition(name, False if wrong else is_told or None, text)
