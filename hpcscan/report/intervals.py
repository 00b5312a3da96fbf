"""The tables of the best fit and of intervals."""

from __future__ import annotations

from hpcscan.analysis.findings import Findings
from hpcscan.analysis.planes import levels
from hpcscan.analysis.profile_text import interval_text, minimum_text
from hpcscan.analysis.toy_results import interval_texts
from hpcscan.distribution import survival
from hpcscan.gate.verdict import confidence_sentence
from hpcscan.words.numbers import equals, with_errors
from hpcscan.words.tables import Table


def interval_table(findings: Findings) -> Table:
    """Tabulate minimum and intervals of every scanned axis, after profiling the others."""
    rows = []
    for axis in findings.profiles.axes:
        rows.append((axis.name, "minimum", minimum_text(axis)))
        for level, found in zip(levels(1, findings.has_confidence), axis.intervals, strict=True):
            rows.append((axis.name, level.name, interval_text(axis, found)))
        if findings.toys is not None and not findings.toys.refusal and len(findings.scan.grid.axes) == 1:
            rows += [(axis.name, level, text) for level, text in interval_texts(findings.toys)]
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
    scanned, errors, values = {axis.name for axis in findings.profiles.axes}, fitted.errors, fitted.values
    ends = fitted.error_ends
    rows = [
        (name, with_errors(values[name], *errors[name], ends[name]), unit, "scanned" if name in scanned else "profiled")
        for name, unit in zip(fitted.names, fitted.scan.units("fitted"), strict=True)
    ]
    level = "1σ" if findings.has_confidence else "delta chi2 = 1"
    chance = f", {findings.n_free} dof, p = {survival(fitted.chi2, findings.n_free):.2g}" if findings.n_free else ""
    evidence = {"none": "neither proven nor agreed"}.get(fitted.evidence, fitted.evidence)
    statistic = "−2 ln L" if findings.scan.is_scalar else "chi2"
    caption = f"The best fit, {evidence}: {statistic} {equals(fitted.chi2)}{chance}. Errors at {level}, all others free"
    return Table("best_fit", caption, header, tuple(rows), fitted.scan.written)


def base_text(findings: Findings) -> str:
    """Say against what Δχ² is taken."""
    base, lowest = findings.profiles.base, findings.landscape.lowest_chi2
    if findings.landscape.lowest is None:
        return "no point has a chi2"
    if lowest - base <= findings.landscape.noise:
        return f"delta chi2 against the lowest point, chi2 {equals(lowest)}"
    return f"delta chi2 against {base:.4g}, the minimum between the points; the lowest point has {lowest:.4g}"


def _reference(value: float, first: float, last: float) -> str:
    return f"{value:g}" if first <= value <= last else f"{value:g}, outside the grid"
