"""Which points of a large grid have a row of their own in a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from math import prod

import numpy as np

from hpcscan.analysis.landscape import Indices, Landscape
from hpcscan.arrays import Array

#: A grid up to this size is listed whole.
MOST_ROWS = 100_000
#: Points of a larger one that are spread over the grid, and that are chosen for each of the other reasons.
MOST_SPREAD, MOST_EACH = 10_000, 1_000


@dataclass(frozen=True)
class Choice:
    """Some points of a grid, and why they were chosen.

    Attributes
    ----------
    points : int array, shape (n,)
        In the order of the grid, each once.
    reasons : tuple of str
        One for each point.
    n_all : int
        Points from which they were chosen.
    """

    points: Indices
    reasons: tuple[str, ...]
    n_all: int

    @property
    def is_whole(self) -> bool:
        """Whether no point is left out."""
        return len(self.points) == self.n_all

    @property
    def note(self) -> str:
        """Say how many there are; "" where no point is left out."""
        if self.is_whole:
            return ""
        kinds = ", ".join(dict.fromkeys(self.reasons))
        return f"{len(self.points):,} of {self.n_all:,} points ({kinds}); the result itself has all of them"


def choose(landscape: Landscape) -> Choice:
    """Choose the rows of the table of points: all of them, or the lowest, the worst, and some spread over the grid."""
    if landscape.grid.n_points <= MOST_ROWS:
        return _all(landscape.grid.n_points)
    return _first_reasons(_reasons(landscape), landscape.grid.n_points)


def choose_differences(shape: tuple[int, ...], difference: Array) -> Choice:
    """Do the same for points that two scans have in common: the largest differences, and some spread over the grid."""
    if len(difference) <= MOST_ROWS:
        return _all(len(difference))
    largest = _highest(np.where(difference == 0, np.nan, np.abs(difference)))
    return _first_reasons([("largest difference", largest), ("spread", _spread(shape))], len(difference))


def choose_along(delta_chi2: Array) -> Choice:
    """Do the same for the profile of one axis: the lowest values, and some spread over the axis."""
    if len(delta_chi2) <= MOST_ROWS:
        return _all(len(delta_chi2))
    reasons = [("lowest chi2", _highest(-delta_chi2)), ("spread", _spread(delta_chi2.shape))]
    return _first_reasons(reasons, len(delta_chi2))


def spaced(n: int, most: int) -> Indices:
    """Choose at most so many of n places, evenly."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).astype(np.intp))


def _all(n: int) -> Choice:
    return Choice(np.arange(n), ("",) * n, n)


def _reasons(landscape: Landscape) -> Iterator[tuple[str, Indices]]:
    """Give the reasons, the most telling first, and the points of each."""
    yield "lowest chi2", _highest(-landscape.chi2)
    yield "not converged", _some(np.flatnonzero(~landscape.converged))
    yield "out of line", _some(np.flatnonzero(landscape.out_of_line))
    yield "largest gap", _highest(landscape.gap)
    yield "spread", _spread(landscape.grid.shape)


def _first_reasons(reasons: Iterator[tuple[str, Indices]] | list[tuple[str, Indices]], n_all: int) -> Choice:
    """Merge the points, each with the first reason for which it was chosen."""
    names, parts = zip(*reasons, strict=True)
    points, first = np.unique(np.concatenate(parts), return_index=True)
    kinds = np.repeat(np.arange(len(names)), [len(part) for part in parts])[first]
    return Choice(points, tuple(names[kind] for kind in kinds), n_all)


def _highest(values: Array) -> Indices:
    """Find the highest values; of equal ones the first."""
    order = np.argsort(-values, kind="stable")
    return order[: min(MOST_EACH, int(np.count_nonzero(~np.isnan(values))))]


def _some(points: Indices) -> Indices:
    return points[spaced(len(points), MOST_EACH)]


def _spread(shape: tuple[int, ...]) -> Indices:
    """Take every so many values of each axis, and the last."""
    step = next(step for step in count(1) if prod(len(_places(n, step)) for n in shape) <= MOST_SPREAD)
    return np.asarray(np.ravel_multi_index(np.ix_(*(_places(n, step) for n in shape)), shape)).ravel()


def _places(n: int, step: int) -> Indices:
    return np.union1d(np.arange(0, n, step), [n - 1])
