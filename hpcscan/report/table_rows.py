"""The numbers behind the figures, in full precision, as rows; and which points of a large grid have a row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from math import isnan, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcscan.analysis.comparison import SharedPoints, chi2_difference, delta_chi2_difference
from hpcscan.analysis.findings import Findings
from hpcscan.analysis.fitted import Fitted
from hpcscan.analysis.landscape import Indices, Landscape
from hpcscan.analysis.toy_results import Toys
from hpcscan.arrays import Array
from hpcscan.dataset.scan import ScanData
from hpcscan.report.outcome import DataOutcome

#: A grid up to this size is listed whole.
MOST_ROWS = 100_000
#: Points of a larger one that are spread over the grid, and that are chosen for each of the other reasons.
MOST_SPREAD, MOST_EACH = 10_000, 1_000

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
class Choice:
    """Some points of a grid, and why they were chosen.

    Attributes
    ----------
    points : int array, shape (n,)
        In the order of the grid, each once.
    reasons : tuple of str
        One for each point.
    n_all : int
        Points from which they were chosen.
    """

    points: Indices
    reasons: tuple[str, ...]
    n_all: int

    @property
    def is_whole(self) -> bool:
        """Whether no point is left out."""
        return len(self.points) == self.n_all

    @property
    def note(self) -> str:
        """Format how many there are; "" where no point is left out."""
        if self.is_whole:
            return ""
        kinds = ", ".join(dict.fromkeys(self.reasons))
        return f"{len(self.points):,} of {self.n_all:,} points ({kinds}); the result itself has all of them"


def choose(landscape: Landscape) -> Choice:
    """Choose the rows of the table of points: all of them, or the lowest, the worst, and some spread over the grid."""
    if landscape.grid.n_points <= MOST_ROWS:
        return _all(landscape.grid.n_points)
    return _first_reasons(_reasons(landscape), landscape.grid.n_points)


def choose_differences(shape: tuple[int, ...], difference: Array) -> Choice:
    """Choose among points that two scans have in common: the largest differences, and some spread over the grid."""
    if len(difference) <= MOST_ROWS:
        return _all(len(difference))
    largest = _highest(np.where(difference == 0, np.nan, np.abs(difference)))
    return _first_reasons([("largest difference", largest), ("spread", _spread(shape))], len(difference))


def choose_along(delta_chi2: Array) -> Choice:
    """Choose among the points of the profile of one axis: the lowest values, and some spread over the axis."""
    if len(delta_chi2) <= MOST_ROWS:
        return _all(len(delta_chi2))
    reasons = [("lowest chi2", _highest(-delta_chi2)), ("spread", _spread(delta_chi2.shape))]
    return _first_reasons(reasons, len(delta_chi2))


def spaced(n: int, most: int) -> Indices:
    """Choose at most so many of n places, evenly."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).astype(np.intp))


def _all(n: int) -> Choice:
    return Choice(np.arange(n), ("",) * n, n)


def _reasons(landscape: Landscape) -> Iterator[tuple[str, Indices]]:
    """Return the reasons, the most telling first, and the points of each."""
    yield "lowest chi2", _highest(-landscape.chi2)
    yield "not converged", _some(np.flatnonzero(~landscape.converged))
    yield "out of line", _some(np.flatnonzero(landscape.out_of_line))
    yield "largest gap", _highest(landscape.gap)
    yield "spread", _spread(landscape.grid.shape)


def _first_reasons(reasons: Iterator[tuple[str, Indices]] | list[tuple[str, Indices]], n_all: int) -> Choice:
    """Merge the points, each with the first reason for which it was chosen."""
    # np.unique keeps the first place of each point: that of the most telling reason.
    names, parts = zip(*reasons, strict=True)
    points, first = np.unique(np.concatenate(parts), return_index=True)
    kinds = np.repeat(np.arange(len(names)), [len(part) for part in parts])[first]
    return Choice(points, tuple(names[kind] for kind in kinds), n_all)


def _highest(values: Array) -> Indices:
    """Find the highest values; of equal ones the first."""
    # NaN is sorted last, and not counted.
    order = np.argsort(-values, kind="stable")
    return order[: min(MOST_EACH, int(np.count_nonzero(~np.isnan(values))))]


def _some(points: Indices) -> Indices:
    return points[spaced(len(points), MOST_EACH)]


