"""Coordinates of a point on the command line: --at beta=3.1,w=0.02."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hpcscan.arrays import Array
from hpcscan.errors import Mistake, UsageError
from hpcscan.model.problem import Problem


def read_coordinates(problem: Problem, at: str) -> Array:
    """Read ``beta=3.1,w=0.02``: one value for each scanned parameter, shape (1, n_axes)."""
    names = [axis.name for axis in problem.axes]
    expected = ",".join(f"{name}=VALUE" for name in names)
    values: dict[str, float] = {}
    for item in at.split(",") if names or at else ():
        name, _, text = (part.strip() for part in item.partition("="))
        if name not in names or name in values:
            raise UsageError(
                Mistake(f"--at {at}", f"{item!r} is not one value for a scanned parameter; expected {expected}")
            )
        values[name] = _number(at, text)
    if missing := [name for name in names if name not in values]:
        raise UsageError(Mistake(f"--at {at}", f"no value for {', '.join(missing)}; expected {expected}"))
    _check(problem, at, values)
    return np.array([[values[name] for name in names]])


def _number(at: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise UsageError(Mistake(f"--at {at}", f"{text!r} is not a finite number"))
    return value


def _check(problem: Problem, at: str, values: Mapping[str, float]) -> None:
    problems = problem.check({name: np.array([value]) for name, value in values.items()})
    if problems:
        raise UsageError(*(Mistake(f"--at {at}", f"{name} {message}") for name, message in problems))
