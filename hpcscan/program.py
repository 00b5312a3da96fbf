"""What is asked for, by a configuration file or a Python program: a scan that is validated, tried and planned; toys."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from numbers import Real
from typing import Any, TypeVar

import numpy as np

from hpcscan.border import account_of
from hpcscan.config.assemble import Checks
from hpcscan.config.building import build_model
from hpcscan.config.nodes import repr_of
from hpcscan.config.read import config_from_python, read_config, stored_sections
from hpcscan.config.validated import Config, PluginSource
from hpcscan.dataset.scan import ScanData, stored_points
from hpcscan.dataset.variables import own_names
from hpcscan.distribution import level_of
from hpcscan.errors import UsageError
from hpcscan.fitting.records import PointResults
from hpcscan.grid import Grid
from hpcscan.guard.probe import PROBE_SECONDS, probe_model, probe_precision
from hpcscan.model.interface import Likelihood, Model
from hpcscan.model.posing import pose
from hpcscan.model.problem import Problem
from hpcscan.model.returned import WrongResultError
from hpcscan.scanning.cost import memory_problem
from hpcscan.scanning.recheck import predict_again
from hpcscan.scanning.strategy import plan_evidence
from hpcscan.scanning.toy_tasks import toys_in_memory
from hpcscan.scanning.work import Alone, Common
from hpcscan.toys.toy_record import ToyRecord

StoredT = TypeVar("StoredT")

#: Points that are predicted again.
MOST_AGAIN = 5


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
    config = read_config(path, overrides, output, checks)
    return planned(config, build_model(config.model), config.fit.time_limit or PROBE_SECONDS)


def checked(model: Model | Likelihood, sections: Mapping[str, Any]) -> Config:
    """Validate what a program asks for; a section that is left out is empty."""
    checks = Checks(size=memory_problem, model=_try_given_model, precision=probe_precision, names=own_names())
    is_left_out = {name: section is None and name != "scan" for name, section in sections.items()}
    tree = {name: {} if is_left_out[name] else section for name, section in sections.items()}
    return config_from_python(model, tree, checks)


def planned(config: Config, problem: Problem, seconds: float | None = None) -> Config:
    """Decide how the scan comes by its evidence, within these seconds for a trial; without them nobody watches it."""
    strategy = plan_evidence(problem, config.grid, config.fit, seconds)
    return replace(config, fit=strategy.fit, evidence=strategy.text)


def _try_model(model: Problem, grid: Grid, plugin: PluginSource | None, time_limit: float | None) -> None:
    probe_model(model, grid, plugin, time_limit or PROBE_SECONDS)


def _try_given_model(model: Problem, grid: Grid, *_: object) -> None:
    """Call the model as its scan will; an exception of its own stays visible as the cause."""
    try:
        probe_model(model, grid)
    except UsageError:
        raise
    except WrongResultError as error:
        raise UsageError(f"{model.name}: {error}") from None
    except Exception as error:
        raise UsageError(f"{model.name}: a trial call raised {account_of(error)}") from error


def toys_again(data: ScanData, model: Model | Likelihood, section: Mapping[str, Any]) -> ToyRecord:
    """Make toys of a scan.

    Parameters
    ----------
    model : Model or Likelihood
        With which it was computed.
    section : mapping
        The section `toys` of a configuration.

    Raises
    ------
    UsageError
        Where the model is another one, or toys would mean nothing.
    """
    tree = {"fix": {}, "fit": {}} | stored_sections(data.text("hpcscan_config"), ("fix", "fit"))
    grid = {axis.name: axis.values for axis in data.grid.axes}
    config = config_from_python(model, {**tree, "scan": grid, "toys": section})
    # A limit on time needs the signal handler of a command.
    fit = replace(config.fit, precision=data.precision.relative or None, time_limit=None)
    config = replace(config, fit=fit)
    problem = pose(model, config.model.scanned, config.model.fixed, config.model.rows_per_call)
    results = stored_points(data, problem)
    common = Common(problem, config.grid, config.fit)
    refuse_other_predictions(data.name, common, results)
    record = toys_in_memory(Alone(common), config, problem, results)
    if record is None or record.refusal:
        raise UsageError(f"no toys: {record.refusal if record else 'none are asked for'}")
    return record


def refuse_other_predictions(name: str, common: Common, results: PointResults) -> None:
    """Predict a few points again, and refuse a model that predicts something else than a scan has.

    Raises
    ------
    UsageError
    """
    known = np.flatnonzero(np.isfinite(results.chi2))
    if not len(known):
        return
    some = known[np.unique(np.linspace(0, len(known) - 1, MOST_AGAIN).round().astype(int))]
    again = predict_again(common, results.take(some))
    if isinstance(again, str):
        raise UsageError(f"{name}: its points cannot be predicted again: {again}")
    if not again.is_same_model:
        raise UsageError(f"{name}: is of another model, which predicted something else; give the one of its run")


def stored_level(
    found: list[StoredT] | None, levels: Sequence[float], cl: float, key: str = "answer.cl"
) -> list[StoredT]:
    """Refuse a level that was not fitted."""
    if found is None:
        known = ", ".join(f"{level:g}" for level in levels) or "none"
        raise UsageError(f"cl = {float(cl):g} was not fitted, and the levels that were are: {known}; name it in {key}")
    return found


def asked_level(cl: float, n_parameters: int) -> float:
    """Return the Δχ² of a confidence level."""
    if isinstance(cl, bool) or not isinstance(cl, Real) or not 0 < cl < 1:
        raise UsageError(f"cl = {repr_of(cl)}: expected a probability between 0 and 1, such as 0.6827")
    return level_of(float(cl), n_parameters)


def as_path(path: object, name: str) -> str:
    """Accept the name of a file or folder."""
    if isinstance(path, str | os.PathLike):
        text = os.fspath(path)
        if isinstance(text, str) and text and "\0" not in text:
            return text
    raise UsageError(f"{name} is {repr_of(path)}; expected a name without NUL, such as 'results/scan.nc'")