def _spread(shape: tuple[int, ...]) -> Indices:
    """Take every so many values of each axis, and the last."""
    # The smallest step, the same along all axes, with few enough points.
    step = next(step for step in count(1) if prod(len(_places(n, step)) for n in shape) <= MOST_SPREAD)
    return np.asarray(np.ravel_multi_index(np.ix_(*(_places(n, step) for n in shape)), shape)).ravel()


def _places(n: int, step: int) -> Indices:
    return np.union1d(np.arange(0, n, step), [n - 1])


@dataclass(frozen=True)
class Data:
    """Rows of a file.

    Attributes
    ----------
    note : str
        How many rows there are of how many; "" where none is left out.
    """

    name: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


def all_data(findings: Findings) -> Iterator[Data]:
    """Return the points, or some where they are very many, the profiles and the contours."""
    # What every scan has, then what only some have.
    yield _points(findings)
    yield _profiles(findings)
    if len(findings.landscape.scanned) > 1:
        yield _contours(findings)
    if (outcome := DataOutcome.of(findings)) is not None:
        yield _observed(outcome)
    if findings.fitted is not None:
        yield _best_fit(findings.fitted)
        yield _intervals(findings.fitted, findings)
    if findings.toys is not None and not findings.toys.refusal:
        yield _toys(findings, findings.toys)


def _observed(outcome: DataOutcome) -> Data:
    """List every value of the data with its prediction at the best fit, and the parts that the model names."""
    parts = [(name, term, values) for term, of_term in outcome.parts.items() for name, values in of_term.items()]
    header = ["observable", "term", "term_label", "unit", "x", "x_label", "observed", "sigma", "predicted", "pull"]
    x_labels = [label if known else "" for label, known in zip(outcome.x_labels, np.isfinite(outcome.x), strict=True)]
    texts = outcome.names, outcome.terms, outcome.labels, outcome.units
    # A count has no error of its own: the cell stays empty.
    sigma = np.where(outcome.is_count, np.nan, outcome.sigma)
    numbers = [_numbers(v) for v in (outcome.observed, sigma, outcome.predicted, outcome.pull)]
    for _, term, values in parts:
        # A part has values at its own term, and empty cells at all others.
        column = np.full(len(outcome.terms), np.nan)
        column[[k for k, one in enumerate(outcome.terms) if one == term]] = values
        numbers.append(_numbers(column))
    rows = zip(*texts, _numbers(outcome.x), x_labels, *numbers, strict=True)
    return Data("data", [*header, *(f"part.{name}" for name, *_ in parts)], [*rows])


def _best_fit(fitted: Fitted) -> Data:
    """List every parameter and scale with its errors, and its correlation with all others."""
    values, errors, covariance = fitted.values, fitted.errors, fitted.covariance
    written, sigma = fitted.scan.written, np.sqrt(np.diag(covariance))
    # What is not determined has no variance, and an empty correlation.
    with np.errstate(all="ignore"):
        correlation = covariance / sigma / sigma[:, None]
    columns = zip(fitted.names, fitted.scan.units("fitted"), sigma, correlation, strict=True)
    rows = [
        [
            name,
            written.get(name, name),
            unit,
            *_numbers(np.array([values[name], *errors[name], own])),
            *_numbers(others),
        ]
        for name, unit, own, others in columns
    ]
    header = ["parameter", "label", "unit", "value", "error_lower", "error_upper", "error_symmetric"]
    return Data("best_fit", [*header, *(f"correlation.{name}" for name in fitted.names)], rows)


def _intervals(fitted: Fitted, findings: Findings) -> Data:
    """List all regions of all scanned parameters, with the numerical errors of their ends and why they end there."""
    rows = [
        [
            axis.name,
            _number(cl),
            *_numbers(np.array([one.lower, one.lower_error, one.upper, one.upper_error])),
            *(one.lower_end, one.upper_end, one.lower_held, one.upper_held),
        ]
        for axis in findings.profiles.axes
        for cl in fitted.levels("interval")
        for one in fitted.regions(axis.name, cl) or ()
    ]
    header = ["parameter", "cl", "lower", "lower_error", "upper", "upper_error"]
    return Data("intervals", [*header, "lower_end", "upper_end", "lower_held", "upper_held"], rows)


