"""The box in which the fit moves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hpcscan.arrays import Array, BoolArray, IntArray
from hpcscan.model.problem import Problem


@dataclass(frozen=True)
class Box:
    """Bounds and start ranges of the parameters, as columns of shape (n_parameters, 1).

    Attributes
    ----------
    lower, upper : array
        Possibly infinite.
    start, stop : array
        Ends of the start range.
    width : array
        Width of the start range, which is the natural unit of the parameter; 1 for a range of no width.
    """

    lower: Array
    upper: Array
    start: Array
    stop: Array
    width: Array

    @classmethod
    def of(cls, problem: Problem) -> Box:
        """Collect the box of the profiled parameters."""
        rows = [(p.lower, p.upper, *p.start_range) for p in problem.parameters]
        lower, upper, low, high = np.array(rows, float).reshape(-1, 4).T[:, :, None]
        return cls(lower, upper, low, high, np.where(high > low, high - low, 1.0))

    @property
    def is_fixed(self) -> BoolArray:
        """Parameters whose bounds are equal."""
        fixed: BoolArray = self.lower == self.upper
        return fixed

    @property
    def n_free(self) -> int:
        """Number of parameters that can move."""
        return int((~self.is_fixed).sum())

    @property
    def has_freedom(self) -> bool:
        """Whether any parameter can move."""
        return not bool(self.is_fixed.all())

    def side(self, x: Array) -> IntArray:
        """Say where parameters of shape (n_parameters, n) rest: −1 lower, +1 upper bound, 0 between or fixed."""
        return np.where(self.is_fixed, 0, (x >= self.upper).astype(np.int8) - (x <= self.lower).astype(np.int8))
