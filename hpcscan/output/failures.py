"""Points at which a model raised or took too long: the first of each kind in full, the others counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from hpcscan.arrays import IntArray
from hpcscan.fitting.records import Status
from hpcscan.grid import Grid
from hpcscan.guard.failure import Failure
from hpcscan.guard.spot import Doubt
from hpcscan.words.numbers import count

_VERB = {Status.FAILED: "failed", Status.TIMED_OUT: "timed out"}


class FailureLog:
    """Writes the account of the first failure of each kind, and keeps the number of points of all.

    Parameters
    ----------
    grid : Grid
    write : callable
        Takes a line, or several.
    """

    def __init__(self, grid: Grid, write: Callable[[str], None]) -> None:
        self._grid, self._write = grid, write
        self._points: dict[str, set[int]] = {}
        self._doubts: set[str] = set()

    def add(self, rank: int, failures: Iterable[Failure]) -> None:
        """Count failures, and write those of a new kind."""
        for failure in failures:
            if failure.kind not in self._points:
                self._write(self.describe(rank, failure))
            self._points.setdefault(failure.kind, set()).add(failure.point_index)

    def doubt(self, doubts: Iterable[Doubt]) -> None:
        """Write the first doubt of each kind."""
        for doubt in doubts:
            if doubt.kind not in self._doubts:
                self._write(doubt.account)
            self._doubts.add(doubt.kind)

    def describe(self, rank: int, failure: Failure) -> str:
        """Tell where a failure happened, and what it was."""
        head = f"point {self._place(failure.point_index)} {_VERB[failure.status]} on rank {rank} ({failure.host})"
        return f"{head}: {failure.account}" if "\n" not in failure.account else f"{head}:\n{failure.account}"

    def totals(self, status: IntArray) -> list[str]:
        """Count the points of every kind, one line for each.

        Parameters
        ----------
        status : int array, shape (n_points,)
            Of all points of the grid. Those that failed without an exception have no chi2 at any start.
        """
        told = {point for points in self._points.values() for point in points}
        silent = [point for point in np.flatnonzero(status == Status.FAILED).tolist() if point not in told]
        lines = [f"{kind}: {count(len(points), 'point')}" for kind, points in self._points.items()]
        if not silent:
            return lines
        first = f"the first at {self._place(silent[0])}"
        return [*lines, f"no start with a finite prediction: {count(len(silent), 'point')}, {first}"]

    def _place(self, point_index: int) -> str:
        values = self._grid.points(np.array([point_index]))[0]
        return ", ".join(f"{axis.name}={value:g}" for axis, value in zip(self._grid.axes, values, strict=True))
