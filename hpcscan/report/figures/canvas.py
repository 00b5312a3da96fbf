"""Blank figures in one style, and files of them that have the same bytes every time."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from io import BytesIO
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cbook import is_math_text
from matplotlib.colors import Colormap
from matplotlib.figure import Figure
from matplotlib.mathtext import MathTextParser
from matplotlib.text import Text
from PIL import Image

from hpcscan.errors import UsageError
from hpcscan.report.look import Look
from hpcscan.words.visible import visible

#: Inches; the width of a text column and a half, and that of three panels, which do not fit one column of a paper.
WIDTH, WIDE = 6.4, 7.0
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
    "svg.fonttype": "none",
    "svg.hashsalt": "hpcscan",
    "axes.formatter.use_mathtext": True,
    "axes.formatter.useoffset": False,
}
#: Low values light, high values dark: readable in grey, and black lines show on what matters.
COLOURS = "cividis_r"
#: Of what has either sign: pale at zero.
BOTH_SIGNS = "PuOr"
INK, GREY, ACCENT = "black", "0.55", "#b3261e"
WHOLE = Look()
_NO_DATES: dict[str, dict[str, Any]] = {"png": {"Software": None}, "pdf": {"CreationDate": None}, "svg": {"Date": None}}
#: Column widths of a paper in inches, and the sizes of its texts; "double" is the page's.
SINGLE = 3.4
#: The size of a telephone, and the width there of figures of many panels.
NARROW, SMALLEST = "narrow", 4.6
#: A title may be so much wider than its panel.
TITLE_OVER_PANEL = 1.1
#: Of a picture on a page: as many as a map has.
MOST_COLOURS = 256
SINGLE_STYLE: dict[Any, Any] = {
    "font.size": 7,
    "axes.titlesize": 7,
    "legend.fontsize": 6,
    "lines.markersize": 4,
    "axes.linewidth": 0.6,
}


@lru_cache(maxsize=1024)
def math_problem(text: str) -> str:
    """Describe why a text with dollar signs cannot be set as mathematics; "" where it can, or has none."""
    if "$" not in text or not is_math_text(text):
        return ""
    try:
        for line in text.split("\n"):
            MathTextParser("path").parse(line)
    except ValueError as error:
        # The parser shows the text and points into it; the last line is the reason.
        return str(error).strip().splitlines()[-1]
    return ""


def make_drawable(figure: Figure) -> None:
    """Let every text of a figure be drawn, whatever is in it."""
    for panel in figure.axes:
        # Labels of ticks are made when they are first asked for.
        for axis in (panel.xaxis, panel.yaxis):
            axis.get_ticklabels()
    for text in figure.findobj(Text):
        if isinstance(text, Text) and text.get_text():
            text.set_text(visible(text.get_text()))
            text.set_parse_math(not math_problem(text.get_text()))


def break_long(figure: Figure) -> bool:
    """Break labels that are longer than the figure, and titles wider than their panel; gives whether any was."""
    wide, high = figure.bbox.width, figure.bbox.height
    is_any = False
    for panel in figure.axes:
        most = {panel.xaxis.label: wide, panel.yaxis.label: high, panel.title: TITLE_OVER_PANEL * panel.bbox.width}
        for text, room in most.items():
            box = text.get_window_extent()
            whole = text.get_text()
            if whole and (box.height if text is panel.yaxis.label else box.width) > room:
                text.set_text(_in_two(whole))
                is_any |= text.get_text() != whole
    return is_any


def _in_two(text: str) -> str:
    """Break the longest line of a text at the space nearest to its middle; none within mathematics."""
    lines = text.split("\n")
    at = max(range(len(lines)), key=lambda k: len(lines[k]))
    line = lines[at]
    spaces = [k for k, letter in enumerate(line) if letter == " " and line[:k].count("$") % 2 == 0]
    if spaces:
        middle = min(spaces, key=lambda k: abs(2 * k - len(line)))
        lines[at] = f"{line[:middle]}\n{line[middle + 1 :]}"
    return "\n".join(lines)


@dataclass(frozen=True)
class Drawing:
    """A figure.

    Attributes
    ----------
    name : str
        Stem of its files.
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
    """Return the colour map; missing values are transparent."""
    return mpl.colormaps[COLOURS]


