"""Maps of Δχ² over two axes, with contours; a triangle of all pairs, with profiles on its diagonal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from hpcscan.analysis.findings import Findings
from hpcscan.analysis.interpolation import refined
from hpcscan.analysis.planes import Plane, levels
from hpcscan.analysis.profile_text import interval_text, minimum_text
from hpcscan.analysis.surface import Surface
from hpcscan.gate.verdict import confidence_sentence
from hpcscan.report.figures.axes import (
    PaperAxis,
    colour_scale,
    draw_bar,
    draw_cells,
    formatter,
    hatch_missing,
    is_large,
    plain,
    set_horizontal,
    set_vertical,
    ticks,
)
from hpcscan.report.figures.canvas import GREY, INK, Drawing, blank, colours
from hpcscan.report.figures.profile_curves import draw_profile, result_title
from hpcscan.report.projection import any_in, lowest_in, size_text, steps
from hpcscan.words.numbers import corner, equals, place

LINES = ("solid", "dashed", "dotted")
#: Cells along each axis of a map between the points, about; and points up to which they are shown as dots.
FINE, MOST_POINTS = 240, 2_500
#: With more crosses nothing else would be seen; then there are at most so many along each axis.
MOST_CROSSES, MOST_CROSSES_ALONG = 1_000, 40

#: With fewer parameters there is one map; with more the panels are too small.
FEWEST, MOST = 3, 6


def plane_drawings(findings: Findings) -> Iterator[Drawing]:
    """Draw the map of every pair of scanned axes."""
    for plane in findings.planes:
        yield Drawing(
            name=f"delta_chi2-{plane.names[0]}-{plane.names[1]}",
            title="Map of Δχ²",
            caption=_caption(findings, plane),
            draw=lambda plane=plane: _draw(findings, plane),  # type: ignore[misc]
            says=_says(findings, plane),
        )


def _says(findings: Findings, plane: Plane) -> str:
    """Describe where the best fit is and how far the first contour reaches; "" where there is neither."""
    if not plane.has_contours or not plane.is_minimum or plane.best is None:
        return ""
    best = "the best fit" if findings.fitted is not None else "the minimum"
    parts = [f"Δχ² over {' and '.join(plane.names)}; {best} is inside the grid."]
    # The innermost level that has a line stands for the size of the region.
    named = zip(levels(2, findings.has_confidence), plane.contours, strict=True)
    level, lines = next((level, lines) for level, lines in named if lines)
    points = np.concatenate([line.points for line in lines])
    ends = [(f"{low:.4g}", f"{high:.4g}") for low, high in zip(points.min(axis=0), points.max(axis=0), strict=True)]
    spans = [f"{name} from {low} to {high}" for name, (low, high) in zip(plane.names, ends, strict=True)]
    kind = "closed" if all(line.is_closed for line in lines) else "open"
    parts.append(f"The contour at {level.name} is {kind} and reaches in {' and in '.join(spans)}.")
    return " ".join(parts)


def _caption(findings: Findings, plane: Plane) -> str:
    landscape = findings.landscape
    over = " and ".join(plane.names)
    after = ", after profiling the other axes" if len(landscape.scanned) > 2 else ""
    parts = [f"Δχ² over {over}{after}."]
    if landscape.lowest is None:
        return f"{parts[0]} No point has a χ²."
    chi2 = equals(landscape.lowest_chi2)
    if plane.is_flat:
        return f"{parts[0]} The landscape is flat: χ² {chi2} at every point, so there is no best point and no contour."
    where = place(landscape.grid, landscape.lowest)
    # The best of what is known: the best fit, a point at an edge, a minimum between points, a point.
    if findings.fitted is not None and findings.fitted.has_value and plane.is_minimum:
        axes = [axis for axis in findings.profiles.axes if axis.number in plane.numbers]
        places = ", ".join(
            f"{axis.name} = {interval_text(axis, axis.intervals[0])}" if axis.is_enclosed else minimum_text(axis)
            for axis in axes
        )
        parts.append(f"The star is the best fit: {places}.")
    elif landscape.edges:
        parts.append(f"The circle is the lowest point, {where} (χ² {chi2}): {corner(landscape.edges)}, not a minimum.")
    elif plane.is_minimum:
        parts.append(f"The star is the minimum, near {where} (χ² {chi2} there).")
    else:
        parts.append(f"The circle is the lowest point, {where} (χ² {chi2}), not a minimum.")
    names = "; ".join(
        f"{style}: {level.name}" for style, level in zip(LINES, levels(2, findings.has_confidence), strict=True)
    )
    parts.append(f"Lines, two parameters: {names}." if plane.has_contours else _no_lines(findings, plane))
    parts.append(f"{confidence_sentence(findings)}.")
    if _reaches_beyond(findings, plane):
        parts.append("Lines are fitted beyond the grid, too, with which the map ends.")
    if _is_log(plane):
        parts.append("Colours are linear up to 10 and logarithmic above.")
    if not landscape.converged.all():
        parts.append("Crosses: points that did not converge; hatched: points without χ².")
    return " ".join([*parts, *_cells(findings, plane)])


def _cells(findings: Findings, plane: Plane) -> Iterator[str]:
    """Describe what is shown between the points, and what the cells of a large grid leave out."""
    step = steps(plane.delta_chi2.shape)
    if _is_smooth(findings, plane):
        yield "Between the grid points (dots) the map follows their values and slopes of χ²."
    elif max(step) > 1:
        yield f"Each cell stands for {size_text(step)} points and shows the lowest."
    crossed, _ = _crossed(plane)
    if max(crossed) > 1:
        yield f"A cross stands for {size_text(crossed)} points, any of which did not converge."


def _crossed(plane: Plane) -> tuple[tuple[int, ...], NDArray[np.bool_]]:
    """Return the cells with a χ² that have points that did not converge, and their size: larger where they are many."""
    # Crosses that would run into each other are gathered to larger cells.
    found = [_crossed_cells(plane, steps(plane.delta_chi2.shape, most)) for most in (None, MOST_CROSSES_ALONG)]
    return found[0] if np.count_nonzero(found[0][1]) <= MOST_CROSSES else found[1]


def _crossed_cells(plane: Plane, step: tuple[int, ...]) -> tuple[tuple[int, ...], NDArray[np.bool_]]:
    is_known = np.isfinite(plane.delta_chi2)
    return step, any_in(plane.is_suspect, step) & any_in(is_known, step)


def _reaches_beyond(findings: Findings, plane: Plane) -> bool:
    """Whether a contour leaves the grid, by more than rounding."""
    points = np.concatenate([np.empty((0, 2)), *(line.points for of_level in plane.contours for line in of_level)])
    ends = np.array([np.array(findings.scan.grid.axes[number].values)[[0, -1]] for number in plane.numbers])
    margin = 1e-6 * np.ptp(ends, axis=1)
    return bool(((points < ends[:, 0] - margin) | (points > ends[:, 1] + margin)).any())


def _no_lines(findings: Findings, plane: Plane) -> str:
    # Why there is no line: nothing to cross, nothing to trust, or nothing resolved.
    if np.nanmax(plane.delta_chi2) < plane.levels[0]:
        return "All points lie below the first level for two parameters: there is no contour."
    if not findings.landscape.is_sound:
        return "No contour is drawn through points that did not converge or are out of line."
    return "No contour is drawn: the levels are crossed within one step of the grid, which does not resolve them."


def _draw(findings: Findings, plane: Plane) -> Figure:
    figure, (panel,) = blank(height=4.4)
    mesh, handles = draw_plane(panel, findings, plane)
    if not plane.is_flat:
        bar = draw_bar(mesh, panel, "Δχ²")
        if _is_log(plane):
            bar.set_ticks(ticks(plane.delta_chi2))
            bar.ax.yaxis.set_major_formatter(formatter())
            bar.ax.minorticks_off()
            bar.set_label("Δχ²")
    if handles:
        panel.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=_columns(handles))
    return figure


def draw_plane(
    panel: Axes, findings: Findings, plane: Plane, *, is_short: bool = False
) -> tuple[QuadMesh, list[Patch | Line2D]]:
    """Draw the map, the contours, the best point and references into a panel; gives what a legend needs."""
    step = steps(plane.delta_chi2.shape)
    x, y = (PaperAxis.of(findings.scan, *axis) for axis in zip(plane.numbers, step, strict=True))
    set_horizontal(panel, x, is_short)
    set_vertical(panel, y, is_short)
    if _is_smooth(findings, plane):
        mesh, holes = _surface(panel, findings, plane, x, y)
    else:
        mesh, holes = _points(panel, plane, x, y)
    if plane.is_flat:
        box = {"facecolor": "white", "edgecolor": "none"}
        panel.text(0.5, 0.5, "flat: no best point", transform=panel.transAxes, ha="center", va="center", bbox=box)
    handles = [*holes, *_contours(panel, findings, plane), *_marks(panel, findings, plane, 0.7 if is_short else 1.0)]
    return mesh, [*handles, *_reference(panel, findings, plane)]


def _is_smooth(findings: Findings, plane: Plane) -> bool:
    """Whether a surface between the points means something, and shows more than their cells."""
    shape = plane.delta_chi2.shape
    return findings.landscape.is_sound and not plane.is_flat and min(shape) > 1 and max(steps(shape)) == 1


def _surface(
    panel: Axes, findings: Findings, plane: Plane, x: PaperAxis, y: PaperAxis
) -> tuple[QuadMesh, list[Patch | Line2D]]:
    """Draw the surface through values and slopes, and the points as dots."""
    surface = Surface.of(findings.scan).profiled(plane.numbers).above(findings.profiles.base)
    # Finer cells between the points, each with the value of the surface at its middle.
    edges = [refined(places, max(1, FINE // len(places))) for places in surface.axes]
    shown = surface.at(*((places[1:] + places[:-1]) / 2 for places in edges))
    across, up = (axis.on_paper(places) for axis, places in zip((x, y), edges, strict=True))
    norm = colour_scale(plane.delta_chi2, _is_log(plane))
    mesh = panel.pcolormesh(across, up, shown.T, cmap=colours(), norm=norm, rasterized=True)
    is_known = np.isfinite(plane.delta_chi2)
    if is_known.size <= MOST_POINTS:
        i, j = np.nonzero(is_known)
        panel.plot(x.values[i], y.values[j], ".", color=GREY, ms=1.5, ls="none")
    # A cell of the surface needs all of its four corners.
    is_hole = ~(is_known[1:, 1:] & is_known[:-1, 1:] & is_known[1:, :-1] & is_known[:-1, :-1])
    hatch_missing(panel, x.values, y.values, is_hole)
    return mesh, [_hatched()] if is_hole.any() else []


def _points(panel: Axes, plane: Plane, x: PaperAxis, y: PaperAxis) -> tuple[QuadMesh, list[Patch | Line2D]]:
    """Draw cells around the points."""
    delta = lowest_in(plane.delta_chi2, (x.step, y.step))
    shown = np.where(np.isfinite(delta), 0.0 if plane.is_flat else delta, np.nan)
    norm = colour_scale(np.zeros_like(delta) if plane.is_flat else plane.delta_chi2, _is_log(plane))
    if plane.is_flat:
        # No place is better than another: nothing has a colour of its own.
        hatch_missing(panel, x.edges, y.edges, np.ones_like(delta, bool))
        shown = np.full_like(delta, np.nan)
    mesh = draw_cells(panel, x.edges, y.edges, shown, cmap=colours(), norm=norm)
    return mesh, _holes(panel, plane, x, y, np.isnan(delta) & (not plane.is_flat))


def _hatched() -> Patch:
    return Patch(facecolor="0.87", edgecolor=GREY, hatch="////", label="no χ²")


def _columns(handles: Sequence[Patch | Line2D]) -> int:
    """Choose the columns of a legend, so that it is not wider than the map."""
    longest = max(len(str(handle.get_label())) for handle in handles)
    return min(3 if longest < 25 else 2, len(handles))


def _is_log(plane: Plane) -> bool:
    """Whether the colours are logarithmic: where contours and a large range have to show together."""
    return is_large(plane.delta_chi2) and plane.has_contours


def _holes(
    panel: Axes, plane: Plane, x: PaperAxis, y: PaperAxis, is_missing: NDArray[np.bool_]
) -> list[Patch | Line2D]:
    """Hatch cells without a χ², and cross out those with points that did not converge."""
    handles: list[Patch | Line2D] = []
    hatch_missing(panel, x.edges, y.edges, is_missing)
    if is_missing.any():
        handles.append(_hatched())
    step, is_crossed = _crossed(plane)
    if is_crossed.any():
        i, j = np.nonzero(is_crossed)
        at = [replace(axis, step=size).centres[k] for axis, size, k in zip((x, y), step, (i, j), strict=True)]
        panel.plot(*at, "x", color=INK, ms=5, mew=1.2, ls="none")
        handles.append(Line2D([], [], marker="x", color=INK, ls="none", label="not converged"))
    return handles


def _contours(panel: Axes, findings: Findings, plane: Plane) -> list[Line2D]:
    handles = []
    for level, style, lines in zip(levels(2, findings.has_confidence), LINES, plane.contours, strict=True):
        for line in lines:
            # A light rim keeps the line visible on dark colours.
            panel.plot(*line.points.T, color="white", lw=2.6, alpha=0.75)
            panel.plot(*line.points.T, color=INK, ls=style, lw=1.3)
        if lines:
            handles.append(Line2D([], [], color=INK, ls=style, lw=1.3, label=level.name))
    return handles


def _marks(panel: Axes, findings: Findings, plane: Plane, scale: float) -> list[Line2D]:
    """Mark the best point, in a small panel by a small mark; nothing on a flat landscape."""
    if plane.best is None:
        return []
    is_minimum = plane.is_minimum
    best = "minimum" if findings.fitted is None else "best fit"
    marker, size, name = ("*", 13, best) if is_minimum else ("o", 9, "lowest point, at an edge")
    if not is_minimum and not findings.landscape.edges:
        name = "lowest point"
    style = {"marker": marker, "ms": scale * size, "mfc": "white", "mec": INK, "mew": 1.2, "ls": "none"}
    panel.plot([plane.best[0]], [plane.best[1]], clip_on=False, zorder=5, **style)  # type: ignore[arg-type]
    return [Line2D([], [], label=name, **{**style, "ms": 9})]  # type: ignore[arg-type]


def _reference(panel: Axes, findings: Findings, plane: Plane) -> list[Line2D]:
    """Draw the reference values that lie inside the grid."""
    handles = []
    for name, line in zip(plane.names, (panel.axvline, panel.axhline), strict=True):
        value = findings.settings.reference.get(name)
        limits = panel.get_xlim() if line == panel.axvline else panel.get_ylim()
        if value is not None and limits[0] <= value <= limits[1]:
            line(value, color="white", lw=2.6, alpha=0.8)
            line(value, color=INK, ls="dashdot", lw=1.2)
            symbol = PaperAxis.of(findings.scan, plane.numbers[plane.names.index(name)]).readable
            handles.append(
                Line2D([], [], color=INK, ls="dashdot", lw=1.2, label=f"reference {symbol} = {plain(value)}")
            )
    return handles


def corner_drawings(findings: Findings) -> Iterator[Drawing]:
    """Draw the triangle of three scanned parameters and more."""
    if not FEWEST <= len(findings.profiles.axes) <= MOST:
        return
    # More panels than these could not be read.
    names = ", ".join(axis.name for axis in findings.profiles.axes)
    one, two = (levels(n, findings.has_confidence) for n in (1, 2))
    lines = "; ".join(
        f"{style}: {a.name} on the diagonal, Δχ² = {b.value:.4g} below"
        for style, a, b in zip(LINES, one, two, strict=True)
    )
    caption = (
        f"Δχ² of {names}, each panel after profiling the others: along one parameter on the diagonal, over two below. "
        f"Lines: {lines}. Every map has colours of its own, as in its own figure."
    )
    yield Drawing("corner", "All parameters", caption, lambda: _draw_triangle(findings))


def _draw_triangle(findings: Findings) -> Figure:
    n = len(findings.profiles.axes)
    figure, panels = blank(n, n, height=2.2 * n, width=2.4 * n)
    # Panels of one axis stand close to each other.
    figure.set_layout_engine("constrained", wspace=0.01, hspace=0.01)
    draw_corner([panels[k * n : (k + 1) * n] for k in range(n)], findings)
    return figure


def draw_corner(panels: list[list[Axes]], findings: Findings) -> None:
    """Draw the triangle into panels, row by row; those above the diagonal are switched off."""
    axes = findings.profiles.axes
    planes = {plane.numbers: plane for plane in findings.planes}
    handles: dict[str, Patch | Line2D] = {}
    for row, below in enumerate(axes):
        for column, panel in enumerate(panels[row]):
            if column > row:
                panel.set_axis_off()
            elif column == row:
                draw_profile(panel, findings, below)
                panel.set(title=result_title(below, PaperAxis.of(findings.scan, below.number)))
                panel.set(xlim=(below.values[0], below.values[-1]), ylabel="Δχ²" if row == 0 else "")
                panel.yaxis.set_ticks_position("left" if row == 0 else "right")
            else:
                _, drawn = draw_plane(panel, findings, planes[axes[column].number, below.number], is_short=True)
                handles |= {str(handle.get_label()): handle for handle in drawn}
                panel.set_ylabel(panel.get_ylabel() if column == 0 else "")
                panel.tick_params(labelleft=column == 0)
            # Labels stand at the outer panels alone.
            panel.set_xlabel(panel.get_xlabel() if row == len(axes) - 1 else "")
            panel.tick_params(labelbottom=row == len(axes) - 1)
    _share_limits(panels)
    names = panels[0][1].legend(handles=[*handles.values()], loc="lower left", bbox_to_anchor=(0.0, 0.2), frameon=False)
    # It lies over panels that are switched off.
    names.set_in_layout(False)


def _share_limits(panels: list[list[Axes]]) -> None:
    """Give every panel of a parameter the same range, that of the widest, and ticks that keep off its ends."""
    # More panels have room for fewer ticks.
    most = 4 if len(panels) == FEWEST else 3
    for k in range(len(panels)):
        along = [row[k] for row in panels[k:]]
        limits = np.array([panel.get_xlim() for panel in along] + [panel.get_ylim() for panel in panels[k][:k]])
        low, high = limits[:, 0].min(), limits[:, 1].max()
        for panel in along:
            panel.set_xlim(low, high)
        for panel in panels[k][:k]:
            panel.set_ylim(low, high)
        for axis in (*(panel.xaxis for panel in along), *(panel.yaxis for panel in panels[k][:k])):
            if axis.get_scale() == "linear":
                axis.set_major_locator(MaxNLocator(most, steps=(1, 2, 2.5, 5, 10), prune="both"))
    # Profiles on one scale have their ticks named once.
    diagonal = [panels[k][k] for k in range(len(panels))]
    if len({panel.get_yscale() for panel in diagonal}) == 1 and diagonal[0].get_yscale() == "linear":
        for panel in diagonal[1:]:
            panel.tick_params(right=False, labelright=False)
