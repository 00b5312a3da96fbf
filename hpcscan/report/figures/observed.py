"""Data beside their prediction at the best fit, with pulls below; and the pulls of single values and constraints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hpcscan.analysis.findings import Findings
from hpcscan.analysis.landscape import Indices
from hpcscan.arrays import Array
from hpcscan.report.figures.axes import MOST_VECTORS, signed
from hpcscan.report.figures.canvas import GREY, INK, WIDTH, Drawing, blank, colours
from hpcscan.report.outcome import CONSTRAINT, DataOutcome
from hpcscan.words.numbers import count, in_unit

#: Terms that have a figure of their own, the first ones; rows of the figure of pulls; names that fit below an axis.
MOST_TERMS, MOST_ROWS, MOST_NAMES = 12, 40, 12
#: Values that differ by more than this factor are drawn on a logarithmic scale.
WIDE = 100.0
#: Values whose prediction is a dash for each; with more, a line.
MOST_DASHES = 60
#: A pull that is written as another number than zero.
SEEN = 0.005
DASHES = ("dashed", "dotted", "dashdot")


def data_drawings(findings: Findings) -> Iterator[Drawing]:
    """Draw every term of several values."""
    outcome = DataOutcome.of(findings)
    if outcome is None:
        return
    series = outcome.series
    for term, places in [*series.items()][:MOST_TERMS]:
        yield Drawing(
            "data" if len(series) == 1 else f"data-{term}",
            f"Data and prediction: {term}",
            _data_caption(outcome, term, places),
            lambda term=term, places=places: _data(outcome, term, places),  # type: ignore[misc]
            _says(outcome, places),
        )


def pull_drawings(findings: Findings) -> Iterator[Drawing]:
    """Draw the pulls of constraints and of terms of one value, where there are several and any is not zero."""
    outcome = DataOutcome.of(findings)
    if outcome is not None and len(outcome.single) > 1 and np.nanmax(np.abs(outcome.pull[outcome.single])) >= SEEN:
        rows = pull_rows(outcome)
        caption, says = _pull_caption(findings, outcome, rows), _says(outcome, rows)
        yield Drawing("pulls", "Pulls", caption, lambda: _pulls(findings, outcome, rows), says)


def _largest(outcome: DataOutcome, places: Indices) -> str:
    """Format which pull is the largest; "" where none is known."""
    pull = outcome.pull[places]
    if not np.isfinite(pull).any():
        return ""
    worst = int(places[np.nanargmax(np.abs(pull))])
    return f"The largest pull is {signed(outcome.pull[worst])} ({outcome.names[worst]})"


def _says(outcome: DataOutcome, places: Indices) -> str:
    """Format how many values lie within one and two standard deviations, and which is the furthest off."""
    pull = np.abs(outcome.pull[places][np.isfinite(outcome.pull[places])])
    within = [int(np.count_nonzero(pull <= size)) for size in (1, 2)]
    return f"Of {len(pull):,} pulls {within[0]:,} are up to 1 and {within[1]:,} up to 2. {_largest(outcome, places)}."


def _data_caption(outcome: DataOutcome, term: str, places: Indices) -> str:
    is_tied, squares = bool(outcome.is_correlated[places].any()), np.nansum(outcome.pull[places] ** 2)
    most = f" {largest}." if (largest := _largest(outcome, places)) else ""
    bars = "√n" if outcome.is_count[places].any() else "σ"
    if is_tied:
        bars = "the square roots of the diagonal of their covariance"
        whole = outcome.with_covariance(term)
        told = f"χ² of them, with their covariance, is {whole:.3g}, and" if np.isfinite(whole) else "their χ² is"
        most += f" The values are correlated: {told} not the sum of the squares of pulls, {squares:.3g}."
    elif largest:
        most = f" {largest}, the sum of their squares {squares:.3g}."
    parts = outcome.parts[term]
    named = f" Its parts, {'stacked' if _add_up(outcome, term, places) else 'each from zero'}: {', '.join(parts)}."
    return (
        f"{count(len(places), 'value')} of {term} (dots, with {bars}) and their prediction at {outcome.where} (lines)."
        f"{named if parts else ''} "
        f"Below: pulls, {_meaning(outcome, places)}; the band reaches from −1 to 1.{most}"
    )


def _add_up(outcome: DataOutcome, term: str, places: Indices) -> bool:
    """Whether the parts of a term can be stacked: none is negative, and together they are the prediction."""
    parts, whole = np.array([*outcome.parts[term].values()]), outcome.predicted[places]
    return bool(len(parts) and (parts >= 0).all() and np.allclose(parts.sum(axis=0), whole, rtol=1e-6))


def _meaning(outcome: DataOutcome, places: Indices) -> str:
    if outcome.is_count[places].any():
        return "signed roots of the deviance, positive where the prediction is too high"
    return "(predicted − observed)/error"


def _data(outcome: DataOutcome, term: str, places: Indices) -> Figure:
    figure = Figure(figsize=(WIDTH, 4.4), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    draw_data(above, below, outcome, term, places)
    return figure


def draw_data(above: Axes, below: Axes, outcome: DataOutcome, term: str, places: Indices) -> None:
    """Draw the values of a term into one panel, and their pulls into another."""
    x = outcome.x[places]
    has_x = bool(np.isfinite(x).all() and len(np.unique(x)) == len(x))
    if not has_x:
        x = np.arange(float(len(places)))
    stacked, order = _add_up(outcome, term, places), np.argsort(x)
    parts = {outcome.legends[name]: values[order] for name, values in outcome.parts[term].items()}
    x, places = x[order], places[order]
    observed, sigma = outcome.observed[places], outcome.sigma[places]
    many = len(x) > MOST_VECTORS
    is_log = observed.min() > 0 and observed.max() > WIDE * observed.min()
    if parts:
        _draw_parts(above, x, parts, stacked=stacked and not is_log, is_binned=bool(outcome.is_count[places].all()))
    _draw_prediction(above, outcome, x, places)
    dots = {"fmt": "o", "ms": 3.5, "color": INK, "elinewidth": 1.0, "rasterized": many}
    above.errorbar(x, observed, sigma, label="data", **dots)  # type: ignore[arg-type]
    if is_log:
        above.set_yscale("log")
    elif outcome.is_count[places].all():
        above.set_ylim(bottom=0)
    above.set_ylabel(in_unit(outcome.labels[places[0]], outcome.units[places[0]]))
    above.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, frameon=False)
    draw_band(below, horizontal=True)
    below.vlines(x, 0, outcome.pull[places], color=INK, lw=1, rasterized=many)
    below.plot(x, outcome.pull[places], "o", ms=3.5, color=INK, rasterized=many)
    top = max(2.0, 1.15 * float(np.nanmax(np.abs(outcome.pull[places]), initial=0.0)))
    below.set(ylabel="pull", ylim=(-top, top), xlabel=outcome.x_labels[places[0]] if has_x else "")
    if not has_x and len(x) <= MOST_NAMES:
        below.set_xticks(x, [outcome.names[k].removeprefix(f"{term}.") for k in places])


def _edges(x: Array) -> Array:
    """Return the edges of cells around increasing values."""
    return np.concatenate([[1.5 * x[0] - 0.5 * x[1]], (x[1:] + x[:-1]) / 2, [1.5 * x[-1] - 0.5 * x[-2]]])


def _draw_prediction(panel: Axes, outcome: DataOutcome, x: Array, places: Indices) -> None:
    """Draw steps for bins; else, as nothing is predicted between values, dashes, or a line where they are many."""
    predicted = outcome.predicted[places]
    look: dict[str, Any] = {"color": colours()(0.75), "lw": 1.6, "label": f"prediction at {outcome.named}"}
    if outcome.is_count[places].all():
        panel.stairs(predicted, _edges(x), baseline=None, **look)
    elif len(x) > MOST_DASHES:
        panel.plot(x, predicted, **look)
    else:
        # As wide as the narrowest cell, so that none meets another.
        half = 0.4 * float(np.diff(x).min())
        panel.hlines(predicted, x - half, x + half, **look)


def _draw_parts(panel: Axes, x: Array, parts: Mapping[str, Array], *, stacked: bool, is_binned: bool) -> None:
    """Draw the parts of a prediction: areas one on the other, or lines from zero."""
    below = np.zeros(len(x))
    for number, (name, values) in enumerate(parts.items()):
        shade = colours()(0.08 + 0.36 * number / max(1, len(parts) - 1))
        if stacked and is_binned:
            panel.stairs(below + values, _edges(x), baseline=below, fill=True, color=shade, lw=0, label=name)
        elif stacked:
            panel.fill_between(x, below, below + values, color=shade, lw=0, label=name)
        elif is_binned:
            panel.stairs(values, _edges(x), baseline=None, color=shade, lw=1.2, ls=DASHES[number % 3], label=name)
        else:
            panel.plot(x, values, color=shade, lw=1.2, ls=DASHES[number % 3], label=name)
        below = below + values


def draw_band(panel: Axes, *, horizontal: bool) -> None:
    """Shade pulls up to 1 and draw zero."""
    band, line = (panel.axhspan, panel.axhline) if horizontal else (panel.axvspan, panel.axvline)
    band(-1, 1, color="0.9", lw=0)
    line(0, color=GREY, lw=0.8)


def pull_rows(outcome: DataOutcome) -> Indices:
    """Choose the pulls that are drawn: all in their order, or the largest."""
    single = outcome.single
    if len(single) <= MOST_ROWS:
        return single
    order = np.argsort(-np.nan_to_num(np.abs(outcome.pull[single])), kind="stable")
    return single[order[:MOST_ROWS]]


def _pull_caption(findings: Findings, outcome: DataOutcome, rows: Indices) -> str:
    n_all, has_errors = len(outcome.single), any(constraint_error(findings, outcome, int(k)) > 0 for k in rows)
    which = f"the largest {len(rows)} of {n_all}" if len(rows) < n_all else f"the {n_all} values that stand alone"
    most = f" {largest}." if (largest := _largest(outcome, rows)) else ""
    bars = " Bars: the error of the fitted parameter over that of its constraint." if has_errors else ""
    return (
        f"Pulls of {which} at {outcome.where}, (predicted − observed)/σ; for a constraint, how far the fit moves its "
        f"parameter. Bands: up to 1 and up to 2.{bars}{most}"
    )


def constraint_error(findings: Findings, outcome: DataOutcome, k: int) -> float:
    """Return the error of a constrained parameter over that of its constraint; 0 where it is not known."""
    name, fitted = outcome.names[k].removeprefix(CONSTRAINT), findings.fitted
    if fitted is None or name == outcome.names[k] or name not in fitted.names:
        return 0.0
    number = fitted.names.index(name)
    variance = fitted.covariance[number, number]
    return float(np.sqrt(variance) / outcome.sigma[k]) if variance > 0 else 0.0


def _pulls(findings: Findings, outcome: DataOutcome, rows: Indices) -> Figure:
    figure, (panel,) = blank(height=1.0 + 0.26 * len(rows), width=0.8 * WIDTH)
    draw_pulls(panel, findings, outcome, rows)
    return figure


def draw_pulls(panel: Axes, findings: Findings, outcome: DataOutcome, rows: Indices) -> None:
    """Draw pulls one below the other, with the errors of constrained parameters, and write the values beside them."""
    panel.axvspan(-2, 2, color="0.95", lw=0)
    draw_band(panel, horizontal=False)
    places, pull = np.arange(len(rows)), outcome.pull[rows]
    errors = np.array([constraint_error(findings, outcome, int(k)) for k in rows])
    panel.errorbar(pull, places, xerr=errors, fmt="o", ms=4, color=INK, elinewidth=1.2)
    top = max(2.6, 1.1 * float(np.nanmax(np.abs(pull) + errors, initial=0.0)))
    panel.set(xlim=(-top, top), ylim=(len(rows) - 0.4, -0.6), xlabel="pull")
    panel.set_yticks(places, [outcome.written(int(k)) for k in rows])
    panel.tick_params(axis="y", length=0)
    for row, (value, error) in enumerate(zip(pull, errors, strict=True)):
        text = f"{signed(value)} ± {error:.2f}" if error else signed(value)
        panel.text(1.02, row, text, transform=panel.get_yaxis_transform(), va="center", fontsize="small")
