"""Plain tables with aligned columns."""

from __future__ import annotations

from collections.abc import Sequence

from hpcscan.words.visible import on_one_line


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Align columns: the first to the left, the others to the right."""
    lines = [tuple(map(on_one_line, row)) for row in (header, *rows)]
    widths = [max(len(line[j]) for line in lines) for j in range(len(header))]
    return "\n".join(_line(line, widths) for line in lines)


def facts(rows: Sequence[tuple[str, str]]) -> str:
    """Align names and their values, one pair a line."""
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:{width}}  {text}" for name, text in rows)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = (
        f"{cell:<{width}}" if j == 0 else f"{cell:>{width}}"
        for j, (cell, width) in enumerate(zip(row, widths, strict=True))
    )
    return "  ".join([first, *others]).rstrip()