def _toys(findings: Findings, toys: Toys) -> Data:
    """List p and the critical values of every point that has toys, with their ends."""
    scan, points = findings.scan, np.flatnonzero(toys.n_toys > 0)
    names = ("n_toys", "n_toys_failed", "toy_delta_chi2", "toy_p_value", "toy_p_value_lower", "toy_p_value_upper")
    columns = [*zip((axis.name for axis in scan.grid.axes), scan.grid.points(points).T, strict=True)]
    columns += [(name, scan.at_points(name)[points]) for name in names]
    for number, cl in enumerate(toys.cl):
        ends = zip(("", "_lower", "_upper"), toys.critical(number), strict=True)
        columns += [(f"critical{end}.{cl:g}", values[points]) for end, values in ends]
        columns.append((f"is_in.{cl:g}", toys.is_in(number)[points]))
    return Data("toys", [name for name, _ in columns], [*zip(*(_numbers(v) for _, v in columns), strict=True)])


def _points(findings: Findings) -> Data:
    """List all points of a grid or, of a very large one, some; these under another name, with the reason."""
    scan, choice = findings.scan, choose(findings.landscape)
    # Coordinates first, then results, parameters and pulls; at last what became of the point.
    columns = [*zip((axis.name for axis in scan.grid.axes), scan.grid.points(choice.points).T, strict=True)]
    columns += [(name, scan.at_points(name)[choice.points]) for name in _columns(scan)]
    columns += list(_labelled(scan, "profiled_parameter", "parameter", choice.points))
    columns += [(f"pull.{label}", values) for label, values in _labelled(scan, "pull", "observable", choice.points)]
    texts = [_numbers(values) for _, values in columns] + [findings.landscape.status.at(choice.points).listed()]
    header = [*(name for name, _ in columns), "status"]
    if choice.is_whole:
        return Data("points", header, [*zip(*texts, strict=True)])
    return Data("points-some", [*header, "chosen_as"], [*zip(*texts, choice.reasons, strict=True)], choice.note)


def _columns(scan: ScanData) -> list[str]:
    """List the variables with one value for each point that have a column."""
    ends = [f"{name}_opt{end}" for name in scan.scales for end in ("", "_lower", "_upper")]
    return [name for name in (*COLUMNS, *ends) if scan.has(name)]


def _labelled(scan: ScanData, name: str, dimension: str, points: Indices) -> Iterator[tuple[str, Array]]:
    values = scan.at_points(name)[points]
    yield from ((label, values[:, k]) for k, label in enumerate(scan.labels(dimension)))


def _profiles(findings: Findings) -> Data:
    axes, rows = findings.profiles.axes, []
    choices = [choose_along(axis.delta_chi2) for axis in axes]
    for axis, choice in zip(axes, choices, strict=True):
        columns = _numbers(axis.values[choice.points]), _numbers(axis.delta_chi2[choice.points])
        rows += [[axis.name, *row] for row in zip(*columns, strict=True)]
    note = next((choice.note for choice in choices if choice.note), "")
    return Data("profiles-some" if note else "profiles", ["axis", "value", "delta_chi2"], rows, note)


def _contours(findings: Findings) -> Data:
    rows = []
    for plane in findings.planes:
        for level, lines in zip(plane.levels, plane.contours, strict=True):
            for number, line in enumerate(lines):
                # A vertex a row: line and level tell which belong together.
                start = [*plane.names, _number(level), str(number)]
                rows += [[*start, *point] for point in zip(*map(_numbers, line.points.T), strict=True)]
    return Data("contours", ["x_axis", "y_axis", "delta_chi2", "line", "x", "y"], rows)


def difference_data(one: Findings, two: Findings, common: SharedPoints, name: str) -> Data:
    """Return χ² of two scans at their common points, and the differences of χ² and Δχ²."""
    grid = one.landscape.grid
    change = delta_chi2_difference(one, two, common)
    columns = [one.landscape.chi2[common.first], two.landscape.chi2[common.second]]
    columns += [chi2_difference(one, two, common), change]
    choice = choose_differences(common.shape, change)
    shown = [*grid.points(common.first[choice.points]).T, *(column[choice.points] for column in columns)]
    header = [*(axis.name for axis in grid.axes), "chi2_first", "chi2_second", "chi2_change", "delta_chi2_change"]
    texts = [_numbers(column) for column in shown]
    if choice.is_whole:
        return Data(name, header, [*zip(*texts, strict=True)])
    rows = [*zip(*texts, choice.reasons, strict=True)]
    return Data(f"{name}-some", [*header, "chosen_as"], rows, choice.note)


def _numbers(values: NDArray[Any]) -> list[str]:
    return [_number(value) for value in np.asarray(values, float).tolist()]


def _number(value: float) -> str:
    # The shortest text that is read back as the same number.
    return "" if isnan(value) else repr(float(value)).removesuffix(".0")
