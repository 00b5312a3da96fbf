"""Regions of fixed coverage beside Wilks': critical values along one parameter, points of a region over pairs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from hpcscan.analysis.findings import Findings
from hpcscan.analysis.toy_results import Toys, region_texts, toys_text
from hpcscan.arrays import BoolArray
from hpcscan.report.figures.axes import PaperAxis, set_horizontal, set_vertical
from hpcscan.report.figures.canvas import ACCENT, GREY, INK, Drawing, blank

STYLES = ("solid", "dashed", "dotted", "dashdot")
#: Cells inside a region, from the smallest one outwards.
SHADES = ("0.45", "0.65", "0.8", "0.9")
#: Scanned parameters whose pairs are drawn, and panels side by side.
MOST, COLUMNS = 4, 3
#: Above this × the highest level nothing is drawn.
TOP = 1.8


def toy_drawings(findings: Findings) -> Iterator[Drawing]:
    """Draw what toys say, where there are some and not too many parameters are scanned."""
    toys, n = findings.toys, len(findings.landscape.scanned)
    if toys is None or toys.refusal or not 1 <= n <= MOST:
        return
    say = toys_text(toys, findings.settings.gate.wilks)
    regions = ". ".join(text[0].upper() + text[1:] for text in region_texts(toys))
    if n == 1:
        lines = "grey lines: levels after Wilks; upright lines: the ends of the regions by toys"
        caption = f"Δχ² of the data and critical values of toys with their errors; {lines}. {regions}. {say}"
        yield Drawing("toys", "Levels by toys", caption, lambda: _line(findings, toys))
        return
    projected = (
        "" if n == 2 else ": projections, in which a point is shaded if it is inside for some values of the others"
    )
    caption = (
        f"Points of the grid in the regions of fixed coverage{projected}; lines: Δχ² after Wilks. The regions are "
        f"known at points alone, and their edges to a step of the grid. {regions}. {say}"
    )
    yield Drawing("toys", "Regions by toys", caption, lambda: _planes(findings, toys))


def _line(findings: Findings, toys: Toys) -> Figure:
    """Draw Δχ² and critical values along one parameter."""
    figure, (panel,) = blank(height=3.8)
    paper = PaperAxis.of(findings.scan, findings.landscape.scanned[0])
    set_horizontal(panel, paper)
    panel.set_ylabel("Δχ²")
    panel.set_ylim(-0.03 * TOP * toys.wilks.max(), TOP * toys.wilks.max())
    panel.plot(paper.values, toys.delta_chi2, "o-", ms=3, lw=1, color=INK)
    handles = [Line2D([], [], marker="o", ms=3, lw=1, color=INK, label="data")]
    for number, cl in enumerate(toys.cl):
        style, name = STYLES[number % len(STYLES)], f"{100 * cl:g} %"
        panel.axhline(toys.wilks[number], color=GREY, ls=style, lw=1.2)
        value, lower, upper = toys.critical(number)
        known = np.flatnonzero(np.isfinite(value) & np.isfinite(upper))
        errors = np.stack([value - lower, upper - value])[:, known]
        panel.errorbar(paper.values[known], value[known], errors, color=ACCENT, ls=style, lw=1, elinewidth=0.8)
        handles += [
            Line2D([], [], color=ACCENT, ls=style, lw=1, label=f"critical value of toys, {name}"),
            Line2D([], [], color=GREY, ls=style, lw=1.2, label=f"Wilks, {name}"),
        ]
        for region in toys.regions(cl) or ():
            for end in (region.lower, region.upper):
                panel.axvline(end, color=ACCENT, ls=style, lw=0.8, alpha=0.6)
    panel.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    return figure


def _planes(findings: Findings, toys: Toys) -> Figure:
    """Mark the points of the regions over every pair of parameters."""
    pairs = [*combinations(findings.landscape.scanned, 2)]
    columns = min(len(pairs), COLUMNS)
    rows = -(-len(pairs) // columns)
    figure, panels = blank(rows, columns, height=4.4 if columns == 1 else 3.2 * rows)
    for panel, pair in zip(panels, pairs, strict=False):
        _plane(panel, findings, toys, pair)
    for panel in panels[len(pairs) :]:
        panel.set_axis_off()
    styles = [STYLES[k % len(STYLES)] for k in range(len(toys.cl))]
    shades = [SHADES[k % len(SHADES)] for k in range(len(toys.cl))]
    handles: list[Patch | Line2D] = [
        *(Patch(facecolor=c, label=f"{100 * cl:g} % by toys") for cl, c in zip(toys.cl, shades, strict=True)),
        *(
            Line2D([], [], color=ACCENT, ls=style, lw=1.2, label=f"{100 * cl:g} %, Wilks")
            for cl, style in zip(toys.cl, styles, strict=True)
        ),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=2)
    return figure


def _plane(panel: Axes, findings: Findings, toys: Toys, pair: tuple[int, int]) -> None:
    """Draw one pair: the regions, and the lowest Δχ² over the other parameters."""
    x, y = (PaperAxis.of(findings.scan, number) for number in pair)
    set_horizontal(panel, x)
    set_vertical(panel, y)
    shape = findings.scan.grid.shape
    others = tuple(k for k in range(len(shape)) if k not in pair)
    # The largest region first, so that the smaller ones lie on it.
    for number in reversed(range(len(toys.cl))):
        is_in = (toys.is_in(number).reshape(shape) == 1).any(axis=others)
        _fill(panel, x, y, is_in, SHADES[number % len(SHADES)])
    delta = np.fmin.reduce(toys.delta_chi2.reshape(shape), axis=others) if others else toys.delta_chi2.reshape(shape)
    if min(delta.shape) > 1 and np.isfinite(delta).any():
        styles = [STYLES[k % len(STYLES)] for k in range(len(toys.cl))]
        panel.contour(x.values, y.values, delta.T, levels=toys.wilks, colors=ACCENT, linestyles=styles, linewidths=1.2)


def _fill(panel: Axes, x: PaperAxis, y: PaperAxis, is_in: BoolArray, shade: str) -> None:
    for i, j in np.argwhere(is_in).tolist():
        corners = (x.edges[i], x.edges[i + 1]), (y.edges[j], y.edges[j + 1])
        (left, right), (low, high) = corners
        panel.fill([left, right, right, left], [low, low, high, high], color=shade, lw=0)
