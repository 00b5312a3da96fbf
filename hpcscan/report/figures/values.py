"""Maps of the scales: values where the data determine them, widths of their intervals where they do not."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from matplotlib.figure import Figure

from hpcscan.analysis.findings import Findings
from hpcscan.arrays import Array
from hpcscan.gate.physical import is_determined
from hpcscan.report.figures.canvas import Drawing, blank
from hpcscan.report.figures.field import draw_curve, draw_field, panel_height, paper_axes
from hpcscan.report.projection import Projection
from hpcscan.words.numbers import spread, typeset, with_unit


def scale_drawings(findings: Findings) -> Iterator[Drawing]:
    """Draw every scale: its value, or the width of its interval where it is not determined."""
    projection = Projection.of(findings.landscape)
    for name in findings.scan.scales:
        values, text, label = _scale(findings, name)
        known = values[np.isfinite(values)]
        if not len(known):
            continue
        yield Drawing(
            f"scale-{name}",
            f"The scale {name}",
            text + projection.lowest_note,
            lambda values=values, label=label: _single(findings, projection, values, label),  # type: ignore[misc]
        )


def _scale(findings: Findings, name: str) -> tuple[Array, str, str]:
    scan = findings.scan
    best, unit = scan.at_points(f"{name}_opt"), scan.unit(f"{name}_opt")
    if name in scan.profiled_scales:
        lower, upper = scan.at_points(f"{name}_opt_lower"), scan.at_points(f"{name}_opt_upper")
        if not is_determined(lower, upper):
            text = (
                f"Width of the interval of {name} that reaches the lowest χ² of each point. {name} is not determined: "
                f"its best fits ({with_unit(spread(best), unit)}) are arbitrary within it and are not shown."
            )
            return upper - lower, text, with_unit(f"width of the interval of {name},", typeset(unit))
    if flips(best):
        # Points that differ by a symmetry of the model alone would look like structure.
        text = f"Size of the best fit of {name}: {with_unit(spread(np.abs(best)), unit)}; both signs occur."
        return np.abs(best), text, with_unit(f"|{name}|", f"({typeset(unit)})" if unit else "")
    text = f"Best fit of {name}: {with_unit(spread(best), unit)}."
    return best, text, f"{name} ({typeset(unit)})" if unit else name


def flips(values: Array) -> bool:
    """Whether both signs occur, and the sizes differ far less than the values."""
    known = values[np.isfinite(values)]
    return bool(len(known) and np.min(known) < 0 < np.max(known) and 4 * np.ptp(np.abs(known)) < np.ptp(known))


def _single(findings: Findings, projection: Projection, values: Array, label: str) -> Figure:
    if len(projection.shown) == 1:
        figure, (panel,) = blank(height=2.8)
        draw_curve(panel, paper_axes(findings.scan, projection)[0], projection.at_lowest(values), label)
        return figure
    figure, (panel,) = blank(height=panel_height(projection) + 0.4)
    mesh = draw_field(panel, paper_axes(findings.scan, projection), projection.at_lowest(values))
    figure.colorbar(mesh, ax=panel, label=label)
    return figure
