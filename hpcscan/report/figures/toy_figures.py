"""Regions of fixed coverage beside Wilks': critical values along one parameter, points of a region over pairs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from math import isclose

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from hpcscan.analysis.findings import Findings
from hpcscan.analysis.toy_results import Toys, region_texts, toys_text
from hpcscan.arrays import Array, BoolArray
from hpcscan.distribution import survival
from hpcscan.report.figures.axes import PaperAxis, set_horizontal, set_vertical
from hpcscan.report.figures.canvas import ACCENT, GREY, INK, Drawing, blank
from hpcscan.report.figures.profile_curves import profile_curve

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
    # The names of parameters keep their letters.
    regions = "; ".join(region_texts(toys))
    if n == 1:
        caption = (
            "Above: Δχ² of the data, and critical values of toys with their errors; grey lines: levels after Wilks. "
            "Below: p, after Wilks (line) and by toys (with errors); grey lines: 1 − CL. Shaded: the regions by toys: "
            f"{regions}. Toys of neighbouring points are alike, and so are their errors. {say}"
        )
        yield Drawing("toys", "Levels by toys", caption, lambda: _line(findings, toys))
        return
    projected = (
        "" if n == 2 else ": projections, in which a point is shaded if it is inside for some values of the others"
    )
    caption = (
        f"Points of the grid in the regions of fixed coverage{projected}; lines: Δχ² after Wilks. The regions are "
        f"known at points alone, and their edges to a step of the grid: {regions}. {say}"
    )
    yield Drawing("toys", "Regions by toys", caption, lambda: _planes(findings, toys))


def _line(findings: Findings, toys: Toys) -> Figure:
    """Draw Δχ² with critical values along one parameter, and p below."""
    figure, (above, below) = blank(2, height=5.0)
    paper = PaperAxis.of(findings.scan, findings.landscape.scanned[0])
    for panel in (above, below):
        set_horizontal(panel, paper)
        for number, cl in enumerate(toys.cl):
            for region in toys.regions(cl) or ():
                panel.axvspan(region.lower, region.upper, color=ACCENT, alpha=0.12, lw=0)
                for end in (region.lower, region.upper):
                    panel.axvline(end, color=ACCENT, ls=STYLES[number % len(STYLES)], lw=0.8)
    # Every level has a style, in grey after Wilks and in colour by toys.
    handles = [Line2D([], [], marker="o", ms=3, lw=1, color=INK, label="data")]
    for number, cl in enumerate(toys.cl):
        style, name = STYLES[number % len(STYLES)], f"{100 * cl:g} %"
        above.axhline(toys.wilks[number], color=GREY, ls=style, lw=1.2)
        below.axhline(1 - cl, color=GREY, ls=style, lw=1.2)
        _errors(above, paper.values, toys.critical(number), "_")
        handles.append(Line2D([], [], color=GREY, ls=style, lw=1.2, label=f"{name} after Wilks"))
        handles.append(Line2D([], [], color=ACCENT, ls=style, lw=1.2, label=f"region of {name} by toys"))
    handles.append(Line2D([], [], color=ACCENT, marker="_", ls="none", label="critical value, p by toys"))
    x, delta = _curve(findings, toys, paper)
    above.plot(x, delta, lw=1, color=INK)
    above.plot(paper.values, toys.delta_chi2, "o", ms=3, color=INK)
    above.set(xlabel="", ylabel="Δχ²", ylim=(-0.03 * TOP * toys.wilks.max(), TOP * toys.wilks.max()))
    above.tick_params(labelbottom=False)
    # After Wilks p follows from Δχ² alone.
    below.plot(x, [survival(max(one, 0.0), 1) for one in delta.tolist()], color=INK, lw=1)
    _errors(below, paper.values, toys.p_values, "_")
    below.set(ylabel="p", ylim=(0, 1.03))
    above.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False)
    return figure


def _curve(findings: Findings, toys: Toys, paper: PaperAxis) -> tuple[Array, Array]:
    """Return the profile between the values, too, where the toys look at no wider a range than the grid."""
    (axis,) = (one for one in findings.profiles.axes if one.number == findings.landscape.scanned[0])
    if findings.landscape.is_sound and np.allclose(toys.delta_chi2, axis.delta_chi2, rtol=1e-3, atol=1e-3):
        return profile_curve(findings, axis)
    return paper.values, toys.delta_chi2


def _errors(panel: Axes, x: Array, found: tuple[Array, Array, Array], marker: str) -> None:
    """Draw values with their ends, where they are known."""
    value, lower, upper = found
    # An end may be open: then there is no error to draw.
    known = np.flatnonzero(np.isfinite(value) & np.isfinite(lower) & np.isfinite(upper))
    errors = np.clip(np.stack([value - lower, upper - value])[:, known], 0, None)
    panel.errorbar(x[known], value[known], errors, fmt=marker, color=ACCENT, ms=5, elinewidth=0.9)


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
    _after_wilks(panel, findings, toys, pair)


def _after_wilks(panel: Axes, findings: Findings, toys: Toys, pair: tuple[int, int]) -> None:
    """Draw the lines after Wilks: as they were fitted where these levels were, or else between the points."""
    shape = findings.landscape.grid.shape
    delta = toys.delta_chi2.reshape(shape)
    kept = tuple(k for k in range(len(shape)) if k not in pair)
    delta = np.fmin.reduce(delta, axis=kept) if kept else delta
    x, y = (PaperAxis.of(findings.scan, number) for number in pair)
    plane = next(plane for plane in findings.planes if plane.numbers == pair)
    for number, level in enumerate(toys.wilks.tolist()):
        style = STYLES[number % len(STYLES)]
        fitted = [k for k, known in enumerate(plane.levels) if isclose(known, level, rel_tol=1e-9)]
        if findings.fitted is not None and fitted:
            for line in plane.contours[fitted[0]]:
                panel.plot(*line.points.T, color=ACCENT, ls=style, lw=1.2)
        elif min(delta.shape) > 1 and np.isfinite(delta).any():
            panel.contour(x.values, y.values, delta.T, levels=[level], colors=ACCENT, linestyles=style, linewidths=1.2)


def _fill(panel: Axes, x: PaperAxis, y: PaperAxis, is_in: BoolArray, shade: str) -> None:
    for i, j in np.argwhere(is_in).tolist():
        corners = (x.edges[i], x.edges[i + 1]), (y.edges[j], y.edges[j + 1])
        (left, right), (low, high) = corners
        panel.fill([left, right, right, left], [low, low, high, high], color=shade, lw=0)
