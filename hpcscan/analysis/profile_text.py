"""The minimum and the intervals of a profile in words."""

from __future__ import annotations

from math import isfinite

from hpcscan.analysis.interval import End, Interval
from hpcscan.analysis.profiles import AxisProfile, ProfileShape
from hpcscan.words.numbers import rounded, rounded_ends, rounded_up, with_unit

#: Sides of an asymmetric interval, read off a grid, differ by more than this share of its half-width.
ASYMMETRY = 0.1
#: A numerical error below this share of the half-width is not worth a word.
NEGLIGIBLE = 1e-2


def minimum_text(profile: AxisProfile) -> str:
    """Describe where the minimum of a profile is, or why there is none."""
    if profile.is_measured:
        # What was fitted to a hundredth of its width needs no word on its error.
        is_exact = profile.is_fitted and not profile.error >= NEGLIGIBLE * profile.half_width
        error = f" (numerical error {rounded_up(profile.error)})" if profile.error > 0 and not is_exact else ""
        return with_unit(f"{profile.name} = {rounded(profile.position, _digits(profile))}", profile.unit) + error
    if profile.shape is ProfileShape.EDGE and profile.edge:
        return f"none: chi2 is lowest at the {profile.edge} end of {profile.name}"
    if profile.shape is ProfileShape.EDGE:
        return "none: points beside the lowest one are missing"
    # Equal values are a range, not a minimum; its ends are known to a cell, not to digits.
    if profile.shape is ProfileShape.PLATEAU:
        first, last = (rounded(value, profile.half_width / 100) for value in profile.lowest)
        return f"none: every value from {with_unit(f'{first} to {last}', profile.unit)} is as good"
    return f"none: {profile.shape.value}"


def _digits(profile: AxisProfile) -> float:
    """Error to which the position of a minimum is rounded."""
    return max(profile.error, profile.half_width / 1000 if isfinite(profile.half_width) else 0)


def interval_text(profile: AxisProfile, found: Interval | None) -> str:
    """Write value ± width, or what is there instead."""
    if profile.shape is ProfileShape.UNKNOWN:
        return "none"
    if found is None:
        return "not resolved: no value of the grid is below this level"
    if profile.shape is ProfileShape.FLAT:
        return "none: every value of the grid is as good"
    return _some_interval(profile, found) + _others(profile, found)


def _some_interval(profile: AxisProfile, found: Interval) -> str:
    if found.lower.is_open and found.upper.is_open:
        return f"not limited{_where_looked(found)}"
    if profile.shape is ProfileShape.EDGE and profile.edge:
        return _at_edge(profile, found)
    if found.lower.is_open or found.upper.is_open:
        return _half_open(profile, found)
    if not profile.is_measured:
        return f"{_stretch(profile, (found.lower, found.upper))}, around no single minimum"
    return _both_ends(profile, found)


def _where_looked(found: Interval) -> str:
    """Describe the range in which neither end reaches the level, or what hides them."""
    reasons = {found.lower.reason, found.upper.reason}
    if "hole" in reasons:
        return ": points are missing"
    ranges = {"edge": "the grid", "bound": "the declared bounds"}
    return f" within {' and '.join(text for reason, text in ranges.items() if reason in reasons)}"


def _reason(reason: str) -> str:
    return {"edge": "the grid ends", "hole": "points are missing", "bound": "it may not go further"}[reason]


def _end(profile: AxisProfile, found: Interval, lower: bool) -> str:
    end = found.lower if lower else found.upper
    return rounded(end.value, max(end.error, profile.half_width / 100))


def _at_edge(profile: AxisProfile, found: Interval) -> str:
    """Describe how far from the edge, at which χ² is lowest, it has risen to the level."""
    end, edge = (found.lower, profile.values[-1]) if profile.edge == "upper" else (found.upper, profile.values[0])
    distance = abs(end.value - edge)
    text = f"open towards the {profile.edge} edge"
    if end.is_open:
        return f"{text}; {_reason(end.reason)} before the level is reached"
    error = f"numerical error {rounded_up(end.error)}"
    return f"{text}; reached {with_unit(f'{distance:.2g}', profile.unit)} before it ({error})"


def _half_open(profile: AxisProfile, found: Interval) -> str:
    side, sign, reason = ("lower", "<", found.lower.reason) if found.lower.is_open else ("upper", ">", "")
    end = _end(profile, found, lower=side == "upper")
    reason = reason or found.upper.reason
    text = f"{profile.name} {sign} {with_unit(end, profile.unit)}, open towards the {side} edge"
    why = {"hole": ", where points are missing", "bound": ", where a bound is declared"}
    return text + why.get(reason, "")


def _both_ends(profile: AxisProfile, found: Interval) -> str:
    # Written to two digits of the width, and to none below the numerical error.
    down, up = profile.position - found.lower.value, found.upper.value - profile.position
    width, error = (up + down) / 2, max(found.lower.error, found.upper.error, profile.error)
    value, above, below, symmetric = rounded_ends(profile.position, down, up, error)
    # What was fitted is written once only where both sides look the same.
    is_symmetric = above == below if profile.is_fitted else abs(up - down) <= ASYMMETRY * width + 2 * error
    text = with_unit(f"{value} ± {symmetric}" if is_symmetric else f"{value} +{above} −{below}", profile.unit)
    is_exact = profile.is_fitted and error < NEGLIGIBLE * width
    return text if is_exact else f"{text} (numerical error {rounded_up(error)})"


def _others(profile: AxisProfile, found: Interval) -> str:
    """Format what else is below the level."""
    if not found.n_others:
        return ""
    if found.regions:
        return f"; and {' and '.join(_stretch(profile, ends) for ends in found.regions)}"
    values = "value of the grid lies" if found.n_others == 1 else "values of the grid lie"
    return f"; {found.n_others:,} more {values} below the level outside it"


def _stretch(profile: AxisProfile, ends: tuple[End, End]) -> str:
    """Write the ends of another region, two digits of its width."""
    lower, upper = ends
    width = abs(upper.value - lower.value)
    shown = max(lower.error, upper.error, (width if isfinite(width) else profile.half_width) / 20)
    if lower.is_open and upper.is_open:
        return "all that is looked at"
    if lower.is_open or upper.is_open:
        end, sign = (upper, "<") if lower.is_open else (lower, ">")
        return f"{profile.name} {sign} {with_unit(rounded(end.value, shown), profile.unit)}"
    return with_unit(f"{rounded(lower.value, shown)} to {rounded(upper.value, shown)}", profile.unit)
