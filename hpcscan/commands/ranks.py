"""What all ranks of a scan load: rank 0 leads by `commands.run`, the others compute and need little of the program."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from hpcscan.arrays import IntArray
from hpcscan.commands.request import RunRequest, ToyRequest
from hpcscan.config.building import build_model
from hpcscan.config.validated import Config
from hpcscan.guard.guard import Promise
from hpcscan.guard.printed import keep_in, log_path
from hpcscan.guard.spot import SpotCheck
from hpcscan.parallel import Coordinator, StopRequest, World, connect, run_team, start_limit
from hpcscan.scanning.work import GridAnswer, GridTask, perform


def run(request: RunRequest, stop: StopRequest) -> int:
    """Scan a grid on all ranks that the launcher started; every rank returns the same exit code."""
    world = connect(start_limit())
    return run_team(world, partial(_lead, request, world, stop), _prepare, stop)


def toys(request: ToyRequest, stop: StopRequest) -> int:
    """Make toys for a finished result on all ranks that the launcher started."""
    world = connect(start_limit())
    return run_team(world, partial(_lead_toys, request, world, stop), _prepare, stop)


def _lead_toys(
    request: ToyRequest, world: World, stop: StopRequest, team: Coordinator[Config, IntArray, GridTask, GridAnswer]
) -> int:
    from hpcscan.commands.toys import lead  # noqa: PLC0415  (as above)

    return lead(request, world, stop, team)


def _lead(
    request: RunRequest, world: World, stop: StopRequest, team: Coordinator[Config, IntArray, GridTask, GridAnswer]
) -> int:
    from hpcscan.commands.run import lead  # noqa: PLC0415  (files, terminal and report: with many ranks, loading them takes time)

    return lead(request, world, stop, team)


def _prepare(config: Config, promise: Promise) -> Callable[[GridTask], GridAnswer]:
    """Turn a configuration into the function that does one task; runs on every rank that computes."""
    # Before any code of the model's, which may change the directory.
    keep_in(str(log_path(Path(config.output).expanduser().absolute())))
    model = build_model(config.model)
    return partial(perform, model, config.grid, config.fit, promise=promise, spot=SpotCheck())
