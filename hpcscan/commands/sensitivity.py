"""`hpcscan sensitivity`: does the conclusion depend on the optimiser? Its budget, and a line along every axis."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hpcscan.analysis.robustness import (
    Conclusion,
    Series,
    budget_conclusion,
    budget_table,
    line_conclusion,
    line_table,
    verdict_on_methods,
)
from hpcscan.arrays import IntArray
from hpcscan.commands.terminal import print_text
from hpcscan.config.building import build_model
from hpcscan.config.command_line import read_coordinates
from hpcscan.config.read import stored_settings
from hpcscan.config.validated import Config
from hpcscan.errors import Exit, StoppedError
from hpcscan.fitting.records import PointResults
from hpcscan.grid import Grid, GridAxis, place_text
from hpcscan.guard.failures import Failure, FailureLog
from hpcscan.guard.guard import Promise
from hpcscan.method import METHODS
from hpcscan.parallel import Coordinator, StopRequest, connect, run_team, start_limit
from hpcscan.program import read_checked
from hpcscan.scanning.whole import fit_whole, worker
from hpcscan.scanning.work import GridAnswer, GridTask
from hpcscan.settings import FitSettings
from hpcscan.words.numbers import count

logger = logging.getLogger(__name__)

#: Iterations that a fit may take, and those by which it was claimed to be stable, as in the status report.
BUDGETS, CLAIM = (50, 100, 200, 500), 200
#: Values of a line; an axis with more is thinned out evenly.
MOST_VALUES = 9


@dataclass(frozen=True)
class Request:
    """What the user asked for on the command line."""

    config: str
    overrides: Sequence[str] = ()
    at: str | None = None
    budgets: tuple[int, ...] = BUDGETS


@dataclass(frozen=True)
class Plan:
    """What is scanned, again and again.

    Attributes
    ----------
    centre : tuple of float
        The point whose budget is varied, and through which the lines go.
    """

    config: Config
    centre: tuple[float, ...]
    budgets: tuple[int, ...]

    @property
    def names(self) -> list[str]:
        """Names of the axes."""
        return [axis.name for axis in self.config.grid.axes]

    def grid(self, line: int | None = None) -> Grid:
        """Return the grid of the centre alone, or of a line through it along an axis."""
        values = [self.values(k) if k == line else (value,) for k, value in enumerate(self.centre)]
        return Grid(tuple(GridAxis(name, along) for name, along in zip(self.names, values, strict=True)))

    def values(self, axis: int) -> tuple[float, ...]:
        """Choose the values of a line: from all over the axis, and that of the centre."""
        values = self.config.grid.axes[axis].values
        places = np.linspace(0, len(values) - 1, min(len(values), MOST_VALUES)).round().astype(int)
        return tuple(sorted({*(values[place] for place in places), self.centre[axis]}))

    @property
    def lines(self) -> list[int]:
        """Axes that have enough values for a line."""
        return [number for number, n in enumerate(self.config.grid.shape) if n > 1]


Team = Coordinator[tuple[Config, Grid, FitSettings], IntArray, GridTask, GridAnswer]
#: From a grid and settings of the fit, compute a scan.
Compute = Callable[[Grid, FitSettings], PointResults]


def sensitivity(request: Request, stop: StopRequest) -> int:
    """Scan the same few points by different means on all ranks, and print the tables from rank 0."""
    world = connect(start_limit())

    def lead(team: Team) -> int:
        with stop.ending("; nothing was computed"):
            plan = _plan(request)
        print_text(_text(plan, _computing(plan, team, world.size, stop)))
        return Exit.COMPLETE

    return run_team(world, lead, _prepare, stop)


def _plan(request: Request) -> Plan:
    """Read the configuration, and choose the centre: the middle of the grid, or what the user says."""
    config = read_checked(request.config, request.overrides)
    model, grid = build_model(config.model), config.grid
    centre = tuple(axis.values[len(axis.values) // 2] for axis in grid.axes)
    if request.at is not None:
        given = dict(zip((axis.name for axis in model.axes), read_coordinates(model, request.at)[0], strict=True))
        centre = tuple(float(given[axis.name]) for axis in grid.axes)
    return Plan(config, centre, request.budgets)


def _prepare(job: tuple[Config, Grid, FitSettings], _promise: Promise) -> Callable[[GridTask], GridAnswer]:
    config, grid, fit = job
    return worker(build_model(config.model), grid, fit)


def _computing(plan: Plan, team: Team, n_ranks: int, stop: StopRequest) -> Compute:
    """Return the function that computes one scan, and says what fails for the first time."""
    model, told = build_model(plan.config.model), set[str]()

    def compute(grid: Grid, fit: FitSettings) -> PointResults:
        log = FailureLog(grid, logger.warning)

        def tell(rank: int, failures: Iterable[Failure]) -> None:
            new = [failure for failure in failures if failure.kind not in told]
            log.add(rank, new)
            told.update(failure.kind for failure in new)

        n_fits, method = count(grid.n_points, "fit"), fit.method.replace("_", " ")
        logger.info("%s with %s, %d iterations", n_fits, method, fit.max_iter)
        team.brief((plan.config, grid, fit))
        results = fit_whole(team, grid, model, fit, n_ranks, tell)
        if stop.requested:
            raise StoppedError(f"stopped early: {stop.requested}; this command saves nothing, so run it again")
        return results

    return compute


def _text(plan: Plan, compute: Compute) -> str:
    """Vary the budget at the centre, then the method along every line, and format what follows."""
    # Each point by itself: neighbours would help where a method fails.
    fits = {method: replace(plan.config.fit, method=method, repair_waves=0) for method in METHODS}
    series = [
        _series(method, [compute(plan.grid(), replace(fit, max_iter=n)) for n in plan.budgets])
        for method, fit in fits.items()
    ]
    conclusions = [budget_conclusion(plan.budgets, one, CLAIM) for one in series]
    parts = [budget_table(plan.budgets, _place(plan), series).lines(), _judged(conclusions)]
    for axis in plan.lines:
        name, values = plan.names[axis], np.array(plan.values(axis))
        expected = stored_settings(plan.config.resolved, plan.names).gate.minimum.get(name)
        # Along a line every method is judged by its own lowest point.
        series = [_series(method, [compute(plan.grid(axis), fit)]) for method, fit in fits.items()]
        conclusions = [line_conclusion(name, values, one, expected) for one in series]
        parts += [line_table(name, values, _others(plan, axis), series).lines(), _judged(conclusions)]
    return "\n\n".join(parts)


def _series(method: str, results: Sequence[PointResults]) -> Series:
    joined = PointResults.joined(results)
    return Series(method, joined.chi2, joined.chi2_lower_bound)


def _judged(conclusions: Sequence[Conclusion]) -> str:
    return "\n".join([*(conclusion.text for conclusion in conclusions), f"→ {verdict_on_methods(conclusions)}"])


def _place(plan: Plan, without: int | None = None) -> str:
    kept = [k for k in range(len(plan.names)) if k != without]
    return place_text((plan.names[k] for k in kept), (f"{plan.centre[k]:g}" for k in kept))


def _others(plan: Plan, axis: int) -> str:
    where = _place(plan, axis)
    return f" at {where}" if where else ""
