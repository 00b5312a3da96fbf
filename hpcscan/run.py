"""The story of a run, from a configuration to one file."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import numpy as np

from hpcscan.config.models import build_model
from hpcscan.config.read import read_config
from hpcscan.config.records import Config
from hpcscan.errors import Exit
from hpcscan.fit.records import PointResults, Status
from hpcscan.fit.settings import FitSettings
from hpcscan.model import Model
from hpcscan.parallel import Coordinator, Done, World, connect, run_team
from hpcscan.scan.chunks import cut
from hpcscan.scan.memory import check_memory
from hpcscan.scan.repair import Refit, repair
from hpcscan.scan.work import Task, perform
from hpcscan.store.dataset import write_dataset
from hpcscan.store.output import check_output
from hpcscan.store.provenance import attributes
from hpcscan.store.variables import variable_table
from hpcscan.terminal.numbers import count, duration, rate
from hpcscan.terminal.progress import Progress
from hpcscan.terminal.summary import summary

logger = logging.getLogger(__name__)

Team = Coordinator[Config, Task, PointResults]


@dataclass(frozen=True)
class RunRequest:
    """What the user asked for on the command line."""

    config: str
    output: str | None = None
    overrides: Sequence[str] = ()
    overwrite: bool = False


def run(request: RunRequest) -> int:
    """Scan a grid on all ranks that the launcher started; every rank returns the same exit code."""
    world = connect()
    return run_team(world, partial(_lead, request, world), _prepare)


def _prepare(config: Config) -> Callable[[Task], PointResults]:
    """Turn a configuration into the function that does one task; runs on every rank that computes."""
    return partial(perform, build_model(config.model), config.grid, config.fit)


def _lead(request: RunRequest, world: World, team: Team) -> int:
    """Run the scan from rank 0."""
    started = datetime.now(UTC)

    # Everything that can be wrong with the request is found before anything is computed.
    config = read_config(request.config, request.overrides, request.output)
    model = build_model(config.model)
    check_memory(config.grid, model, config.fit.n_starts)
    variable_table(config.grid, model)
    output = check_output(config.output, request.overwrite)

    # Each task is done wherever a rank is free; the place of its result does not depend on where or when.
    team.brief(config)
    results = _first_pass(config, model, team, world.size)
    _repair(config, model, team, results)

    # The file is complete before it appears under its name.
    text = summary(config.grid, model, results)
    facts = attributes(
        config, model, ranks=world.size, mpi_library=world.library, started=started, argv=_command_line()
    )
    write_dataset(output, config.grid, model, results, {**facts, "hpcscan_audit": text})
    logger.info("%s\nwritten: %s", text, output)
    return Exit.COMPLETE if np.all(results.status == Status.CONVERGED) else Exit.INCOMPLETE


def _first_pass(config: Config, model: Model, team: Team, ranks: int) -> PointResults:
    """Fit every point of the grid from its own starts."""
    grid, fit = config.grid, config.fit
    results = PointResults.not_run(model, np.arange(grid.n_points), fit.n_starts)
    chunks = cut(grid.n_points, fit.n_starts, model, ranks, config.chunk)
    logger.info("%s, %s each, on %s", count(grid.n_points, "point"), _starts(fit), count(ranks, "rank"))
    progress = Progress(grid.n_points, logger.info)
    for part in _results(team.map(chunks, tick=progress.tick)):
        results.put(part)
        progress.add(part)
    elapsed = progress.elapsed
    logger.info("done in %s (%s points/s)", duration(elapsed), rate(grid.n_points, elapsed))
    return results


def _repair(config: Config, model: Model, team: Team, results: PointResults) -> None:
    """Refit points without a proof from their neighbours' minima."""
    if config.fit.is_evolution:
        return

    def compute(tasks: Sequence[Refit]) -> Iterator[PointResults]:
        return _results(team.map(tasks))

    for wave, n_improved in enumerate(repair(config.grid, model, results, config.fit.repair_waves, compute), 1):
        logger.info("repair, wave %d: %s improved", wave, count(n_improved, "point"))


def _results(finished: Iterable[Done[PointResults]]) -> Iterator[PointResults]:
    """Take the results as they arrive, and note who computed them."""
    for done in finished:
        done.result.rank[:] = done.rank
        logger.debug("rank %d finished %s", done.rank, count(len(done.result.status), "point"))
        yield done.result


def _starts(fit: FitSettings) -> str:
    limits = fit.start_range
    return count(limits.max, "start") if limits.min == limits.max else f"{limits.min} to {limits.max} starts"


def _command_line() -> list[str]:
    return ["hpcscan", *sys.argv[1:]]
