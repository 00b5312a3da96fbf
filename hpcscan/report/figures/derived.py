"""What the model reports of its own, for every entry of a dimension: quantities of one unit side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from hpcscan.analysis.findings import Findings
from hpcscan.arrays import Array
from hpcscan.report.diagnosis import where
from hpcscan.report.figures.canvas import INK, Drawing, blank, colours
from hpcscan.report.figures.scale import formatter
from hpcscan.words.numbers import typeset

#: With more entries the tables are the better place.
MOST_LABELS = 12


def derived_drawings(findings: Findings) -> Iterator[Drawing]:
    """Draw the quantities at the lowest point, or their ranges over all that are equal to it."""
    scan = findings.scan
    for dimension in scan.derived_dimensions if len(findings.examined) else ():
        names = scan.derived(dimension)
        units = dict.fromkeys(scan.unit(name) for name in names)
        groups = [[name for name in names if scan.unit(name) == unit] for unit in units]
        for number, group in enumerate((g for g in groups if len(g) > 1), 1):
            if len(scan.labels(dimension)) <= MOST_LABELS:
                yield Drawing(
                    f"derived-{dimension}-{number}",
                    f"Quantities of each {dimension}",
                    _caption(findings, dimension, group),
                    lambda dimension=dimension, group=group: _draw(findings, dimension, group),  # type: ignore[misc]
                )


def _caption(findings: Findings, dimension: str, names: Sequence[str]) -> str:
    is_range = len(findings.examined) > 1
    marks = "bars, which span the values" if is_range else "dots"
    meanings = "; ".join(f"{name}: {findings.scan.variables[name].long_name}" for name in names)
    return (
        f"Size of quantities of each {dimension}, {where(findings)}, on a logarithmic scale. {meanings}. "
        f"The marks are {marks}; open ones stand for negative values."
    )


def _draw(findings: Findings, dimension: str, names: Sequence[str]) -> Figure:
    labels = findings.scan.labels(dimension)
    columns = min(len(labels), 4)
    rows = -(-len(labels) // columns)
    figure, panels = blank(rows, columns, height=3.2 * rows, width=7.2)
    for k, (panel, label) in enumerate(zip(panels, labels, strict=False)):
        panel.set_yscale("log")
        for position, name in enumerate(names):
            column = findings.scan.at_points(name)[findings.examined][:, k]
            size = np.abs(column[np.isfinite(column)])
            if size.any():
                shade = 0.25 + 0.65 * position / max(1, len(names) - 1)
                _mark(panel, position, size[size > 0], shade, is_negative=bool(np.any(column < 0)))
        low, high = panel.get_ylim()
        panel.set_ylim(low / 2, high * 2)
        panel.set_xlim(-0.6, len(names) - 0.4)
        low, high = panel.get_ylim()
        # Over few powers of ten more than these are needed to read a value.
        panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 300 * low else (1,)))
        panel.yaxis.set_major_formatter(formatter())
        panel.yaxis.minorticks_off()
        panel.set_title(label)
        panel.set_xticks(range(len(names)), names, rotation=40, ha="right")
    for panel in panels[len(labels) :]:
        panel.set_axis_off()
    unit = typeset(findings.scan.unit(names[0]))
    panels[0].set_ylabel(f"size ({unit})" if unit else "size")
    return figure


def _mark(panel: Axes, position: int, size: Array, shade: float, *, is_negative: bool) -> None:
    """Draw one value as a dot, and several as the range that they span; open where negative."""
    face = "white" if is_negative else colours()(shade)
    if len(size) == 1:
        panel.plot(position, size[0], "o", ms=7, mfc=face, mec=INK)
    else:
        panel.bar(position, size.max() - size.min(), bottom=size.min(), width=0.7, color=face, edgecolor=INK)
