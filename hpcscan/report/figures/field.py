"""One panel that shows a quantity over one or two axes."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import Colormap, Normalize
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from hpcscan.arrays import Array
from hpcscan.dataset.scan import ScanData
from hpcscan.report.figures.axes import PaperAxis, set_horizontal, set_vertical
from hpcscan.report.figures.canvas import GREY, INK, colours
from hpcscan.report.projection import Projection

#: Cells and marks that are drawn one by one in PDF.
MOST_VECTORS = 10_000
#: Values along an axis up to which each is a dot.
MOST_DOTS = 100


def paper_axes(scan: ScanData, projection: Projection) -> list[PaperAxis]:
    """Describe the axes of a figure."""
    return [PaperAxis.of(scan, number, step) for number, step in zip(projection.shown, projection.step, strict=True)]


def draw_field(  # noqa: PLR0913  (what matplotlib needs for one mesh)
    panel: Axes,
    axes: list[PaperAxis],
    values: Array,
    norm: Normalize | None = None,
    colormap: Colormap | None = None,
    *,
    is_short: bool = False,
) -> QuadMesh:
    """Draw cells; on one axis as a strip. Missing ones are hatched."""
    set_horizontal(panel, axes[0], is_short)
    across = np.array([0.0, 1.0])
    if len(axes) == 2:
        set_vertical(panel, axes[1], is_short)
        across = axes[1].edges
    else:
        values = values[:, None]
        panel.set_yticks([])
    hatch_missing(panel, axes[0].edges, across, np.isnan(values))
    return draw_cells(panel, axes[0].edges, across, values, norm=norm, cmap=colormap or colours())


def draw_curve(panel: Axes, axis: PaperAxis, values: Array, label: str, *, is_short: bool = False) -> None:
    """Draw a quantity along the one axis that is scanned; nothing where it is missing."""
    set_horizontal(panel, axis, is_short)
    panel.plot(axis.centres, values, "o-", color=INK, lw=1.2, ms=3.5 if len(values) <= MOST_DOTS else 0)
    panel.set_ylabel(label)
    panel.margins(y=0.15)


def draw_cells(panel: Axes, x: Array, y: Array, values: Array, **look: Any) -> QuadMesh:
    """Draw cells with these edges, in PDF as one image where there are many; missing ones are transparent."""
    return panel.pcolormesh(x, y, values.T, rasterized=values.size > MOST_VECTORS, **look)


def hatch_missing(panel: Axes, x: Array, y: Array, is_missing: NDArray[np.bool_]) -> None:
    """Hatch cells with these edges."""
    if not is_missing.any():
        return
    if is_missing.size <= MOST_VECTORS:
        blank_cells = np.where(is_missing, 1.0, np.nan).T
        panel.pcolor(x, y, blank_cells, hatch="////", cmap="Greys", vmin=0, vmax=5, edgecolor=GREY, lw=0)
        return
    # One area below all cells, which hide it where they have a value.
    area = Rectangle((x[0], y[0]), x[-1] - x[0], y[-1] - y[0], edgecolor=GREY, hatch="////", lw=0, zorder=-1)
    area.set_facecolor(mpl.colormaps["Greys"](0.2))
    panel.add_patch(area)


def panel_height(projection: Projection) -> float:
    """Inches that a panel needs."""
    return 3.3 if len(projection.shown) == 2 else 1.6
