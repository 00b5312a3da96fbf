"""Figures of several scans: where two differ, and several in one plane."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import PurePath

import matplotlib as mpl
import numpy as np
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from hpcscan.analysis.comparison import SharedPoints, delta_chi2_difference
from hpcscan.analysis.findings import Findings
from hpcscan.analysis.landscape import Landscape
from hpcscan.analysis.planes import Plane, levels
from hpcscan.analysis.profile_text import interval_text
from hpcscan.analysis.profiles import AxisProfile
from hpcscan.arrays import Array
from hpcscan.grid import Grid, GridAxis
from hpcscan.report.figures.axes import (
    PaperAxis,
    draw_bar,
    draw_field,
    panel_height,
    paper_axes,
    set_horizontal,
    set_vertical,
)
from hpcscan.report.figures.canvas import BOTH_SIGNS, GREY, INK, WIDE, WIDTH, Drawing, blank
from hpcscan.report.figures.maps import LINES
from hpcscan.report.figures.profile_curves import at_values, profile_curve, set_height
from hpcscan.report.projection import Projection
from hpcscan.words.numbers import spread

#: Distinct for the colour-blind, and in grey by their markers (Okabe and Ito).
COLOURS = ("#000000", "#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00")
MARKERS = ("o", "s", "^", "D", "v", "P")
#: With more scans nothing could be told apart.
MOST = len(COLOURS)


def difference_drawing(one: Findings, two: Findings, common: SharedPoints, name: str) -> Drawing:
    """Prepare the map of the points that two scans have in common; with one axis a line."""
    values = delta_chi2_difference(one, two, common)
    projection = Projection.of(_common_landscape(one, common))
    note = projection.lowest_note.replace("lowest χ²", "lowest χ² of the first")
    caption = (
        f"Δχ² of {two.scan.name} minus Δχ² of {one.scan.name} at {len(values):,} common points, each against the best "
        f"point of its own scan: {spread(values)}.{note}"
    )
    axes = [replace(axis, values=common.values[axis.number]) for axis in paper_axes(one.scan, projection)]
    shown = projection.at_lowest(values)
    return Drawing(name, "Difference of Δχ²", caption, lambda: _draw(projection, axes, shown))


def _common_landscape(one: Findings, common: SharedPoints) -> Landscape:
    """Select the common points of the first scan."""
    grid, whole = one.landscape.grid, one.landscape
    names = [axis.name for axis in grid.axes]
    return Landscape(
        Grid(tuple(GridAxis(name, tuple(map(float, v))) for name, v in zip(names, common.values, strict=True))),
        whole.chi2[common.first],
        whole.gap[common.first],
        whole.edm[common.first],
        whole.status.at(common.first),
    )


def _draw(projection: Projection, axes: list[PaperAxis], values: Array) -> Figure:
    figure, (panel,) = blank(height=panel_height(projection) + 0.6)
    label = "difference of Δχ²"
    if len(axes) == 1:
        panel.plot(axes[0].centres, values, "o-", color=INK, ms=3.5, lw=1.2)
        panel.set(xlabel=axes[0].label, ylabel=label)
        return figure
    # Of differences of either sign the middle of the colours is none.
    largest = float(np.nanmax(np.abs(values), initial=0.0))
    norm = Normalize(-largest, largest) if np.nanmin(values, initial=0.0) < 0 < np.nanmax(values, initial=0.0) else None
    mesh = draw_field(panel, axes, values, norm, mpl.colormaps[BOTH_SIGNS] if norm else None)
    draw_bar(mesh, panel, label)
    return figure


def overlay_drawings(scans: Sequence[Findings]) -> Iterator[Drawing]:
    """Draw the contours over every pair of parameters that all scan, and the profiles; nothing where none is common."""
    scans = scans[:MOST]
    # What all have scanned, in the order of the first.
    common = [axis.name for axis in scans[0].profiles.axes if all(axis.name in _axes(scan) for scan in scans)]
    for pair in combinations(common, 2):
        planes = [_plane(scan, pair) for scan in scans]
        if any(plane.has_contours for plane in planes):
            yield Drawing(
                f"overlay-{pair[0]}-{pair[1]}",
                "Contours of several scans",
                _plane_caption(scans, pair),
                lambda pair=pair, planes=planes: _contours(scans, pair, planes),  # type: ignore[misc]
            )
    if common:
        caption = _profile_caption(scans, common)
        yield Drawing("overlay-profiles", "Profiles of several scans", caption, lambda: _profiles(scans, common))


def names_of(scans: Sequence[Findings]) -> list[str]:
    """Return the names of the files of scans or, where these are the same, their paths."""
    stems = [PurePath(scan.scan.name).stem for scan in scans]
    return stems if len(set(stems)) == len(stems) else [scan.scan.name for scan in scans]


def _axes(scan: Findings) -> dict[str, AxisProfile]:
    return {axis.name: axis for axis in scan.profiles.axes}


def _plane(scan: Findings, pair: tuple[str, str]) -> Plane:
    """Find the plane of two parameters, in their order."""
    # The other scan may have its axes in the other order.
    found = next(plane for plane in scan.planes if {*plane.names} == {*pair})
    return found if found.names == pair else found.turned


def _plane_caption(scans: Sequence[Findings], pair: tuple[str, str]) -> str:
    drawn = "; ".join(f"{style}: Δχ² = {level.value:.4g}" for style, level in zip(LINES, levels(2, False), strict=True))
    return (
        f"Contours of {', '.join(names_of(scans))} over {pair[0]} and {pair[1]}, each against its own best fit, after "
        f"profiling all others ({drawn}). Marks: minima.{_remarks(scans)}"
    )


def _remarks(scans: Sequence[Findings]) -> str:
    """List the scans whose levels are no confidence levels, as a sentence."""
    without = [name for name, scan in zip(names_of(scans), scans, strict=True) if not scan.has_confidence]
    return f" Of {', '.join(without)} the levels are not confidence levels." if without else ""


def _profile_caption(scans: Sequence[Findings], common: Sequence[str]) -> str:
    found = [
        f"{name}, {axis.name}: {interval_text(axis, axis.intervals[0])}"
        for name, scan in zip(names_of(scans), scans, strict=True)
        for axis in (_axes(scan)[one] for one in common)
    ]
    return (
        f"Δχ² of {', '.join(names_of(scans))} along {', '.join(common)}, each against its own best fit. Grey lines: "
        f"Δχ² = 1, 4, 9. At Δχ² = 1: {'; '.join(found)}.{_remarks(scans)}"
    )


def _contours(scans: Sequence[Findings], pair: tuple[str, str], planes: Sequence[Plane]) -> Figure:
    figure, (panel,) = blank(height=4.4)
    handles = []
    x, y = (PaperAxis.of(scans[0].scan, _axes(scans[0])[name].number) for name in pair)
    set_horizontal(panel, x)
    set_vertical(panel, y)
    for plane, colour, marker, name in zip(planes, COLOURS, MARKERS, names_of(scans), strict=False):
        for style, lines in zip(LINES, plane.contours, strict=True):
            for line in lines:
                panel.plot(*line.points.T, color=colour, ls=style, lw=1.4)
        # A lowest point at an edge is no minimum, and has no mark.
        shown = marker if plane.best is not None and plane.is_minimum else ""
        if plane.best is not None and shown:
            panel.plot(*([value] for value in plane.best), marker, color=colour, ms=6)
        handles.append(Line2D([], [], color=colour, marker=shown, ms=5, lw=1.4, label=name))
    handles += [Line2D([], [], color=GREY, ls=s, label=a.name) for s, a in zip(LINES, levels(2, False), strict=True)]
    panel.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    return figure


def _profiles(scans: Sequence[Findings], common: Sequence[str]) -> Figure:
    columns = min(len(common), 3)
    rows, width = -(-len(common) // columns), WIDTH if columns < 3 else WIDE
    figure, panels = blank(rows, columns, height=0.4 + 3.0 * rows, width=width)
    for panel, name in zip(panels, common, strict=False):
        set_horizontal(panel, PaperAxis.of(scans[0].scan, _axes(scans[0])[name].number), is_short=len(common) > 1)
        for level, style in zip((1, 4, 9), LINES, strict=True):
            panel.axhline(level, color=GREY, ls=style, lw=0.8)
        for scan, colour, marker, label in zip(scans, COLOURS, MARKERS, names_of(scans), strict=False):
            axis = _axes(scan)[name]
            delta = axis.delta_chi2
            # A curve between points needs points that can be trusted; dots are drawn of all.
            if scan.landscape.is_sound:
                x, height = profile_curve(scan, axis)
                panel.plot(x, height, color=colour, lw=1.3)
                delta = at_values(height, len(delta))
            delta = np.where(np.isfinite(delta), delta, np.nan)
            panel.plot(axis.values, delta, marker, color=colour, ms=3.5, label=label)
        # The height of a measured minimum or, where there is none, of the largest range.
        axes = [_axes(scan)[name] for scan in scans]
        set_height(
            panel, max(axes, key=lambda axis: (axis.is_measured, float(np.nanmax(axis.delta_chi2, initial=0.0))))
        )
    for panel in panels[len(common) :]:
        panel.set_axis_off()
    panels[0].set_ylabel("Δχ²")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3)
    return figure
