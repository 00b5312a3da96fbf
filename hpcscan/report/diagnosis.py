"""What to look at when a criterion fails: tables of the lowest point, or of all points that are equal to it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hpcscan.analysis.findings import Findings
from hpcscan.arrays import Array
from hpcscan.words.numbers import chi2_text, count, in_unit, place, spread
from hpcscan.words.tables import MOST_ROWS, Table


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
    """Say of which points the tables are."""
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
    return Table("observables", f"Residuals of {which}, {_place_of_fit(findings)}", header, rows, scan.written)


def _place_of_fit(findings: Findings) -> str:
    has_place = findings.fitted is not None and findings.fitted.has_value
    return "at the best fit" if has_place else where(findings)


def _abscissas(findings: Findings) -> tuple[str, ...]:
    """Name the column of abscissas, if there are any: by what all call it, or x where they differ."""
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
    is_flat = findings.freedom.n_flat is not None and findings.freedom.n_flat[1] > 0
    rows = []
    for j, label in enumerate(scan.labels("parameter")):
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
    if np.isfinite(findings.landscape.gap[point]):
        bound = float(scan.at_points("chi2_lower_bound")[point])
        rows += [("proven lower bound", chi2_text(bound)), ("gap", f"{findings.landscape.gap[point]:.2g}")]
    else:
        rows += [("proven lower bound", "none")]
    if scan.has("n_starts_at_minimum"):
        names = ("n_starts", "n_starts_converged", "n_starts_at_minimum")
        n, converged, at_minimum = (int(scan.at_points(name)[point]) for name in names)
        rows += [("starts", f"{n}, of which {converged} converged, {at_minimum} of them to the lowest chi2")]
    caption = f"Optimiser against proof, at {place(findings.landscape.grid, point)}"
    yield Table("optimiser", caption, ("quantity", "value"), tuple(rows))
