"""A configuration with all that can be said of it before anything is computed, whatever room it is said in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from hpcscan.config.assemble import Checks
from hpcscan.config.building import build_model
from hpcscan.config.read import read_config
from hpcscan.config.validated import Config, PluginSource
from hpcscan.dataset.variables import own_names
from hpcscan.grid import Grid
from hpcscan.guard.probe import PROBE_SECONDS, probe_model, probe_precision
from hpcscan.model.problem import Problem
from hpcscan.scanning.memory import memory_problem
from hpcscan.scanning.strategy import plan_evidence


def read_checked(
    path: str,
    overrides: Sequence[str] = (),
    output: str | None = None,
    check_output: Callable[[str], object] | None = None,
) -> Config:
    """Read a configuration, try its model, and hold its grid to the memory and its names to those of a result.

    Parameters
    ----------
    path, overrides, output
        As for `read_config`.
    check_output : callable, optional
        Raises a `UsageError` where the result cannot go to a path.

    Raises
    ------
    UsageError
        With every mistake, in the order of their places.
    """
    checks = Checks(
        output=check_output, size=memory_problem, model=_try_model, precision=probe_precision, names=own_names()
    )
    return planned(read_config(path, overrides, output, checks))


def planned(config: Config) -> Config:
    """Decide how the scan comes by its evidence."""
    seconds = config.fit.time_limit or PROBE_SECONDS
    strategy = plan_evidence(build_model(config.model), config.grid, config.fit, seconds)
    return replace(config, fit=strategy.fit, evidence=strategy.text)


def _try_model(model: Problem, grid: Grid, plugin: PluginSource | None, time_limit: float | None) -> None:
    probe_model(model, grid, plugin, time_limit or PROBE_SECONDS)
