"""`hpcscan sensitivity`: does the conclusion depend on the optimiser? Its budget, and a line along every axis."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from hpcscan.commands.configuration import read_checked
from hpcscan.config.coordinates import read_coordinates
from hpcscan.config.models import build_model
from hpcscan.config.records import Config
from hpcscan.config.stored import stored_settings
from hpcscan.errors import Exit, StoppedError
from hpcscan.fit.records import PointResults
from hpcscan.grid import Grid, GridAxis
from hpcscan.guard.guard import Finished, Promise
from hpcscan.model.interface import Model
from hpcscan.output.failures import FailureLog
from hpcscan.output.progress import Progress
from hpcscan.parallel import Coordinator, StopRequest, connect, run_team
from hpcscan.scan.chunks import Block, Chunk
from hpcscan.scan.work import perform
from hpcscan.settings import METHODS, FitSettings
from hpcscan.words.numbers import count

logger = logging.getLogger(__name__)

#: Iterations that a fit may take, and those by which it was claimed to be stable, as in the status report.
BUDGETS, CLAIM = (50, 100, 200, 500), 200
#: Values of a line; an axis with more is thinned out evenly.
MOST_VALUES = 9


@dataclass(frozen=True)
class Probe:
    """One fit: the coordinates of a point in the order of the grid's axes, and settings of its own."""

    coordinates: tuple[float, ...]
    settings: FitSettings

    def grid(self, names: Sequence[str]) -> Grid:
        """Give the grid of this one point."""
        return Grid(tuple(GridAxis(name, (value,)) for name, value in zip(names, self.coordinates, strict=True)))


@dataclass(frozen=True)
class Request:
    """What the user asked for on the command line."""

    config: str
    overrides: Sequence[str] = ()
    at: str | None = None
    budgets: tuple[int, ...] = BUDGETS


@dataclass(frozen=True)
class Plan:
    """The probes of both tests.

    Attributes
    ----------
    config : Config
    centre : tuple of float
        The point whose budget is varied, and through which the lines go.
    budgets : tuple of int
    """

    config: Config
    centre: tuple[float, ...]
    budgets: tuple[int, ...]

    @property
    def names(self) -> list[str]:
        """Names of the axes."""
        return [axis.name for axis in self.config.grid.axes]

    def budget(self, method: str) -> list[Probe]:
        """Fit the centre with one budget after the other."""
        return [Probe(self.centre, replace(self.config.fit, method=method, max_iter=n)) for n in self.budgets]

    def line(self, method: str, axis: int) -> list[Probe]:
        """Fit points along an axis."""
        settings = replace(self.config.fit, method=method)
        return [Probe((*self.centre[:axis], x, *self.centre[axis + 1 :]), settings) for x in self.values(axis)]

    def values(self, axis: int) -> list[float]:
        """Choose the values of a line."""
        values = self.config.grid.axes[axis].values
        places = np.linspace(0, len(values) - 1, min(len(values), MOST_VALUES)).round().astype(int)
        return [values[place] for place in places]

    @property
    def lines(self) -> list[int]:
        """Axes that have enough values for a line."""
        return [number for number, n in enumerate(self.config.grid.shape) if n > 1]

    def probes(self) -> Iterator[Probe]:
        """List every fit."""
        for method in METHODS:
            yield from self.budget(method)
            for axis in self.lines:
                yield from self.line(method, axis)


Team = Coordinator[Config, IntArray, Probe, tuple[Probe, Finished]]


def sensitivity(request: Request, stop: StopRequest) -> int:
    """Fit every probe on the ranks that the launcher started, and print the tables from rank 0."""

    def lead(team: Team) -> int:
        plan = _plan(request)
        sys.stdout.write(_text(plan, _fit_all(plan, team, stop)) + "\n")
        sys.stdout.flush()
        return Exit.COMPLETE

    return run_team(connect(), lead, _prepare, stop)


def _plan(request: Request) -> Plan:
    """Read the configuration, and choose the centre: the middle of the grid, or what the user says."""
    config = read_checked(request.config, request.overrides)
    model, grid = build_model(config.model), config.grid
    centre = tuple(axis.values[len(axis.values) // 2] for axis in grid.axes)
    if request.at is not None:
        given = dict(zip((axis.name for axis in model.axes), read_coordinates(model, request.at)[0], strict=True))
        centre = tuple(float(given[axis.name]) for axis in grid.axes)
    return Plan(config, centre, request.budgets)


def _prepare(config: Config, _promise: Promise) -> Callable[[Probe], tuple[Probe, Finished]]:
    model, names = build_model(config.model), [axis.name for axis in config.grid.axes]
    return lambda probe: (probe, _fit(model, names, probe))


def _fit(model: Model, names: Sequence[str], probe: Probe) -> Finished:
    """Fit one probe, whatever the model does there."""
    return perform(model, probe.grid(names), probe.settings, Chunk((Block(np.zeros(1, np.int64)),)))


def _fit_all(plan: Plan, team: Team, stop: StopRequest) -> Mapping[Probe, PointResults]:
    """Fit every probe once, the slowest first."""
    probes = sorted(set(plan.probes()), key=lambda probe: (not probe.settings.is_evolution, -probe.settings.max_iter))
    logger.info("%s with %s", count(len(probes), "fit"), " and ".join(METHODS).replace("_", " "))
    team.brief(plan.config)
    progress, found, told = Progress(len(probes), logger.info), {}, set[str]()
    for done in team.map(probes, tick=progress.tick):
        probe, finished = done.result
        new = [failure for failure in finished.failures if failure.kind not in told]
        FailureLog(probe.grid(plan.names), logger.warning).add(done.rank, new)
        told |= {failure.kind for failure in new}
        progress.add(finished.results)
        found[probe] = finished.results
    if len(found) < len(probes):
        raise StoppedError(f"stopped early: {stop.requested}; this command saves nothing, so run it again")
    return found


def _text(plan: Plan, found: Mapping[Probe, PointResults]) -> str:
    series = [_series(found, method, plan.budget(method)) for method in METHODS]
    conclusions = [budget_conclusion(plan.budgets, one, CLAIM) for one in series]
    parts = [budget_table(plan.budgets, _place(plan), series).lines(), _judged(conclusions)]
    for axis in plan.lines:
        name, values = plan.names[axis], np.array(plan.values(axis))
        expected = stored_settings(plan.config.resolved, plan.names).gate.minimum.get(name)
        series = [_series(found, method, plan.line(method, axis)) for method in METHODS]
        conclusions = [line_conclusion(name, values, one, expected) for one in series]
        parts += [line_table(name, values, _others(plan, axis), series).lines(), _judged(conclusions)]
    return "\n\n".join(parts)


def _series(found: Mapping[Probe, PointResults], method: str, probes: Sequence[Probe]) -> Series:
    results = [found[probe] for probe in probes]
    chi2, bound = ([float(r.chi2[0]) for r in results], [float(r.chi2_lower_bound[0]) for r in results])
    return Series(method, np.array(chi2), np.array(bound))


def _judged(conclusions: Sequence[Conclusion]) -> str:
    return "\n".join([*(conclusion.text for conclusion in conclusions), f"→ {verdict_on_methods(conclusions)}"])


def _place(plan: Plan, without: int | None = None) -> str:
    pairs = enumerate(zip(plan.names, plan.centre, strict=True))
    return ", ".join(f"{name} = {value:g}" for k, (name, value) in pairs if k != without)


def _others(plan: Plan, axis: int) -> str:
    where = _place(plan, axis)
    return f" at {where}" if where else ""
