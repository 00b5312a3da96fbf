"""Tables of a result: best fit, intervals, and what to look at when a criterion fails; what `check` prints."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hpcscan.analysis.findings import Findings
from hpcscan.analysis.goodness import freedom_lines
from hpcscan.analysis.planes import levels
from hpcscan.analysis.profile_text import interval_text, minimum_text
from hpcscan.analysis.toy_results import interval_texts
from hpcscan.arrays import Array
from hpcscan.distribution import survival
from hpcscan.gate.gate import Gate, gate_in_short, gate_lines
from hpcscan.gate.verdict import Verdict, confidence_sentence
from hpcscan.words.numbers import chi2_text, count, equals, in_unit, place, probability, spread, with_errors
from hpcscan.words.tables import MOST_ROWS, Table, facts


def interval_table(findings: Findings) -> Table:
    """Tabulate minimum and intervals of every scanned axis, after profiling the others."""
    rows = []
    for axis in findings.profiles.axes:
        rows.append((axis.name, "minimum", minimum_text(axis)))
        # The levels after Wilks, then those of toys, which exist along a single axis.
        for level, found in zip(levels(1, findings.has_confidence), axis.intervals, strict=True):
            rows.append((axis.name, level.name, interval_text(axis, found)))
        if findings.toys is not None and not findings.toys.refusal and len(findings.scan.grid.axes) == 1:
            rows += [(axis.name, level, text) for level, text in interval_texts(findings.toys)]
        # How sharp a profile is, by the rule of the configuration.
        if axis.width_class:
            sharp, flat = axis.width_rule or (0.0, 0.0)
            atleast = "at least " if axis.is_open else ""
            text = f"{axis.width_class}: half-width {atleast}{axis.half_width:.2g}"
            rows.append((axis.name, f"below {sharp:g} sharp, above {flat:g} flat", text))
        if axis.reference is not None:
            rows.append((axis.name, "reference", _reference(axis.reference, axis.values[0], axis.values[-1])))
    base = f"Profile of each axis, one parameter, after profiling the others; {base_text(findings)}"
    caption = f"{base}. {confidence_sentence(findings)}"
    return Table("intervals", caption, ("axis", "level", "result"), tuple(rows), findings.scan.written)


def best_fit_table(findings: Findings) -> Table:
    """Tabulate everything that was fitted at the best fit; no rows where nothing was, or it is not one place."""
    fitted = findings.fitted
    header = ("parameter", "value", "unit", "role")
    if fitted is None or not fitted.has_value:
        return Table("best_fit", "", header, ())
    # Scanned and profiled parameters, and scales: all that was free at the best fit.
    scanned, errors, values = {axis.name for axis in findings.profiles.axes}, fitted.errors, fitted.values
    ends = fitted.error_ends
    rows = [
        (name, with_errors(values[name], *errors[name], ends[name]), unit, "scanned" if name in scanned else "profiled")
        for name, unit in zip(fitted.names, fitted.scan.units("fitted"), strict=True)
    ]
    level = "1σ" if findings.has_confidence else "delta chi2 = 1"
    chance = (
        f", {findings.n_free} dof, p = {probability(survival(fitted.chi2, findings.n_free))}" if findings.n_free else ""
    )
    evidence = fitted.evidence if fitted.is_supported else fitted.doubt
    statistic = "−2 ln L" if findings.scan.is_scalar else "chi2"
    caption = f"The best fit, {evidence}: {statistic} {equals(fitted.chi2)}{chance}. Errors at {level}, all others free"
    return Table("best_fit", caption, header, tuple(rows), fitted.scan.written)


def base_text(findings: Findings) -> str:
    """Describe the zero of Δχ²."""
    base, lowest = findings.profiles.base, findings.landscape.lowest_chi2
    if findings.landscape.lowest is None:
        return "no point has a chi2"
    # The zero may lie between the points: then no point has Δχ² = 0.
    if lowest - base <= findings.landscape.noise:
        return f"delta chi2 against the lowest point, chi2 {equals(lowest)}"
    statistic = "−2 ln L" if findings.scan.is_scalar else "chi2"
    zero = f"the minimum between the points, {statistic} {equals(base)}"
    # Of a large χ² few digits would not tell the two apart.
    return f"delta chi2 against {zero}; the lowest point has {lowest - base:.2g} more"


def _reference(value: float, first: float, last: float) -> str:
    return f"{value:g}" if first <= value <= last else f"{value:g}, outside the grid"


def diagnosis(findings: Findings) -> tuple[Table, ...]:
    """Tabulate residuals, parameters, energies, and the optimiser against the proof."""
    if not len(findings.examined):
        return ()
    return (
        _observables(findings),
        _parameters(findings),
        *_bounds(findings),
        *_derived(findings),
        *_optimiser(findings),
    )


def where(findings: Findings) -> str:
    """Describe the points of the tables."""
    points, landscape = findings.examined, findings.landscape
    if landscape.is_flat:
        return f"ranges over all {len(points):,} points, which are equally good"
    text = f"at {place(landscape.grid, int(points[0]))}"
    return text if len(points) == 1 else f"ranges over {count(len(points), 'point')} that are equally good"


def _observables(findings: Findings) -> Table:
    """Tabulate the data against the best fit, or against what is examined where that is not one place."""
    scan, points = findings.scan, findings.examined
    observed, sigma = scan.variables["observed"].values, scan.variables["sigma"].values
    predicted, pull = scan.at_points("predicted")[points], scan.at_points("pull")[points]
    if (fitted := findings.fitted) is not None and fitted.has_value:
        predicted, pull = scan.variables["best_fit_predicted"].values[None], fitted.pulls[None]
    units, x = scan.units("observable"), scan.variables["observable_x"].values
    labels = scan.labels("observable")
    order = _furthest_first(pull)
    rows = tuple(
        (
            labels[k],
            *([f"{x[k]:.6g}" if np.isfinite(x[k]) else ""] if np.isfinite(x).any() else []),
            f"{observed[k]:.8g}",
            "–" if np.isnan(sigma[k]) else f"{sigma[k]:.3g}",
            spread(predicted[:, k], 8),
            _pulls(pull[:, k]),
            units[k],
        )
        for k in order
    )
    header = ("observable", *_abscissas(findings), "observed", "sigma", "predicted", "pull", "unit")
    which = "every observable" if len(labels) <= MOST_ROWS else f"{len(labels):,} observables, the furthest off first"
    # What covers correlations is χ² alone.
    tied = "; correlations are not in the pulls" if scan.variables["is_correlated"].values.any() else ""
    return Table("observables", f"Residuals of {which}, {_place_of_fit(findings)}{tied}", header, rows, scan.written)


def _place_of_fit(findings: Findings) -> str:
    has_place = findings.fitted is not None and findings.fitted.has_value
    return "at the best fit" if has_place else where(findings)


def _abscissas(findings: Findings) -> tuple[str, ...]:
    """Return the name of the column of abscissas, if there are any: by what all call it, or x where they differ."""
    variables = findings.scan.variables
    has_x = np.isfinite(variables["observable_x"].values)
    texts = [variables[name].values[has_x] for name in ("observable_x_label", "observable_x_unit")]
    names = {in_unit(str(label) or "x", str(unit)) for label, unit in zip(*texts, strict=True)}
    return () if not names else tuple(names) if len(names) == 1 else ("x",)


def _furthest_first(pull: Array) -> list[int]:
    """Choose the order of the observables: their own, or that of their pulls where they do not fit a screen."""
    n = pull.shape[1]
    if n <= MOST_ROWS:
        return list(range(n))
    # The furthest off at any of the points that are examined.
    largest = np.max(np.where(np.isnan(pull), 0.0, np.abs(pull)), axis=0, initial=0.0)
    order: list[int] = np.argsort(-largest, kind="stable").tolist()
    return order


def _pulls(pull: Array) -> str:
    """Write pulls; the sign and digits of rounding noise mean nothing."""
    largest = float(np.nanmax(np.abs(pull))) if np.isfinite(pull).any() else np.nan
    return "0.000" if largest < 5e-4 else spread(pull, 4)


def _parameters(findings: Findings) -> Table:
    """Tabulate the parameters, and say of each whether the data or a bound determine it."""
    scan, points = findings.scan, findings.examined
    lower, upper = scan.variables["parameter_lower"].values, scan.variables["parameter_upper"].values
    values, held = scan.at_points("profiled_parameter")[points], scan.at_points("bound_multiplier")[points] != 0
    if (fitted := findings.fitted) is not None and fitted.has_value:
        values = np.array([[fitted.values[name] for name in scan.labels("parameter")]])
    # A flat direction mixes parameters: none of them is determined alone.
    is_flat = findings.freedom.n_flat is not None and findings.freedom.n_flat[1] > 0
    rows = []
    for j, label in enumerate(scan.labels("parameter")):
        # Equal bounds fix; a bound that holds at every point determines; else the data do.
        if lower[j] == upper[j]:
            role = "fixed"
        elif held[:, j].all():
            role = "held by its bound"
        else:
            role = "free; not determined alone" if is_flat else "free"
        unit = str(scan.variables["parameter_unit"].values[j])
        shown = spread(values[:, j], 5)
        rows.append((label, shown, f"{lower[j]:g}", f"{upper[j]:g}", role, "" if unit == "1" else unit))
    header = ("parameter", "value", "lower", "upper", "determined by", "unit")
    note = "; some combinations of the free ones change nothing" if is_flat else ""
    return Table("parameters", f"Parameters, {_place_of_fit(findings)}{note}", header, tuple(rows), scan.written)


def _bounds(findings: Findings) -> Iterator[Table]:
    if not findings.active_bounds:
        return
    rows = tuple(
        (b.parameter, b.side, f"{b.value:g}", b.unit, f"{b.multiplier:.3g}", f"{b.cost:.2g}")
        for b in findings.active_bounds
    )
    header = ("parameter", "bound", "value", "unit", "d chi2/d bound", "times width of interval")
    yield Table("bounds", "Bounds that hold chi2 up, the most costly first", header, rows)


def _derived(findings: Findings) -> Iterator[Table]:
    """Tabulate what the model reports of its own: one table for each of its dimensions, a row for each quantity."""
    scan, points = findings.scan, findings.examined
    # One table for each dimension: its labels are the columns.
    for dimension in scan.derived_dimensions:
        labels = scan.labels(dimension)
        rows = []
        for name in scan.derived(dimension):
            values = scan.at_points(name)[points]
            cells = (spread(values[:, k], 6) for k in range(len(labels)))
            rows.append((name, *cells, scan.unit(name), scan.variables[name].long_name))
        caption = f"Quantities of each {dimension}, {where(findings)}"
        yield Table(f"derived-{dimension}", caption, ("quantity", *labels, "unit", "meaning"), tuple(rows))


def _optimiser(findings: Findings) -> Iterator[Table]:
    """Compare where the starts ended with the proven bound."""
    scan, point = findings.scan, int(findings.examined[0])
    chi2 = float(findings.landscape.chi2[point])
    rows = [("lowest chi2", chi2_text(chi2))]
    # Without a proof there is no gap to tell.
    if np.isfinite(findings.landscape.gap[point]):
        bound = float(scan.at_points("chi2_lower_bound")[point])
        rows += [("proven lower bound", chi2_text(bound)), ("gap", f"{findings.landscape.gap[point]:.2g}")]
    else:
        rows += [("proven lower bound", "none")]
    if scan.has("n_starts_at_minimum"):
        names = ("n_starts", "n_starts_converged", "n_starts_at_minimum")
        n, converged, at_minimum = (int(scan.at_points(name)[point]) for name in names)
        ends = f"{n}, of which {converged} converged, {at_minimum} of them to the lowest chi2"
        rows += [("starts", ends if n else "none of its own: it was fitted from minima of other points")]
    caption = f"Optimiser against proof, at {place(findings.landscape.grid, point)}"
    yield Table("optimiser", caption, ("quantity", "value"), tuple(rows))


def check_text(findings: Findings, verdict: Verdict, *, is_whole: bool = False) -> str:
    """Write the verdict as a run does, then what is behind it and, where a criterion fails, what to look at.

    Where it is not to be whole, tables end after so many rows, and say so.
    """
    parts = [
        str(verdict),
        "\n".join([findings.scan.name, *gate_lines(verdict.gate)]),
        "freedom\n" + facts([(f"  {name}", text) for name, text in freedom_lines(findings.freedom)]),
    ]
    if findings.profiles.axes:
        parts.append(_lines(interval_table(findings), is_whole))
    if not verdict.is_open:
        parts += [_lines(table, is_whole) for table in diagnosis(findings)]
    return "\n\n".join([*parts, gate_in_short(verdict.gate)])


def _lines(table: Table, is_whole: bool) -> str:
    shown, n_more = table.beginning()
    if is_whole or not n_more:
        return table.lines()
    return f"{shown.lines()}\n… and {count(n_more, 'more row')}; --all shows them"


def short_text(findings: Findings, gate: Gate, what: str) -> str:
    """Write a part of the gate, and which."""
    return "\n".join([findings.scan.name, *gate_lines(gate), "", f"{gate_in_short(gate)} ({what})"])
