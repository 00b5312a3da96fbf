"""What changed from one scan to another: settings, minima and their shift, Δχ², status; or every bit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import exp
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcscan.analysis.findings import Findings
from hpcscan.analysis.landscape import Indices, Landscape, Statuses
from hpcscan.analysis.profile_text import minimum_text
from hpcscan.analysis.profiles import AxisProfile
from hpcscan.arrays import Array
from hpcscan.dataset.scan import ScanData, ScanVariable
from hpcscan.tolerance import tie_tolerance
from hpcscan.words.numbers import chi2_text, count, place, rounded, rounded_up, with_unit
from hpcscan.words.tables import Table, facts

#: Settings that say where a result goes, not what it is.
IRRELEVANT = ("output",)

#: Points that are named one by one.
MOST_POINTS = 10


@dataclass(frozen=True)
class SharedPoints:
    """Points that two scans share.

    Attributes
    ----------
    first, second : int array
        Their indices in each scan, in the first one's order.
    shape : tuple of int
        Of the grid that they form.
    values : tuple of array
        Its axes, in the order of the first scan.
    """

    first: Indices
    second: Indices
    shape: tuple[int, ...]
    values: tuple[Array, ...]


def common_points(first: Landscape, second: Landscape) -> SharedPoints | None:
    """Find the points with equal coordinates; None where the axes have other names."""
    names = [axis.name for axis in first.grid.axes]
    others = {axis.name: number for number, axis in enumerate(second.grid.axes)}
    if set(names) != set(others):
        return None
    # The axes of the second scan may come in another order: its places are collected in that, and turned at the end.
    places: list[Indices] = []
    places_second, values = [np.array([0])] * len(names), []
    for axis in first.grid.axes:
        number = others[axis.name]
        shared, mine, theirs = np.intersect1d(axis.values, second.grid.axes[number].values, return_indices=True)
        places.append(mine)
        places_second[number] = theirs
        values.append(shared)
    shape = tuple(len(shared) for shared in values)
    in_second = _indices(places_second, second.grid.shape)
    order = [others[name] for name in names]
    return SharedPoints(
        _indices(places, first.grid.shape).ravel(), in_second.transpose(order).ravel(), shape, tuple(values)
    )


def _indices(places: Sequence[Indices], shape: tuple[int, ...]) -> Indices:
    """Return the index of every combination of places along the axes."""
    return np.asarray(np.ravel_multi_index(tuple(np.meshgrid(*places, indexing="ij")), shape))


@dataclass(frozen=True)
class Closure:
    """How near two minima are to a reference.

    Attributes
    ----------
    first, second : float
        χ = exp(−(minimum − reference)): 1 where a minimum is at the reference.
    """

    first: float
    second: float

    @classmethod
    def of(cls, first: float, second: float, reference: float) -> Closure:
        """Compute it from two minima."""
        return cls(exp(-(first - reference)), exp(-(second - reference)))

    @property
    def share(self) -> float:
        """Share of the gap to 1 that the second closes: (χ₂ − χ₁)/(1 − χ₁); NaN where there is no gap."""
        gap = 1 - self.first
        return (self.second - self.first) / gap if gap else float("nan")


def shift_lines(first: AxisProfile, second: AxisProfile) -> list[tuple[str, str]]:
    """Compare the minima of one axis; without two measured ones the shift is unknown."""
    lines = [("first", minimum_text(first)), ("second", minimum_text(second))]
    without = [name for name, axis in (("first", first), ("second", second)) if not axis.is_measured]
    if without:
        which = "neither scan has a" if len(without) == 2 else f"the {without[0]} scan has no"
        return [*lines, ("shift", f"unknown: {which} minimum in {first.name}")]
    # Errors of interpolation are no random ones: they may add up.
    error = first.error + second.error
    shift = second.position - first.position
    text = with_unit(f"{'+' if shift > 0 else ''}{rounded(shift, error or abs(shift) / 1000)}", first.unit)
    if abs(shift) <= error:
        return [*lines, ("shift", f"none: {text} is within the numerical error {rounded_up(error)}")]
    # A shift within the interval of either scan is nothing that the data tell apart.
    width = min(first.half_width, second.half_width)
    small = f"; less than the half-width {width:.2g} at delta chi2 = 1" if abs(shift) < width else ""
    return [*lines, ("shift", f"{text} (numerical error {rounded_up(error)}){small}"), *_closure_lines(first, second)]


def _closure_lines(first: AxisProfile, second: AxisProfile) -> list[tuple[str, str]]:
    reference = first.reference if first.reference is not None else second.reference
    if reference is None:
        return []
    closure = Closure.of(first.position, second.position, reference)
    is_nearer = abs(second.position - reference) < abs(first.position - reference)
    direction = "towards" if is_nearer else "away from"
    lines = [
        ("direction", f"{direction} the reference {reference:g}"),
        ("closure", f"exp(-({first.name} - {reference:g})): {closure.first:.3f} to {closure.second:.3f}"),
    ]
    # A first minimum at the reference, within its error, leaves no gap to close.
    if abs(1 - closure.first) > first.error:
        lines.append(("gap closed", f"{100 * closure.share:.0f} %"))
    return lines


@dataclass(frozen=True)
class Side:
    """One of two scans: what was found, and the keys of its configuration."""

    findings: Findings
    keys: Mapping[str, str]


@dataclass(frozen=True)
class _Change:
    """Points, counted among the common ones, that had one status and have another."""

    places: Indices
    before: str
    after: str


def comparison(first: Side, second: Side) -> str:
    """Compare two scans in words."""
    one, two = first.findings, second.findings
    parts = [
        f"first:  {one.scan.name}\nsecond: {two.scan.name}",
        _settings(first, second),
        *_minima(one, two),
        *_points(one, two),
    ]
    return "\n\n".join(parts)


def _settings(first: Side, second: Side) -> str:
    names = [name for name in dict.fromkeys([*first.keys, *second.keys]) if name not in IRRELEVANT]
    rows = [
        (name, first.keys.get(name, "unset"), second.keys.get(name, "unset"))
        for name in names
        if first.keys.get(name) != second.keys.get(name)
    ]
    rows += [
        (name, one, two)
        # What computes is as much a setting as what is asked for.
        for name in ("hpcscan_version", "hpcscan_git_commit", "hpcscan_plugin_sha256")
        if (one := first.findings.scan.text(name)) != (two := second.findings.scan.text(name))
    ]
    if not rows:
        return "settings: no difference"
    return Table("settings", "settings that differ", ("key", "first", "second"), tuple(rows)).lines()


def _minima(one: Findings, two: Findings) -> Iterator[str]:
    others = {axis.name: axis for axis in two.profiles.axes}
    for axis in one.profiles.axes:
        if axis.name in others:
            lines = shift_lines(axis, others[axis.name])
            yield f"minimum in {axis.name}\n" + facts([(f"  {name}", text) for name, text in lines])
    chi2 = [chi2_text(findings.landscape.lowest_chi2) for findings in (one, two)]
    # The best fit lies between the points, and a little lower.
    yield f"lowest chi2 of the grid: {chi2[0]} and {chi2[1]}"


def _points(one: Findings, two: Findings) -> Iterator[str]:
    common = common_points(one.landscape, two.landscape)
    if common is None:
        yield "points: the scans have other axes"
        return
    if not len(common.first):
        yield "points: the grids have none in common"
        return
    yield "\n".join([f"points in common: {len(common.first):,}", *_differences(one, two, common)])
    yield "\n".join(_statuses(one, two, common))


def _differences(one: Findings, two: Findings, common: SharedPoints) -> Iterator[str]:
    grid = one.landscape.grid
    chi2, delta = chi2_difference(one, two, common), delta_chi2_difference(one, two, common)
    for name, values in (("chi2", chi2), ("delta chi2", delta)):
        if np.isnan(values).all():
            yield f"  {name}: no point has one in both"
            continue
        # Differences below the tie tolerance are rounding, wherever they are largest.
        tolerance = float(np.nanmax(tie_tolerance(one.landscape.chi2[common.first])))
        worst = int(np.nanargmax(np.abs(values)))
        if abs(values[worst]) <= tolerance:
            yield f"  {name}: equal within the tolerance of {tolerance:.1g}"
            continue
        at = place(grid, int(common.first[worst]))
        low, high = np.nanmin(values), np.nanmax(values)
        yield f"  {name}, second minus first: {low:.4g} to {high:.4g}; largest difference at {at}"


def chi2_difference(one: Findings, two: Findings, common: SharedPoints) -> Array:
    """χ² of the second scan minus that of the first, at the common points."""
    difference: Array = two.landscape.chi2[common.second] - one.landscape.chi2[common.first]
    return difference


def delta_chi2_difference(one: Findings, two: Findings, common: SharedPoints) -> Array:
    """Do the same for Δχ², each against the best point of its own scan."""
    return chi2_difference(one, two, common) - (two.landscape.lowest_chi2 - one.landscape.lowest_chi2)


def _statuses(one: Findings, two: Findings, common: SharedPoints) -> Iterator[str]:
    changes = _changes(one.landscape.status.at(common.first), two.landscape.status.at(common.second))
    if not changes:
        yield "status: the same at every common point"
        return
    n_changed = sum(len(change.places) for change in changes)
    yield f"status: {count(n_changed, 'point')} changed"
    for change in changes:
        yield f"  {len(change.places):,} from {change.before} to {change.after}"
    # In the order of the grid, whatever the kind of the change.
    listed = sorted(
        ((int(k), change) for change in changes for k in change.places[:MOST_POINTS]), key=lambda found: found[0]
    )
    for k, change in listed[:MOST_POINTS]:
        yield f"  {place(one.landscape.grid, int(common.first[k]))}: {change.before}, then {change.after}"
    if n_changed > MOST_POINTS:
        yield f"  and {n_changed - MOST_POINTS:,} more"


def _changes(one: Statuses, two: Statuses) -> list[_Change]:
    """Find the points whose status changed, in the order of the first of each kind."""
    found = [
        _Change(np.flatnonzero(one.are(before) & two.are(after)), before, after)
        for before in one.present
        for after in two.present
        if before != after
    ]
    return sorted((change for change in found if len(change.places)), key=lambda change: int(change.places[0]))


def exact_differences(first: ScanData, second: ScanData) -> list[str]:
    """List what differs: variables without ``role = "run"``, their dimensions, types, values and attributes."""
    one, two = _science(first), _science(second)
    found = [f"{name}: only in {first.name}" for name in one if name not in two]
    found += [f"{name}: only in {second.name}" for name in two if name not in one]
    for name in one:
        if name in two and (text := _difference(one[name], two[name])):
            found.append(f"{name}: {text}")
    return found


def exact_text(first: ScanData, second: ScanData, differences: list[str]) -> str:
    """Write the outcome."""
    names = f"{first.name} and {second.name}"
    if not differences:
        return f"identical: {names} have the same bits in {count(len(_science(first)), 'variable')}"
    return "\n".join([f"different: {names}", *(f"  {text}" for text in differences)])


def _science(scan: ScanData) -> dict[str, ScanVariable]:
    return {name: variable for name, variable in scan.variables.items() if variable.role != "run"}


def _difference(one: ScanVariable, two: ScanVariable) -> str:
    # Not kept: all values of two large results would fill the memory.
    first, second = one.read(), two.read()
    if (one.dims, first.shape, first.dtype) != (two.dims, second.shape, second.dtype):
        return f"{one.dims} {first.shape} {first.dtype} and {two.dims} {second.shape} {second.dtype}"
    n = int(np.count_nonzero(_bits(first) != _bits(second)))
    if n:
        return f"{n:,} of {first.size:,} values differ"
    return "" if _comparable(one) == _comparable(two) else "attributes differ"


def _bits(values: NDArray[Any]) -> NDArray[Any]:
    """Return values as integers of the same size, so that NaN equals itself and zero differs from minus zero."""
    values = np.ascontiguousarray(values)
    # Texts are objects, and are compared as such.
    return values if values.dtype == object else values.view(f"u{values.dtype.itemsize}")


def _comparable(variable: ScanVariable) -> dict[str, str]:
    return {name: repr(value) for name, value in variable.attributes.items()}
