"""Data beside their prediction at the best fit, with pulls below; and the pulls of single values and constraints."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hpcscan.analysis.findings import Findings
from hpcscan.analysis.landscape import Indices
from hpcscan.arrays import Array, BoolArray
from hpcscan.report.figures.axes import typeset
from hpcscan.report.figures.canvas import GREY, INK, WIDTH, Drawing, blank, colours
from hpcscan.report.figures.field import MOST_VECTORS
from hpcscan.report.figures.scale import signed
from hpcscan.words.numbers import count, place

#: In front of the name of a parameter whose constraint is an observable.
CONSTRAINT = "constraint."
#: Terms that have a figure of their own, the first ones; rows of the figure of pulls; names that fit below an axis.
MOST_TERMS, MOST_ROWS, MOST_NAMES = 12, 40, 12
#: Values that differ by more than this factor are drawn on a logarithmic scale.
WIDE = 100.0


@dataclass(frozen=True)
class Outcome:
    """The data of a scan and what the best fit makes of them.

    Attributes
    ----------
    where : str
        Which point it is.
    names, terms, units : tuple of str, one for each value
    x, observed, sigma, predicted, pull, is_count : array
        NaN where there is none; of counts σ is √n.
    """

    where: str
    names: tuple[str, ...]
    terms: tuple[str, ...]
    units: tuple[str, ...]
    x: Array
    observed: Array
    sigma: Array
    predicted: Array
    pull: Array
    is_count: BoolArray

    @classmethod
    def of(cls, findings: Findings) -> Outcome | None:
        """Collect it at the best fit or, where none was fitted, at the lowest point; None without data or χ²."""
        scan, landscape = findings.scan, findings.landscape
        names = scan.labels("observable")
        if landscape.lowest is None or not names:
            return None
        observed, sigma = (np.asarray(scan.variables[name].values, float) for name in ("observed", "sigma"))
        if findings.fitted is not None:
            where = "the best fit"
            predicted = np.asarray(scan.variables["best_fit_predicted"].values, float)
            pull = findings.fitted.pulls
        else:
            where = f"the lowest point, {place(landscape.grid, landscape.lowest)}"
            predicted, pull = (scan.at_points(name)[landscape.lowest] for name in ("predicted", "pull"))
        is_count = np.isnan(sigma)
        sigma = np.where(is_count, np.sqrt(np.maximum(observed, 0)), sigma)
        terms = tuple(map(str, scan.variables["term_name"].values))
        x = np.asarray(scan.variables["observable_x"].values, float)
        return cls(where, names, terms, scan.units("observable"), x, observed, sigma, predicted, pull, is_count)

    @property
    def series(self) -> dict[str, Indices]:
        """The terms of several values, each with its places."""
        found = {term: np.flatnonzero(np.array(self.terms) == term) for term in dict.fromkeys(self.terms)}
        return {term: places for term, places in found.items() if len(places) > 1}

    @property
    def single(self) -> Indices:
        """Single values and constraints."""
        several = self.series
        return np.array([k for k, term in enumerate(self.terms) if term not in several], np.intp)


def data_drawings(findings: Findings) -> Iterator[Drawing]:
    """Draw every term of several values."""
    outcome = Outcome.of(findings)
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
    """Draw the pulls of constraints and of terms of one value, where there are several."""
    outcome = Outcome.of(findings)
    if outcome is not None and len(outcome.single) > 1:
        rows = pull_rows(outcome)
        caption, says = _pull_caption(findings, outcome, rows), _says(outcome, rows)
        yield Drawing("pulls", "Pulls", caption, lambda: _pulls(findings, outcome, rows), says)


def _largest(outcome: Outcome, places: Indices) -> str:
    """Say which pull is the largest; "" where none is known."""
    pull = outcome.pull[places]
    if not np.isfinite(pull).any():
        return ""
    worst = int(places[np.nanargmax(np.abs(pull))])
    return f"The largest pull is {signed(outcome.pull[worst])} ({outcome.names[worst]})"


def _says(outcome: Outcome, places: Indices) -> str:
    """Say how many values lie within one and two standard deviations, and which is the furthest off."""
    pull = np.abs(outcome.pull[places][np.isfinite(outcome.pull[places])])
    within = [int(np.count_nonzero(pull <= size)) for size in (1, 2)]
    return f"Of {len(pull):,} pulls {within[0]:,} are up to 1 and {within[1]:,} up to 2. {_largest(outcome, places)}."


def _data_caption(outcome: Outcome, term: str, places: Indices) -> str:
    largest, squares = _largest(outcome, places), np.nansum(outcome.pull[places] ** 2)
    most = f" {largest}, the sum of their squares {squares:.3g}." if largest else ""
    bars = "√n" if outcome.is_count[places].any() else "σ"
    return (
        f"{count(len(places), 'value')} of {term} (dots, with {bars}) and their prediction at {outcome.where} (steps). "
        f"Below: pulls, {_meaning(outcome, places)}; the band reaches from −1 to 1.{most}"
    )


def _meaning(outcome: Outcome, places: Indices) -> str:
    return "signed roots of the deviance" if outcome.is_count[places].any() else "(predicted − observed)/σ"


def _data(outcome: Outcome, term: str, places: Indices) -> Figure:
    figure = Figure(figsize=(WIDTH, 4.4), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    draw_data(above, below, outcome, term, places)
    return figure


def draw_data(above: Axes, below: Axes, outcome: Outcome, term: str, places: Indices) -> None:
    """Draw the values of a term into one panel, and their pulls into another."""
    x = outcome.x[places]
    has_x = bool(np.isfinite(x).all() and len(np.unique(x)) == len(x))
    if not has_x:
        x = np.arange(float(len(places)))
    order = np.argsort(x)
    x, places = x[order], places[order]
    observed, sigma, predicted = (part[places] for part in (outcome.observed, outcome.sigma, outcome.predicted))
    many = len(x) > MOST_VECTORS
    edges = np.concatenate([[1.5 * x[0] - 0.5 * x[1]], (x[1:] + x[:-1]) / 2, [1.5 * x[-1] - 0.5 * x[-2]]])
    above.stairs(predicted, edges, baseline=None, color=colours()(0.75), lw=1.4, label=f"prediction at {outcome.where}")
    dots = {"fmt": "o", "ms": 3.5, "color": INK, "elinewidth": 1.0, "rasterized": many}
    above.errorbar(x, observed, sigma, label="data", **dots)  # type: ignore[arg-type]
    if observed.min() > 0 and observed.max() > WIDE * observed.min():
        above.set_yscale("log")
    unit = typeset(outcome.units[places[0]])
    above.set_ylabel(f"{term} ({unit})" if unit else term)
    above.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, frameon=False)
    draw_band(below, horizontal=True)
    below.vlines(x, 0, outcome.pull[places], color=INK, lw=1, rasterized=many)
    below.plot(x, outcome.pull[places], "o", ms=3.5, color=INK, rasterized=many)
    top = max(2.0, 1.15 * float(np.nanmax(np.abs(outcome.pull[places]), initial=0.0)))
    below.set(ylabel="pull", ylim=(-top, top), xlabel="x" if has_x else "")
    if not has_x and len(x) <= MOST_NAMES:
        below.set_xticks(x, [outcome.names[k].removeprefix(f"{term}.") for k in places])


def draw_band(panel: Axes, *, horizontal: bool) -> None:
    """Shade pulls up to 1 and draw zero."""
    band, line = (panel.axhspan, panel.axhline) if horizontal else (panel.axvspan, panel.axvline)
    band(-1, 1, color="0.9", lw=0)
    line(0, color=GREY, lw=0.8)


def pull_rows(outcome: Outcome) -> Indices:
    """Choose the pulls that are drawn: all in their order, or the largest."""
    single = outcome.single
    if len(single) <= MOST_ROWS:
        return single
    order = np.argsort(-np.nan_to_num(np.abs(outcome.pull[single])), kind="stable")
    return single[order[:MOST_ROWS]]


def _pull_caption(findings: Findings, outcome: Outcome, rows: Indices) -> str:
    n_all, has_errors = len(outcome.single), any(constraint_error(findings, outcome, int(k)) > 0 for k in rows)
    which = f"the largest {len(rows)} of {n_all}" if len(rows) < n_all else f"the {n_all} values that stand alone"
    most = f" {largest}." if (largest := _largest(outcome, rows)) else ""
    bars = " Bars: the error of the fitted parameter over that of its constraint." if has_errors else ""
    return (
        f"Pulls of {which} at {outcome.where}, (predicted − observed)/σ; for a constraint, how far the fit moves its "
        f"parameter. Bands: up to 1 and up to 2.{bars}{most}"
    )


def constraint_error(findings: Findings, outcome: Outcome, k: int) -> float:
    """Return the error of a constrained parameter over that of its constraint; 0 where it is not known."""
    name, fitted = outcome.names[k].removeprefix(CONSTRAINT), findings.fitted
    if fitted is None or name == outcome.names[k] or name not in fitted.names:
        return 0.0
    number = fitted.names.index(name)
    variance = fitted.covariance[number, number]
    return float(np.sqrt(variance) / outcome.sigma[k]) if variance > 0 else 0.0


def _pulls(findings: Findings, outcome: Outcome, rows: Indices) -> Figure:
    figure, (panel,) = blank(height=1.0 + 0.26 * len(rows), width=0.8 * WIDTH)
    draw_pulls(panel, findings, outcome, rows)
    return figure


def draw_pulls(panel: Axes, findings: Findings, outcome: Outcome, rows: Indices) -> None:
    """Draw pulls one below the other, with the errors of constrained parameters, and write the values beside them."""
    panel.axvspan(-2, 2, color="0.95", lw=0)
    draw_band(panel, horizontal=False)
    places, pull = np.arange(len(rows)), outcome.pull[rows]
    errors = np.array([constraint_error(findings, outcome, int(k)) for k in rows])
    panel.errorbar(pull, places, xerr=errors, fmt="o", ms=4, color=INK, elinewidth=1.2)
    top = max(2.6, 1.1 * float(np.nanmax(np.abs(pull) + errors, initial=0.0)))
    panel.set(xlim=(-top, top), ylim=(len(rows) - 0.4, -0.6), xlabel="pull")
    panel.set_yticks(places, [outcome.names[k].removeprefix(CONSTRAINT) for k in rows])
    panel.tick_params(axis="y", length=0)
    for row, (value, error) in enumerate(zip(pull, errors, strict=True)):
        text = f"{signed(value)} ± {error:.2f}" if error else signed(value)
        panel.text(1.02, row, text, transform=panel.get_yaxis_transform(), va="center", fontsize="small")
