"""Where two scans differ: Δχ² of the second minus that of the first, each against its own best point."""

from __future__ import annotations

from dataclasses import replace

from matplotlib.figure import Figure

from hpcscan.analysis.comparison import SharedPoints, delta_chi2_difference
from hpcscan.analysis.findings import Findings
from hpcscan.analysis.landscape import Landscape
from hpcscan.arrays import Array
from hpcscan.grid import Grid, GridAxis
from hpcscan.report.figures.axes import PaperAxis
from hpcscan.report.figures.canvas import INK, Drawing, blank
from hpcscan.report.figures.field import draw_field, panel_height, paper_axes
from hpcscan.report.figures.scale import formatter
from hpcscan.report.projection import Projection
from hpcscan.words.numbers import spread


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
    """Give the first scan at the common points alone."""
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
    mesh = draw_field(panel, axes, values)
    figure.colorbar(mesh, ax=panel, label=label, format=formatter())
    return figure
