"""Blank figures in one style, and files of them that have the same bytes every time."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from matplotlib.figure import Figure

from hpcscan.report.figures.mathtext import make_drawable

#: Inches; the width of a text column and a half.
WIDTH = 6.4
DPI = 160
STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 9,
    "legend.fontsize": 8,
    "legend.frameon": True,
    "legend.framealpha": 0.9,
    "hatch.linewidth": 0.6,
    "pdf.fonttype": 42,
    "axes.formatter.use_mathtext": True,
    "axes.formatter.useoffset": False,
}
#: Low values light, high values dark: readable in grey, and black lines show on what matters.
COLOURS = "cividis_r"
INK, GREY, ACCENT = "black", "0.55", "#b3261e"


@dataclass(frozen=True)
class Drawing:
    """A figure.

    Attributes
    ----------
    name : str
        Stem of its files.
    title : str
    caption : str
        What is shown, in sentences.
    draw : callable
        Makes the figure, in the style that is active then.
    says : str
        What the figure says, in a sentence; "" where the caption does.
    """

    name: str
    title: str
    caption: str
    draw: Callable[[], Figure]
    says: str = ""

    @property
    def alt(self) -> str:
        """What stands for the figure where it is not seen."""
        return f"{self.title}. {self.says or self.caption}"


def blank(rows: int = 1, columns: int = 1, height: float = 4.0, width: float = WIDTH) -> tuple[Figure, list[Axes]]:
    """Start a figure with panels, row by row."""
    figure = Figure(figsize=(width, height), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False)
    return figure, [panel for row in panels for panel in row]


def colours() -> Colormap:
    """Give the colour map; missing values are transparent."""
    return mpl.colormaps[COLOURS]


@dataclass(frozen=True)
class Rendered:
    """A figure as bytes, and the width of it in pixels of a page (96 to the inch)."""

    png: bytes
    pdf: bytes
    width: int


def render(drawing: Drawing) -> Rendered:
    """Draw a figure once, in both formats, without dates."""
    # Limits of an axis are worked out from whatever numbers a file holds.
    with mpl.rc_context(STYLE), warnings.catch_warnings(), np.errstate(all="ignore"):
        # A label in a script that the font does not have is no matter for the terminal.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure = drawing.draw()
        make_drawable(figure)
        # The layout is worked out once, for both formats.
        if (engine := figure.get_layout_engine()) is not None:
            engine.execute(figure)
        figure.set_layout_engine("none")
        width = round(96 * figure.get_figwidth())
        return Rendered(_bytes(figure, "png", {"Software": None}), _bytes(figure, "pdf", {"CreationDate": None}), width)


def _bytes(figure: Figure, kind: str, metadata: dict[str, None]) -> bytes:
    buffer = BytesIO()
    figure.savefig(buffer, format=kind, dpi=DPI, metadata=metadata)
    return buffer.getvalue()
