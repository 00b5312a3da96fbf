"""Neighbour repair: points without a proof are refitted from their neighbours' minima, in waves.

A wave sees only what the waves before it left, and ends before the next begins, so that the outcome does not depend on
who computed what, or when.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from hpcscan.fit.records import BoolArray, IntArray, PointResults
from hpcscan.fit.refit import needs_repair
from hpcscan.model.interface import Array, Model
from hpcscan.scan.chunks import block_size
from hpcscan.scan.grid import Grid


@dataclass(frozen=True)
class Refit:
    """Points to refit as one task.

    Attributes
    ----------
    starts : array, shape (n, n_neighbours, n_parameters)
        Minima of the neighbours; NaN where there is none.
    current : PointResults
        What is known of the points.
    """

    starts: Array
    current: PointResults


def repair(
    grid: Grid,
    model: Model,
    results: PointResults,
    n_waves: int,
    compute: Callable[[Sequence[Refit]], Iterable[PointResults]],
) -> Iterator[int]:
    """Repair the results of a scan in place, wave by wave.

    Parameters
    ----------
    grid : Grid
    model : Model
    results : PointResults
        The whole grid; replaced point by point where a wave improves it.
    n_waves : int
        Most waves.
    compute : callable
        Refits the points of every task, and gives those that changed, in any order.

    Yields
    ------
    int
        Number of points that a wave improved; the last wave before the end may have improved none.
    """
    neighbours = grid.neighbours()
    is_fresh = np.isfinite(results.chi2)
    for _ in range(n_waves):
        tasks = _tasks(model, results, neighbours, is_fresh)
        if not tasks:
            return
        changed = PointResults.joined([*compute(tasks)])
        is_fresh = np.zeros(len(is_fresh), bool)
        is_fresh[changed.point_index] = changed.chi2 != results.chi2[changed.point_index]
        results.put(changed)
        yield int(np.count_nonzero(is_fresh))


def _tasks(model: Model, results: PointResults, neighbours: IntArray, is_fresh: BoolArray) -> list[Refit]:
    """Cut the unproven points that have a fresh neighbour into tasks."""
    has_news = (is_fresh[neighbours] & (neighbours >= 0)).any(axis=1)
    todo = np.flatnonzero(needs_repair(results) & has_news)
    size = block_size(len(results.status), neighbours.shape[1], model)
    return [_task(results, neighbours, todo[i : i + size]) for i in range(0, len(todo), size)]


def _task(results: PointResults, neighbours: IntArray, points: IntArray) -> Refit:
    near = neighbours[points]
    starts = np.where((near >= 0)[:, :, None], results.profiled_parameter[near], np.nan)
    return Refit(starts, results.take(points))
