"""Values, places and ranges in words, with no more digits than are known."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, isfinite, log10

import numpy as np

from hpcscan.arrays import Array
from hpcscan.grid import Grid

MOST_DIGITS = 8


def rounded(value: float, error: float) -> str:
    """Write a value down to the second digit of its error."""
    if not isfinite(value):
        return "not known"
    if not (isfinite(error) and error > 0):
        return f"{value:.{MOST_DIGITS}g}"
    places = 1 - floor(log10(error))
    most = MOST_DIGITS - 1 - floor(log10(abs(value))) if value else places
    places = min(places, most)
    return f"{round(value, places):,.{max(places, 0)}f}"


def with_unit(text: str, unit: str) -> str:
    """Add a unit, if there is one."""
    return f"{text} {unit}" if unit else text


def place(grid: Grid, index: int) -> str:
    """Write the coordinates of a grid point."""
    values = grid.points([index])[0]
    pairs = zip(grid.axes, values, strict=True)
    return ", ".join(f"{axis.name} = {value:.6g}" for axis, value in pairs) or "the only point, with nothing scanned"


def corner(edges: Sequence[tuple[str, str]]) -> str:
    """Name the edges at which a point lies."""
    return " and ".join(f"the {side} end of {axis}" for axis, side in edges)


def spread(values: Array, digits: int = 4) -> str:
    """Write one value, or the range of several."""
    known = values[np.isfinite(values)]
    if not len(known):
        return "–"
    low, high = f"{known.min():.{digits}g}", f"{known.max():.{digits}g}"
    return low if low == high else f"{low} to {high}"
