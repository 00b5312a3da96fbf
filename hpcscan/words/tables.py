"""A table of texts, before it becomes lines on a terminal, HTML, CSV or LaTeX."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from textwrap import wrap

from hpcscan.words.visible import on_one_line

#: A cell that lines up on the right: a number, a range of numbers, or nothing.
_NUMBER = re.compile(r"(< )?[-+−]?[\d.,]+(e[-+]?\d+)?( to [-+−]?[\d.,]+(e[-+]?\d+)?)?|–?")
GAP = "  "
#: Widest cell on a terminal; longer texts are wrapped.
WIDEST = 72
#: Rows of a table that fit a screen.
MOST_ROWS = 40


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes
    ----------
    name : str
        Stem of its files.
    caption : str
    header : tuple of str
    rows : tuple of tuple of str
    """

    name: str
    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @property
    def is_number(self) -> tuple[bool, ...]:
        """Whether each column holds numbers, which line up on the right."""
        columns = zip(*self.rows, strict=True) if self.rows else [()] * len(self.header)
        return tuple(all(_NUMBER.fullmatch(cell) for cell in column) for column in columns)

    def beginning(self) -> tuple[Table, int]:
        """Give its first rows, as many as fit a screen, and the number of those left out."""
        return replace(self, rows=self.rows[:MOST_ROWS]), max(0, len(self.rows) - MOST_ROWS)

    def lines(self) -> str:
        """Align it for a terminal, below its caption."""
        rows = [tuple(map(on_one_line, row)) for row in (self.header, *self.rows)]
        widths = [min(WIDEST, max(map(len, column))) for column in zip(*rows, strict=True)]
        lines = [line for row in rows for line in _lines(row, widths, self.is_number)]
        return "\n".join([*wrap(self.caption, 2 * WIDEST - 20), *lines])


def _lines(row: Sequence[str], widths: Sequence[int], is_number: Sequence[bool]) -> list[str]:
    """Write one row, over several lines where a cell is long."""
    cells = [wrap(cell, width) or [""] for cell, width in zip(row, widths, strict=True)]
    return [
        GAP.join(
            part.rjust(width) if right else part.ljust(width)
            for part, width, right in zip(parts, widths, is_number, strict=True)
        ).rstrip()
        for parts in zip_longest(*cells, fillvalue="")
    ]
