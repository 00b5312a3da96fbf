"""The numbers behind the figures, in full precision, as rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from hpcscan.report.common import Common
from hpcscan.report.comparison import chi2_difference, delta_chi2_difference
from hpcscan.report.findings import Findings
from hpcscan.report.plane import plane_of
from hpcscan.statistics.interpolation import Array
from hpcscan.store.stored import StoredScan

#: Variables of every point that are worth a column, besides those of the model.
COLUMNS = (
    "chi2",
    "delta_chi2",
    "chi2_lower_bound",
    "optimality_gap",
    "edm",
    "n_starts_at_minimum",
    "n_flat_directions",
)


@dataclass(frozen=True)
class Data:
    """Rows of a file."""

    name: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


def all_data(findings: Findings) -> Iterator[Data]:
    """Give the points, the profiles and the contours."""
    yield _points(findings)
    yield _profiles(findings)
    if len(findings.landscape.scanned) > 1:
        yield _contours(findings)


def _points(findings: Findings) -> Data:
    scan = findings.scan
    grid = scan.grid
    columns = [(axis.name, grid.points(np.arange(grid.n_points))[:, k]) for k, axis in enumerate(grid.axes)]
    columns += [(name, scan.at_points(name)) for name in COLUMNS if scan.has(name)]
    for name in scan.scales:
        ends = (f"{name}_opt", f"{name}_opt_lower", f"{name}_opt_upper")
        columns += [(end, scan.at_points(end)) for end in ends if scan.has(end)]
    columns += list(_labelled(scan, "profiled_parameter", "parameter"))
    columns += [(f"pull.{label}", values) for label, values in _labelled(scan, "pull", "observable")]
    header = [name for name, _ in columns]
    table = np.column_stack([np.asarray(values, float) for _, values in columns])
    rows = [[*map(_number, row), status] for row, status in zip(table, findings.landscape.status, strict=True)]
    return Data("points", [*header, "status"], rows)


def _labelled(scan: StoredScan, name: str, dimension: str) -> Iterator[tuple[str, Array]]:
    values = scan.at_points(name)
    yield from ((label, values[:, k]) for k, label in enumerate(scan.labels(dimension)))


def _profiles(findings: Findings) -> Data:
    rows = [
        [axis.name, _number(x), _number(delta)]
        for axis in findings.profiles.axes
        for x, delta in zip(axis.values, axis.delta_chi2, strict=True)
    ]
    return Data("profiles", ["axis", "value", "delta_chi2"], rows)


def _contours(findings: Findings) -> Data:
    rows = []
    for first, second in combinations(findings.landscape.scanned, 2):
        plane = plane_of(findings, first, second)
        for level, lines in zip(plane.levels, plane.contours, strict=True):
            for number, line in enumerate(lines):
                start = [*plane.names, _number(level.value), str(number)]
                rows += [[*start, *map(_number, point)] for point in line.points]
    return Data("contours", ["x_axis", "y_axis", "delta_chi2", "line", "x", "y"], rows)


def difference_data(one: Findings, two: Findings, common: Common, name: str) -> Data:
    """Give χ² of two scans at their common points, and the differences of χ² and Δχ²."""
    grid = one.landscape.grid
    columns = [*grid.points(common.first).T]
    columns += [one.landscape.chi2[common.first], two.landscape.chi2[common.second]]
    columns += [chi2_difference(one, two, common), delta_chi2_difference(one, two, common)]
    header = [*(axis.name for axis in grid.axes), "chi2_first", "chi2_second", "chi2_change", "delta_chi2_change"]
    return Data(name, header, [[*map(_number, row)] for row in np.column_stack(columns)])


def _number(value: float) -> str:
    return "" if np.isnan(value) else repr(float(value)).removesuffix(".0")
