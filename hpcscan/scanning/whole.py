"""A whole scan in memory: every point fitted, then repaired, by whoever takes the tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Protocol

import numpy as np

from hpcscan.fitting.records import PointResults
from hpcscan.grid import Grid
from hpcscan.guard.failures import Failure
from hpcscan.model.problem import Problem
from hpcscan.scanning.chunks import alone, block_size, cut
from hpcscan.scanning.neighbours import Wave, repair, settle
from hpcscan.scanning.waves import most_together, waves
from hpcscan.scanning.work import GridAnswer, GridTask, perform
from hpcscan.settings import FitSettings


class Reply(Protocol):
    """A task that was done, and the rank that did it."""

    @property
    def rank(self) -> int:
        """Who did it."""

    @property
    def result(self) -> GridAnswer:
        """What came of it."""


class Team(Protocol):
    """Ranks that take tasks."""

    def map(self, tasks: Iterable[GridTask]) -> Iterable[Reply]:
        """Yield what comes of the tasks, in any order."""


def worker(model: Problem, grid: Grid, fit: FitSettings) -> Callable[[GridTask], GridAnswer]:
    """Return the function that does one task of a scan."""
    return partial(perform, model, grid, fit)


def fit_whole(  # noqa: PLR0913, PLR0917  (what a scan is)
    team: Team,
    grid: Grid,
    model: Problem,
    fit: FitSettings,
    n_ranks: int,
    tell: Callable[[int, Iterable[Failure]], None],
) -> PointResults:
    """Fit all points of a grid, and repair those without a proof.

    Parameters
    ----------
    n_ranks : int
        Among which the points are cut.
    tell : callable
        Hears of the points at which the model failed, with the rank.
    """
    results = PointResults.not_run(model, np.arange(grid.n_points), fit.n_starts)

    def parts(tasks: Iterable[GridTask]) -> Iterator[PointResults]:
        for answer in team.map(tasks):
            part = answer.result.results
            part.rank[:] = answer.rank
            tell(answer.rank, answer.result.failures)
            yield part

    # From coarse to fine, where minima of some points are starts of others.
    if fit.is_in_waves:
        for wave in waves(grid, model, fit, results):
            every = np.ones(len(wave.points), bool)
            tasks = wave.tasks(every, most_together(fit, model), n_ranks, alone(model))
            for part in wave.complete(parts(tasks)):
                results.put(part)
        settle(grid, model, fit, results)
        return results
    # Otherwise every point by itself, and then repair.
    size = 1 if fit.about.is_slow else None
    for part in parts(cut(grid.n_points, block_size(fit.n_starts_together, model), n_ranks, size)):
        results.put(part)
    if fit.about.is_repaired:
        compute: Callable[[Wave], Iterator[PointResults]] = parts
        for _ in repair(grid, model, results, fit.repair_waves, compute):
            pass
    settle(grid, model, fit, results)
    return results
