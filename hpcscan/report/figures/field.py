"""One panel that shows a quantity over one or two axes."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import Colormap, Normalize

from hpcscan.report.figures.axes import PaperAxis, set_horizontal, set_vertical
from hpcscan.report.figures.canvas import GREY, colours
from hpcscan.report.projection import Projection
from hpcscan.statistics.interpolation import Array
from hpcscan.store.stored import StoredScan


def paper_axes(scan: StoredScan, projection: Projection) -> list[PaperAxis]:
    """Describe the axes of a figure."""
    return [PaperAxis.of(scan, number) for number in projection.shown]


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
    missing = np.where(np.isnan(values), 1.0, np.nan)
    if np.isfinite(missing).any():
        panel.pcolor(axes[0].edges, across, missing.T, hatch="////", cmap="Greys", vmin=0, vmax=5, edgecolor=GREY, lw=0)
    return panel.pcolormesh(axes[0].edges, across, values.T, norm=norm, cmap=colormap or colours())


def panel_height(projection: Projection) -> float:
    """Inches that a panel needs."""
    return 3.3 if len(projection.shown) == 2 else 1.6
