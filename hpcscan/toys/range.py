"""The range in which the scanned parameters are released for toys: the end of a grid is no physical boundary."""

from __future__ import annotations

from dataclasses import replace

from hpcscan.answer.frame import Coordinate, Frame


def widened(frame: Frame) -> Frame:
    """Let scanned parameters go beyond the grid by its width where no bound is declared."""
    return Frame(tuple(_widened(c) if c.role == "scanned" else c for c in frame.coordinates))


def _widened(about: Coordinate) -> Coordinate:
    lower = about.lower - about.width if about.lower_end == "grid" else about.lower
    upper = about.upper + about.width if about.upper_end == "grid" else about.upper
    return replace(about, lower=lower, upper=upper)
