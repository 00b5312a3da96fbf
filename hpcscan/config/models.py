"""From a model's name, or a user's file, to a model that is ready to compute; called on every rank."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np

from hpcscan.config.declarations import declaration_problems, option_problems
from hpcscan.config.kinds import did_you_mean
from hpcscan.config.nodes import shown
from hpcscan.config.plugin import blaming, fault, plugin_class
from hpcscan.config.records import ModelChoice, PluginSource
from hpcscan.errors import Mistake, OptionError, UsageError
from hpcscan.grid import Grid
from hpcscan.model import Model

#: Built-in models, as module:class, imported when they are asked for.
BUILT_IN = {"leptons": "hpcscan.models.leptons.model:LeptonModel"}


def build_model(choice: ModelChoice) -> Model:
    """Construct a model and check what it declares.

    Raises
    ------
    UsageError
        Whose mistakes are located by dotted configuration key, such as ``model.options.bounds.muon.U``.
    """
    return construct(model_class(choice.name, choice.plugin), choice.options, choice.plugin)


def model_class(name: str, plugin: PluginSource | None) -> type[Model]:
    """Find the class of a model, with its options checked as far as the class declares them."""
    if plugin is None:
        return _built_in(name)
    found = plugin_class(plugin)
    with blaming(plugin, "its options"):
        problems = option_problems(found.options)
    _refuse(plugin, problems)
    return found


def _built_in(name: str) -> type[Model]:
    if name not in BUILT_IN:
        hint = did_you_mean(name, list(BUILT_IN))
        raise UsageError(Mistake("model.name", f"model.name: {shown(name)!r} is not a built-in model; {hint}"))
    module, _, class_name = BUILT_IN[name].partition(":")
    found: type[Model] = getattr(import_module(module), class_name)
    return found


def construct(
    found: type[Model], options: Mapping[str, Any], plugin: PluginSource | None, reserved: Sequence[str] = ()
) -> Model:
    """Construct a model with its options, and check what it declares, also against names that are not free."""
    with blaming(plugin, f"{found.__name__}(...)"):
        model = _constructed(found, options)
    with blaming(plugin, "a declaration"):
        problems = declaration_problems(model, reserved)
    _refuse(plugin, problems)
    return model


def _constructed(found: type[Model], options: Mapping[str, Any]) -> Model:
    try:
        return found(**options)
    except OptionError as error:
        raise UsageError(*(_located(path, message) for path, message in error.problems)) from None


def check_axis_values(model: Model, grid: Grid, plugin: PluginSource | None) -> None:
    """Ask the model whether it accepts the values of its axes."""
    values = {axis.name: np.array(axis.values) for axis in grid.axes}
    with blaming(plugin, "check_axes"):
        problems = [_located(("scan", axis), message) for axis, message in model.check_axes(values)]
    if problems:
        raise UsageError(*problems)


def _located(path: tuple[str, ...], message: str) -> Mistake:
    name = ".".join(path if path[:1] == ("scan",) else ("model", "options", *path))
    return Mistake(name, f"{name} {message}")


def _refuse(plugin: PluginSource | None, problems: list[str]) -> None:
    if not problems:
        return
    if plugin is None:
        # A built-in model that declares nonsense is a bug.
        raise ValueError("; ".join(problems))
    raise UsageError(*(mistake for text in problems for mistake in fault(f"{plugin.path}: {text}").mistakes))
