"""Scan axes on paper, how Δχ² becomes colour and height, and one panel that shows a quantity over one or two axes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import QuadMesh
from matplotlib.colorbar import Colorbar
from matplotlib.colors import Colormap, ListedColormap, Normalize, SymLogNorm
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from hpcscan.analysis.surface import is_geometric
from hpcscan.arrays import Array
from hpcscan.dataset.scan import ScanData
from hpcscan.report.figures.canvas import GREY, INK, colours, math_problem
from hpcscan.report.projection import Projection
from hpcscan.words.numbers import typeset
from hpcscan.words.tables import GREEK

#: Δχ² up to this is drawn on a linear scale.
LINEAR = 30.0

#: Powers of ten from which on ticks have a common one.
LARGE_POWER = 4

#: Letters of a description that fits a small panel.
SHORT = 12

#: Cells and marks that are drawn one by one in PDF.
MOST_VECTORS = 10_000
#: Values along an axis up to which each is a dot.
MOST_DOTS = 100


def is_large(delta: Array) -> bool:
    """Whether the range of Δχ² needs a logarithmic scale above the levels."""
    return bool(np.nanmax(delta, initial=0.0) > LINEAR)


def colour_scale(delta: Array, is_log: bool) -> Normalize:
    """Map Δχ² to colours: linear or, so that levels and a large range show together, logarithmic above 10."""
    top = float(np.nanmax(delta, initial=0.0))
    return SymLogNorm(10, linscale=1, vmin=0, vmax=top) if is_log else Normalize(0, max(top, 1e-300))


def ticks(delta: Array) -> list[float]:
    """Choose ticks for a large range."""
    top = float(np.nanmax(delta, initial=0.0))
    powers = range(1, int(np.floor(np.log10(top))) + 1)
    if len(powers) <= 2:
        return [value for value in (0.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0) if value <= top]
    step = 1 if len(powers) <= 8 else 2
    return [0.0, *(10.0**power for power in powers[::step])]


def tick_text(value: float, _: int | None = None) -> str:
    """Write a tick: powers of ten where zeros would have to be counted."""
    if value == 0 or 0.01 <= abs(value) < 10_000:
        return plain(value)
    power = int(np.floor(np.log10(abs(value)) + 1e-9))
    factor = value / 10.0**power
    return f"$10^{{{power}}}$" if abs(factor - 1) < 1e-9 else f"${factor:.3g}×10^{{{power}}}$"


def plain(value: float, _: int | None = None) -> str:
    """Write a number with a minus sign, and no hyphen."""
    return f"{value:g}".replace("-", "−")


def formatter() -> FuncFormatter:
    """Return the formatter of these ticks."""
    return FuncFormatter(tick_text)


def draw_bar(mesh: ScalarMappable, panel: Axes, label: str = "") -> Colorbar:
    """Draw the colours of a mesh with linear ticks, whose common power of ten stands in the label."""
    bar = panel.figure.colorbar(mesh, ax=panel)
    bar.ax.minorticks_off()
    low, high = mesh.get_clim()
    largest = max(abs(low or 0.0), abs(high or 0.0))
    power = int(np.floor(np.log10(largest))) if largest else 0
    if not -LARGE_POWER < power < LARGE_POWER:
        bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: plain(value / 10.0**power)))
        # In front of the unit, if there is one.
        name, bracket, unit = label.partition(" (")
        label = f"{name} ($10^{{{power}}}$ {unit}" if bracket else f"{label} ($10^{{{power}}}$)".lstrip()
    bar.set_label(label)
    return bar


def signed(value: float) -> str:
    """Write a pull or a correlation with its sign, to two places where it is small."""
    text = (f"{value:+.2f}" if abs(value) < 100 else f"{value:+,.0f}").replace("-", "−")
    return text[1:] if text[1:] == "0.00" else text


@dataclass(frozen=True)
class PaperAxis:
    """One scan axis as it is drawn.

    Attributes
    ----------
    number : int
        In the grid.
    label, short_label : str
        With its unit; the short one for panels without room.
    values : array
    step : int
        Values that a cell stands for.
    """

    number: int
    name: str
    symbol: str
    label: str
    short_label: str
    values: Array
    is_log: bool
    step: int = 1

    @classmethod
    def of(cls, scan: ScanData, number: int, step: int = 1) -> PaperAxis:
        """Describe one axis of a scan."""
        axis = scan.grid.axes[number]
        variable = scan.variables[axis.name]
        declared = str(variable.attributes.get("symbol", ""))
        symbol = declared or symbol_of(axis.name)
        about, unit = variable.long_name, typeset(scan.unit(axis.name))
        # A name of several letters beside its description is for programs, not for readers.
        is_word = not declared and symbol == axis.name and len(symbol) > 2
        label = symbol if about == axis.name else about if is_word else f"{about} {symbol}"
        short = about if is_word and len(about) <= SHORT else symbol
        values = np.array(axis.values)
        long_label, short_label = (f"{text} ({unit})" if unit else text for text in (label, short))
        return cls(number, axis.name, symbol, long_label, short_label, values, is_geometric(values), step)

    @property
    def readable(self) -> str:
        """The symbol or, where it cannot be set as mathematics, the name."""
        return self.name if math_problem(self.symbol) else self.symbol

    def on_paper(self, coordinates: Array) -> Array:
        """Turn coordinates in which a function is smooth into values."""
        return np.exp(coordinates) if self.is_log else coordinates

    @property
    def edges(self) -> Array:
        """Edges of the cells around the values."""
        x = np.log(self.values) if self.is_log else self.values
        if len(x) == 1:
            cut = np.array([x[0] - 0.5, x[0] + 0.5])
        else:
            middle = (x[1:] + x[:-1]) / 2
            cut = np.concatenate([[2 * x[0] - middle[0]], middle, [2 * x[-1] - middle[-1]]])
        if self.step > 1:
            cut = np.append(cut[: -1 : self.step], cut[-1])
        return np.exp(cut) if self.is_log else cut

    @property
    def centres(self) -> Array:
        """The value in the middle of each cell."""
        first = np.arange(0, len(self.values), self.step)
        return self.values[(first + np.minimum(first + self.step, len(self.values)) - 1) // 2]


def symbol_of(name: str) -> str:
    """Write a Greek name as its letter."""
    return GREEK.get(name, name)


def set_horizontal(panel: Axes, axis: PaperAxis, is_short: bool = False) -> None:
    """Prepare the x axis."""
    if axis.is_log:
        panel.set_xscale("log")
        panel.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        panel.xaxis.set_major_formatter(FuncFormatter(plain))
        panel.xaxis.set_minor_formatter(NullFormatter())
    elif is_short:
        # Few ticks, whose numbers do not meet in a small panel.
        panel.xaxis.set_major_locator(MaxNLocator(4, steps=(1, 2, 2.5, 5, 10)))
    panel.set_xlabel(axis.short_label if is_short else axis.label)


def set_vertical(panel: Axes, axis: PaperAxis, is_short: bool = False) -> None:
    """Prepare the y axis."""
    if axis.is_log:
        panel.set_yscale("log")
        panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        panel.yaxis.set_major_formatter(FuncFormatter(plain))
        panel.yaxis.set_minor_formatter(NullFormatter())
    panel.set_ylabel(axis.short_label if is_short else axis.label)


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


def hatch_cells(panel: Axes, x: PaperAxis, y: PaperAxis | None, is_so: NDArray[np.bool_], hatch: str) -> None:
    """Hatch cells whose colour is there already, over one axis or two; of a large grid the areas that they fill."""
    if not hatch:
        return
    up = np.array([0.0, 1.0]) if y is None else y.edges
    is_so = is_so if is_so.ndim == 2 else is_so[:, None]
    if is_so.size <= MOST_VECTORS or y is None:
        cells = np.where(is_so, 1.0, np.nan).T
        panel.pcolor(x.edges, up, cells, hatch=hatch, cmap=ListedColormap([(0, 0, 0, 0)]), edgecolor=INK, lw=0)
        return
    panel.contourf(x.centres, y.centres, is_so.T, levels=[0.5, 1.5], colors="none", hatches=[hatch])


def panel_height(projection: Projection) -> float:
    """Inches that a panel needs."""
    return 3.3 if len(projection.shown) == 2 else 1.6
