"""The values of a scan axis, from min, max, points and spacing or from a list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import pairwise
from math import prod

import numpy as np

from hpcscan.arrays import Array
from hpcscan.config.nodes import shown
from hpcscan.errors import Mistake
from hpcscan.grid import round_to_digits
from hpcscan.settings import MAX_AXIS_POINTS, MAX_GRID_POINTS, AxisSettings

#: The keys of a range; an axis has all of them, or `values`.
RANGE = ("min", "max", "points")


def axis_problems(axis: str, given: AxisSettings) -> list[Mistake]:
    """Say what is wrong with an axis, at the dotted names of its keys.

    Parameters
    ----------
    axis : str
    given : AxisSettings
    """
    problems = _list_problems(given) if given.values is not None else _range_problems(given)
    return [Mistake(f"scan.{axis}{key}", f"scan.{axis}{key}: {message}") for key, message in problems]


def _list_problems(given: AxisSettings) -> Iterator[tuple[str, str]]:
    extra = [name for name in (*RANGE, "spacing") if getattr(given, name) is not None]
    if extra:
        yield ".values", f"values cannot be combined with {', '.join(extra)}; keep one of them"
    values = given.values or ()
    if len(values) > MAX_AXIS_POINTS:
        yield ".values", f"more than {MAX_AXIS_POINTS} values"
    rounded = round_to_digits(values)
    for place, (before, value) in enumerate(pairwise(rounded), 1):
        if value == before:
            yield f".values.{place}", f"{value!r} is there twice, to 12 digits; remove one"
        elif value < before:
            yield f".values.{place}", f"{value!r} comes after {before!r}; write the values in increasing order"


def _range_problems(given: AxisSettings) -> Iterator[tuple[str, str]]:
    low, high, points = given.min, given.max, given.points
    if low is None or high is None or points is None:
        missing = [name for name in RANGE if getattr(given, name) is None]
        what = "give min, max and points, or values: [...]"
        if missing == ["min", "max"]:
            what = f"{what}; points alone are for a parameter with finite bounds in the model, which this one has not"
        yield "", f"{', '.join(missing)} missing; {what}"
        return
    if low > high:
        yield ".min", f"min {low!r} is above max {high!r}; swap them"
    elif low < high and points == 1:
        yield ".points", f"one point does not reach from {low!r} to {high!r}; use values: [...]"
    elif low == high and points > 1:
        yield ".points", f"min and max are both {low!r}, which is one point, not {points}; use values: [{low!r}]"
    elif given.spacing == "log" and low <= 0:
        yield ".min", f"log spacing needs min above 0, found {low!r}"
    elif not _is_increasing(axis_values(given)):
        yield ".points", f"{points} points between {low!r} and {high!r} are not distinct finite numbers of 12 digits"


def _is_increasing(values: tuple[float, ...]) -> bool:
    return bool(np.all(np.isfinite(values)) and np.all(np.diff(values) > 0))


def within_bounds(given: AxisSettings, lower: float, upper: float) -> AxisSettings:
    """Let an axis of which only the number of points is given reach over the bounds that the model declares."""
    if given.points is None or given.values is not None or not np.isfinite([lower, upper]).all():
        return given
    ends = {"min": given.min, "max": given.max}
    return given if any(end is not None for end in ends.values()) else replace(given, min=lower, max=upper)


def n_axis_points(given: AxisSettings) -> int:
    """Count the values of an axis without making them."""
    return len(given.values) if given.values is not None else given.points or 1


def size_problem(counts: Mapping[str, int]) -> Mistake | None:
    """Say that the grid has too many points, or None."""
    if prod(counts.values()) <= MAX_GRID_POINTS:
        return None
    product = shown(" × ".join(f"{n} ({axis})" for axis, n in counts.items()))
    return Mistake("scan", f"scan: {product} points; at most {MAX_GRID_POINTS} are possible")


def axis_values(given: AxisSettings) -> tuple[float, ...]:
    """Compute the values of an axis, rounded to 12 significant digits."""
    if given.values is not None:
        return round_to_digits(given.values)
    low, high, points = given.min, given.max, given.points
    assert low is not None
    assert high is not None
    assert points is not None
    with np.errstate(all="ignore"):
        values = np.geomspace(low, high, points) if given.spacing == "log" else _linear(low, high, points)
    return round_to_digits(values)


def _linear(low: float, high: float, points: int) -> Array:
    """Space evenly, with an exact zero where the sum of steps leaves a remainder of rounding."""
    values = np.linspace(low, high, points)
    inside = values[1:-1]
    inside[np.abs(inside) < 1e-12 * max(abs(low), abs(high))] = 0.0
    return values
