"""Energies of every lepton and their parts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hpcscan.analysis.findings import Findings
from hpcscan.arrays import Array
from hpcscan.report.diagnosis import where
from hpcscan.report.figures.canvas import INK, Drawing, blank, colours
from hpcscan.report.figures.scale import formatter
from hpcscan.report.leptons import has_leptons

#: Variable, the sign with which it enters the energy, and its name.
BARS = (
    ("energy_circulation", "+", "circulation"),
    ("energy_stabilization", "−", "stabilization"),
    ("energy_gradient", "+", "gradient"),
    ("energy_total", "=", "E"),
)
HATCHES = ("", "////", "....", "")


def energy_drawings(findings: Findings) -> Iterator[Drawing]:
    """Draw the parts of the energy at the lowest point, or their ranges over all that are equal to it."""
    if has_leptons(findings.scan) and len(findings.examined):
        yield Drawing("energies", "Energy parts per lepton", _caption(findings), lambda: _draw(findings))


def _caption(findings: Findings) -> str:
    is_range = len(findings.examined) > 1
    marks = "bars, which span the values" if is_range else "dots"
    return (
        f"Size of the energy of each lepton and of its parts, {where(findings)}, on a logarithmic scale: "
        f"E = circulation − stabilization + gradient. The marks are {marks}; open ones stand for negative values."
    )


def _draw(findings: Findings) -> Figure:
    labels = findings.scan.labels("lepton")
    figure, panels = blank(1, len(labels), height=3.2, width=7.2)
    for k, (panel, label) in enumerate(zip(panels, labels, strict=True)):
        columns = [findings.scan.at_points(name)[findings.examined][:, k] for name, _, _ in BARS]
        sizes = [np.abs(column[np.isfinite(column)]) for column in columns]
        for place, (column, size) in enumerate(zip(columns, sizes, strict=True)):
            if size.any():
                _mark(panel, place, size[size > 0], is_negative=bool(np.any(column < 0)))
        panel.set_yscale("log")
        low, high = panel.get_ylim()
        panel.set_ylim(low / 2, high * 2)
        panel.set_xlim(-0.6, len(BARS) - 0.4)
        panel.yaxis.set_major_formatter(formatter())
        panel.yaxis.minorticks_off()
        panel.set_title(label)
        panel.set_xticks(range(len(BARS)), [f"{sign} {name}" for _, sign, name in BARS], rotation=40, ha="right")
    panels[0].set_ylabel(f"energy ({findings.scan.unit('energy_total') or 'energy unit'})")
    return figure


def _mark(panel: Axes, place: int, size: Array, is_negative: bool) -> None:
    """Draw one value as a dot, and several as the range that they span; open where negative."""
    face = "white" if is_negative else colours()((0.45, 0.25, 0.65, 0.9)[place])
    if len(size) == 1:
        panel.plot(place, size[0], "D" if place == len(BARS) - 1 else "o", ms=7, mfc=face, mec=INK)
    else:
        width = size.max() - size.min()
        panel.bar(place, width, bottom=size.min(), width=0.7, color=face, edgecolor=INK, hatch=HATCHES[place])
