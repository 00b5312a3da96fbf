"""Texts of models and files in figures: what cannot be set as mathematics is shown as it was written."""

from __future__ import annotations

from matplotlib.cbook import is_math_text
from matplotlib.figure import Figure
from matplotlib.mathtext import MathTextParser
from matplotlib.text import Text

from hpcscan.words.visible import visible


def math_problem(text: str) -> str:
    """Say why a text with dollar signs cannot be set as mathematics; "" where it can, or has none."""
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
