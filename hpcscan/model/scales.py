"""What a model says of its profiled scales: one word for all of them, or one for each by its name."""

from __future__ import annotations

from collections.abc import Mapping

from hpcscan.model.problem import Problem


def scale_unit(problem: Problem, name: str) -> str:
    """Return the unit of a profiled scale."""
    unit = problem.scale_unit
    return unit if isinstance(unit, str) else unit.get(name, "1")


def scale_range(problem: Problem, name: str) -> tuple[float, float] | None:
    """Return the interval in which a profiled scale is expected; None where nothing is said."""
    expected = problem.scale_range
    return expected.get(name) if isinstance(expected, Mapping) else expected
