"""The story of a run, from a configuration to one file."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import numpy as np

from hpcscan.config.models import build_model
from hpcscan.config.read import read_config
from hpcscan.config.records import Config
from hpcscan.errors import Exit
from hpcscan.fit.records import PointResults, Status
from hpcscan.model import Model
from hpcscan.parallel import Coordinator, World, connect, run_team
from hpcscan.scan.chunks import Chunk, cut
from hpcscan.scan.memory import check_memory
from hpcscan.scan.work import fit_chunk
from hpcscan.store.dataset import write_dataset
from hpcscan.store.output import check_output
from hpcscan.store.provenance import attributes
from hpcscan.store.variables import variable_table
from hpcscan.terminal.numbers import count, duration, rate
from hpcscan.terminal.progress import Progress
from hpcscan.terminal.summary import summary

logger = logging.getLogger(__name__)

Team = Coordinator[Config, Chunk, PointResults]


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


def _prepare(config: Config) -> Callable[[Chunk], PointResults]:
    """Turn a configuration into the function that fits one chunk; runs on every rank that computes."""
    return partial(fit_chunk, build_model(config.model), config.grid, config.fit)


def _lead(request: RunRequest, world: World, team: Team) -> int:
    """Run the scan from rank 0."""
    started = datetime.now(UTC)

    # Everything that can be wrong with the request is found before anything is computed.
    config = read_config(request.config, request.overrides, request.output)
    model = build_model(config.model)
    check_memory(config.grid, model, config.fit.n_starts)
    variable_table(config.grid, model)
    output = check_output(config.output, request.overwrite)

    # Each chunk is computed wherever a rank is free; its place in the result does not depend on where or when.
    team.brief(config)
    results = _collect(config, model, team, world.size)

    facts = attributes(
        config, model, ranks=world.size, mpi_library=world.library, started=started, argv=_command_line()
    )
    write_dataset(output, config.grid, model, results, facts)
    logger.info("%s", summary(config.grid, model, results))
    logger.info("written: %s", output)
    return Exit.COMPLETE if np.all(results.status == Status.CONVERGED) else Exit.INCOMPLETE


def _collect(config: Config, model: Model, team: Team, ranks: int) -> PointResults:
    """Hand out the chunks and put the results in their places."""
    grid, fit = config.grid, config.fit
    results = PointResults.not_run(model, np.arange(grid.n_points), fit.n_starts)
    chunks = cut(grid.n_points, fit.n_starts, model, ranks, config.chunk)
    logger.info("%s × %s on %s", count(grid.n_points, "point"), count(fit.n_starts, "start"), count(ranks, "rank"))
    progress = Progress(grid.n_points, logger.info)
    for done in team.map(chunks, tick=progress.tick):
        done.result.rank[:] = done.rank
        results.put(done.result)
        progress.add(done.result)
        logger.debug("rank %d finished %s", done.rank, count(len(done.result.status), "point"))
    elapsed = progress.elapsed
    logger.info("done in %s (%s points/s)", duration(elapsed), rate(grid.n_points, elapsed))
    return results


def _command_line() -> list[str]:
    return ["hpcscan", *sys.argv[1:]]