@dataclass(frozen=True)
class Rendered:
    """A figure as bytes.

    Attributes
    ----------
    files : mapping of str to bytes
        By format.
    width : int
        In pixels of a page, 96 to the inch.
    wide, narrow : bytes
        For a page; empty where none was asked for.
    """

    files: Mapping[str, bytes]
    width: int
    wide: bytes = b""
    narrow: bytes = b""

    @property
    def png(self) -> bytes:
        """As a picture."""
        return self.files["png"]

    @property
    def pdf(self) -> bytes:
        """Lines and texts."""
        return self.files["pdf"]


def render_for_page(drawing: Drawing, look: Look = WHOLE) -> Rendered:
    """Draw a figure in all formats, and as pictures of a page: a wide one and, for a telephone, a narrow one."""
    made, narrow = render(drawing, look), b""
    if look.size == "double":
        narrow = _smaller(render(drawing, replace(look, size=NARROW, formats=("png",))).png)
    return replace(made, wide=_smaller(made.png), narrow=narrow)


def _smaller(png: bytes) -> bytes:
    """Write a picture with no more colours than a map has, in a third of the bytes."""
    picture, smaller = Image.open(BytesIO(png)).convert("RGB"), BytesIO()
    picture.quantize(MOST_COLOURS, dither=Image.Dither.NONE).save(smaller, "PNG")
    return smaller.getvalue()


def render(drawing: Drawing, look: Look = WHOLE) -> Rendered:
    """Draw a figure once, in all formats, without dates; in PNG always."""
    # Limits of an axis are worked out from whatever numbers a file holds.
    with mpl.rc_context(_style(look)), warnings.catch_warnings(), np.errstate(all="ignore"):
        # A label in a script that the font does not have is no matter for the terminal.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure = drawing.draw()
        width, height = figure.get_size_inches()
        if (new := _width(look, width)) != width:
            # A narrow figure keeps more of its height, for the same number of ticks and lines of a legend.
            figure.set_size_inches(new, height * (new / width) ** 0.75)
        make_drawable(figure)
        # The layout is worked out once, for all formats; texts are as wide as in the picture.
        figure.set_dpi(DPI)
        if (engine := figure.get_layout_engine()) is not None:
            engine.execute(figure)
            if break_long(figure):
                engine.execute(figure)
        figure.set_layout_engine("none")
        width = round(96 * figure.get_figwidth())
        return Rendered({kind: _bytes(figure, kind) for kind in dict.fromkeys(("png", *look.formats))}, width)


def _width(look: Look, width: float) -> float:
    """Choose the width of a figure in inches."""
    if look.size == "double":
        return width
    # Wider ones have many panels, and take two columns of a paper.
    return SINGLE if width <= WIDTH else SMALLEST if look.size == NARROW else width


def _style(look: Look) -> dict[Any, Any]:
    """Return the style of a look: the report's, that of its size, and the user's own."""
    own = {} if look.style is None else read_style(look)
    return STYLE | (SINGLE_STYLE if look.size != "double" else {}) | own


def read_style(look: Look) -> dict[Any, Any]:
    """Read the style file of a look that has one.

    Raises
    ------
    UsageError
        Where matplotlib does not understand it; it would say so on the terminal, and go on.
    """
    problems, library, named = _Collected(), logging.getLogger("matplotlib"), f"{look.asked} {look.style}"
    library.addHandler(problems)
    library.propagate = False
    try:
        style = dict(mpl.rc_params_from_file(str(look.style), use_default_template=False))
    except (UnicodeDecodeError, OSError) as error:
        raise UsageError(f"{named}: cannot be read as text ({type(error).__name__})") from None
    finally:
        library.removeHandler(problems)
        library.propagate = True
    if problems.texts:
        raise UsageError(*(f"{named}: {text}" for text in problems.texts))
    return style


class _Collected(logging.Handler):
    """Keeps the first line of what a library would print."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage().strip().splitlines()[0])


def _bytes(figure: Figure, kind: str) -> bytes:
    buffer = BytesIO()
    figure.savefig(buffer, format=kind, dpi=DPI, metadata=_NO_DATES[kind])
    return buffer.getvalue()
