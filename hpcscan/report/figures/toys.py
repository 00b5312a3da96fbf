"""Regions of fixed coverage beside Wilks': critical values along one parameter, points of a region over two."""

from __future__ import annotations

from collections.abc import Iterator

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
#: Above this × the highest level nothing is drawn.
TOP = 1.8


def toy_drawings(findings: Findings) -> Iterator[Drawing]:
    """Draw what toys say, where there are some and one or two parameters are scanned."""
    toys = findings.toys
    if toys is None or toys.refusal or len(findings.landscape.scanned) not in (1, 2):
        return
    say = toys_text(toys, findings.settings.gate.wilks)
    regions = ". ".join(text[0].upper() + text[1:] for text in region_texts(toys))
    if len(findings.landscape.scanned) == 1:
        lines = "grey lines: levels after Wilks; upright lines: the ends of the regions by toys"
        caption = f"Δχ² of the data and critical values of toys with their errors; {lines}. {regions}. {say}"
        yield Drawing("toys", "Levels by toys", caption, lambda: _line(findings, toys))
    else:
        caption = (
            f"Points of the grid in the regions of fixed coverage; lines: Δχ² after Wilks. The regions are known at "
            f"points alone, and their edges to a step of the grid. {regions}. {say}"
        )
        yield Drawing("toys", "Regions by toys", caption, lambda: _plane(findings, toys))


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


def _plane(findings: Findings, toys: Toys) -> Figure:
    """Mark the points of the regions over two parameters."""
    figure, (panel,) = blank(height=4.4)
    x, y = (PaperAxis.of(findings.scan, number) for number in findings.landscape.scanned)
    set_horizontal(panel, x)
    set_vertical(panel, y)
    shape = tuple(len(axis.values) for axis in (x, y))
    # The largest region first, so that the smaller ones lie on it.
    handles: list[Patch | Line2D] = []
    for number in reversed(range(len(toys.cl))):
        is_in = toys.is_in(number).reshape(shape) == 1
        shade = SHADES[number % len(SHADES)]
        _fill(panel, x, y, is_in, shade)
        handles.insert(0, Patch(facecolor=shade, label=f"{100 * toys.cl[number]:g} % by toys"))
    delta = toys.delta_chi2.reshape(shape)
    if min(shape) > 1 and np.isfinite(delta).any():
        styles = [STYLES[k % len(STYLES)] for k in range(len(toys.cl))]
        panel.contour(x.values, y.values, delta.T, levels=toys.wilks, colors=ACCENT, linestyles=styles, linewidths=1.2)
        pairs = zip(toys.cl, styles, strict=True)
        handles += [Line2D([], [], color=ACCENT, ls=style, lw=1.2, label=f"{100 * c:g} %, Wilks") for c, style in pairs]
    panel.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    return figure


def _fill(panel: Axes, x: PaperAxis, y: PaperAxis, is_in: BoolArray, shade: str) -> None:
    for i, j in np.argwhere(is_in).tolist():
        corners = (x.edges[i], x.edges[i + 1]), (y.edges[j], y.edges[j + 1])
        (left, right), (low, high) = corners
        panel.fill([left, right, right, left], [low, low, high, high], color=shade, lw=0)
