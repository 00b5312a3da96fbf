"""From a model's name, or a user's file, to a model that is ready to compute; called on every rank."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np

from hpcscan.arrays import Array
from hpcscan.config.declarations import declaration_problems, option_problems
from hpcscan.config.keys import OptionKey, options_of
from hpcscan.config.kinds import did_you_mean
from hpcscan.config.nodes import shown
from hpcscan.config.plugin import blaming, fault, plugin_class
from hpcscan.config.validated import ModelChoice, PluginSource
from hpcscan.errors import Mistake, OptionError, UsageError
from hpcscan.grid import Grid
from hpcscan.model import Likelihood, Model
from hpcscan.model.posing import pose
from hpcscan.model.problem import Problem

#: What a user may give as a model.
AnyModel = Model | Likelihood
AnyModelClass = type[Model] | type[Likelihood]

#: Built-in models, as module:class, imported when they are asked for.
BUILT_IN = {"leptons": "hpcscan.models.leptons.model:LeptonModel"}


def build_model(choice: ModelChoice) -> Problem:
    """Construct a model, check what it declares, and pose the fit that is asked for.

    Raises
    ------
    UsageError
        Whose mistakes are located by dotted configuration key, such as ``model.options.bounds.muon.U``.
    """
    found = model_class(choice.name, choice.plugin)
    model = construct(found, choice.options, choice.plugin)
    return pose(model, choice.scanned, choice.fixed, choice.rows_per_call)


def model_class(name: str, plugin: PluginSource | None) -> AnyModelClass:
    """Find the class of a model."""
    return _built_in(name) if plugin is None else plugin_class(plugin)


def model_options(found: AnyModelClass, plugin: PluginSource | None) -> tuple[OptionKey, ...]:
    """List the options of a model's class."""
    with blaming(plugin, "its options"):
        try:
            options = options_of(found)
        except (TypeError, NameError) as error:
            _refuse(plugin, [str(error)])
            return ()
        problems = option_problems(options)
    _refuse(plugin, problems)
    return options


def _built_in(name: str) -> AnyModelClass:
    if name not in BUILT_IN:
        hint = did_you_mean(name, list(BUILT_IN))
        raise UsageError(Mistake("model.name", f"model.name: {shown(name)!r} is not a built-in model; {hint}"))
    module, _, class_name = BUILT_IN[name].partition(":")
    found: AnyModelClass = getattr(import_module(module), class_name)
    return found


def construct(
    found: AnyModelClass, options: Mapping[str, Any], plugin: PluginSource | None, reserved: Sequence[str] = ()
) -> AnyModel:
    """Construct a model with its options, and check what it declares, also against names that are not free."""
    # Python's own message names the class and not what is to be done.
    if missing := sorted(getattr(found, "__abstractmethods__", ())):
        _refuse(plugin, [f"{found.__name__} has no function {name}(self, **parameters)" for name in missing])
    with blaming(plugin, f"{found.__name__}(...)"):
        model = _constructed(found, options)
    with blaming(plugin, "a declaration"):
        problems = declaration_problems(model, reserved)
    _refuse(plugin, problems)
    return model


def _constructed(found: AnyModelClass, options: Mapping[str, Any]) -> AnyModel:
    try:
        return found(**options)
    except OptionError as error:
        raise UsageError(*(_located(path, message) for path, message in error.problems)) from None


def check_values(problem: Problem, grid: Grid, fixed: Mapping[str, float], plugin: PluginSource | None) -> None:
    """Hold the values of scanned and fixed parameters to what is declared, and ask the model whether it takes them."""
    scanned = {axis.name: np.array(axis.values) for axis in grid.axes}
    # A model is asked about values only where they are within the bounds that it declares.
    problems = [*_out_of_bounds(problem, scanned)]
    for parameter in problem.parameters:
        if text := parameter.problem_of_start():
            remedy = f"it is neither scanned nor fixed, so it is profiled: {text}, or scan it, or fix it"
            problems.append(Mistake("scan", f"the parameter {parameter.name}: {remedy}"))
    if not problems:
        with blaming(plugin, "check"):
            for name, message in problem.check(scanned):
                key = f"scan.{name}" if name in scanned else f"fix.{name}" if name in fixed else "scan"
                problems.append(Mistake(key, f"{key if key != 'scan' else name} {message}"))
    if problems:
        raise UsageError(*problems)


def _out_of_bounds(problem: Problem, scanned: Mapping[str, Array]) -> Iterator[Mistake]:
    """List the scanned and fixed parameters that leave their bounds."""
    held = [("scan", p, scanned[p.name]) for p in problem.axes]
    held += [("fix", p, np.array([value])) for p, value in problem.fixed_parameters]
    for section, parameter, values in held:
        for value in (values.min(), values.max()):
            if not parameter.lower <= value <= parameter.upper:
                key = f"{section}.{parameter.name}"
                bounds = f"[{parameter.lower:g}, {parameter.upper:g}]"
                yield Mistake(key, f"{key}: {value:g} is outside the bounds of the parameter, {bounds}")
                # One value outside is enough to be told.
                break


def _located(path: tuple[str, ...], message: str) -> Mistake:
    name = ".".join(("model", "options", *path))
    return Mistake(name, f"{name} {message}")


def _refuse(plugin: PluginSource | None, problems: list[str]) -> None:
    if not problems:
        return
    if plugin is None:
        # A built-in model that declares nonsense is a bug.
        raise ValueError("; ".join(problems))
    raise UsageError(*(mistake for text in problems for mistake in fault(f"{plugin.path}: {text}").mistakes))
