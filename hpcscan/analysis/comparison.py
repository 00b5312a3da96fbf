"""What changed from one scan to another: settings, minima, Δχ², status."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from hpcscan.analysis.closure import shift_lines
from hpcscan.analysis.common import Common, common_points
from hpcscan.analysis.findings import Findings
from hpcscan.analysis.landscape import Indices
from hpcscan.analysis.statuses import Statuses
from hpcscan.arrays import Array
from hpcscan.tolerance import tie_tolerance
from hpcscan.words.columns import facts
from hpcscan.words.numbers import chi2_text, count
from hpcscan.words.tables import Table
from hpcscan.words.wording import place

#: Settings that say where a result goes, not what it is.
IRRELEVANT = ("output",)
#: Points that are named one by one.
MOST_POINTS = 10


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
    yield f"lowest chi2: {chi2[0]} and {chi2[1]}"


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


def _differences(one: Findings, two: Findings, common: Common) -> Iterator[str]:
    grid = one.landscape.grid
    chi2, delta = chi2_difference(one, two, common), delta_chi2_difference(one, two, common)
    for name, values in (("chi2", chi2), ("delta chi2", delta)):
        if np.isnan(values).all():
            yield f"  {name}: no point has one in both"
            continue
        tolerance = float(np.nanmax(tie_tolerance(one.landscape.chi2[common.first])))
        worst = int(np.nanargmax(np.abs(values)))
        if abs(values[worst]) <= tolerance:
            yield f"  {name}: equal within the tolerance of {tolerance:.1g}"
            continue
        at = place(grid, int(common.first[worst]))
        low, high = np.nanmin(values), np.nanmax(values)
        yield f"  {name}, second minus first: {low:.4g} to {high:.4g}; largest difference at {at}"


def chi2_difference(one: Findings, two: Findings, common: Common) -> Array:
    """χ² of the second scan minus that of the first, at the common points."""
    difference: Array = two.landscape.chi2[common.second] - one.landscape.chi2[common.first]
    return difference


def delta_chi2_difference(one: Findings, two: Findings, common: Common) -> Array:
    """Do the same for Δχ², each against the best point of its own scan."""
    return chi2_difference(one, two, common) - (two.landscape.lowest_chi2 - one.landscape.lowest_chi2)


def _statuses(one: Findings, two: Findings, common: Common) -> Iterator[str]:
    changes = _changes(one.landscape.status.at(common.first), two.landscape.status.at(common.second))
    if not changes:
        yield "status: the same at every common point"
        return
    n_changed = sum(len(change.places) for change in changes)
    yield f"status: {count(n_changed, 'point')} changed"
    for change in changes:
        yield f"  {len(change.places):,} from {change.before} to {change.after}"
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
