"""The range in which the scanned parameters are released for toys: the end of a grid is no physical boundary."""

from __future__ import annotations

from dataclasses import replace

from hpcscan.answer.frame import Coordinate, Frame
from hpcscan.model.problem import Problem


def widened(frame: Frame, free: Problem) -> Frame:
    """Let scanned parameters go beyond the grid by its width where no bound is declared.

    Parameters
    ----------
    frame : Frame
        Of the grid.
    free : Problem
        With everything profiled.
    """
    lowest = {parameter.name: parameter.lower for parameter in free.parameters}
    return Frame(tuple(_widened(c, lowest[c.name]) if c.role == "scanned" else c for c in frame.coordinates))


def _widened(about: Coordinate, lowest: float) -> Coordinate:
    lower = about.lower - about.width if about.lower_end == "grid" else about.lower
    upper = about.upper + about.width if about.upper_end == "grid" else about.upper
    # In the logarithm a bound at zero is infinitely far: one width of the grid below it there is nothing more to gain.
    is_zero = about.is_log and lowest == 0
    return replace(about, lower=lower, upper=upper, lower_end="bound" if is_zero else about.lower_end)
