"""A triangle of all scanned parameters: profiles on the diagonal, the map of every pair below."""

from __future__ import annotations

from collections.abc import Iterator

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from hpcscan.analysis.findings import Findings
from hpcscan.analysis.planes import levels
from hpcscan.report.figures.canvas import Drawing, blank
from hpcscan.report.figures.lines import draw_profile
from hpcscan.report.figures.plane import LINES, draw_plane

#: With fewer parameters there is one map; with more the panels are too small.
FEWEST, MOST = 3, 6


def corner_drawings(findings: Findings) -> Iterator[Drawing]:
    """Draw the triangle of three scanned parameters and more."""
    if not FEWEST <= len(findings.profiles.axes) <= MOST:
        return
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
    yield Drawing("corner", "All parameters", caption, lambda: _draw(findings))


def _draw(findings: Findings) -> Figure:
    n = len(findings.profiles.axes)
    figure, panels = blank(n, n, height=2.3 * n, width=2.4 * n)
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
                panel.set(title="", xlim=(below.values[0], below.values[-1]))
                panel.yaxis.tick_right()
                panel.set_ylabel("Δχ²" if row == 0 else "")
            else:
                _, drawn = draw_plane(panel, findings, planes[axes[column].number, below.number], is_short=True)
                handles |= {str(handle.get_label()): handle for handle in drawn}
                panel.set_ylabel(panel.get_ylabel() if column == 0 else "")
                panel.tick_params(labelleft=column == 0)
            panel.set_xlabel(panel.get_xlabel() if row == len(axes) - 1 else "")
            panel.tick_params(labelbottom=row == len(axes) - 1)
    names = panels[0][1].legend(handles=[*handles.values()], loc="lower left", bbox_to_anchor=(0.0, 0.2), frameon=False)
    # It lies over panels that are switched off.
    names.set_in_layout(False)
