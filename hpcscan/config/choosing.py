"""Which model a configuration names, or a program has given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hpcscan.config.declarations import declaration_problems
from hpcscan.config.keys import concrete_keys
from hpcscan.config.models import AnyModel, AnyModelClass, model_class, model_options
from hpcscan.config.nodes import Node
from hpcscan.config.options import OptionKey
from hpcscan.config.plugin import read_plugin
from hpcscan.config.records import PluginSource
from hpcscan.config.sections import find, read_values
from hpcscan.errors import Mistake, UsageError
from hpcscan.settings import ModelSettings


@dataclass(frozen=True)
class Chosen:
    """The class of the model, its options, where it comes from, and the names that are not free for it."""

    name: str
    plugin: PluginSource | None
    model_class: AnyModelClass
    options: tuple[OptionKey, ...]
    reserved: tuple[str, ...]


def choose(root: Node, path: str, reserved: tuple[str, ...]) -> Chosen | None:
    """Find the class of the model; None where that is written so wrongly that the table of keys says enough."""
    if not is_section(find(root, ("model",))):
        return None
    named = [key for key in concrete_keys((), None) if key.name in ("model.name", "model.plugin")]
    values, _ = read_values(root, named)
    if len(values) < len(named):
        return None
    written = ModelSettings(values["model.name"], values["model.plugin"])
    if (written.name is None) == (written.plugin is None):
        fault = "has both name and plugin; keep one" if written.name else "needs a name, such as leptons, or a plugin"
        raise UsageError(Mistake("model.plugin", f"model {fault}"))
    plugin = read_plugin(written.plugin, str(Path(path).parent)) if written.plugin else None
    name = plugin.class_name if plugin else str(written.name)
    found = model_class(name, plugin)
    return Chosen(name, plugin, found, model_options(found, plugin), reserved)


def given_model(model: AnyModel, reserved: tuple[str, ...]) -> Chosen:
    """Take a model that is there already, if what it declares makes sense."""
    problems = declaration_problems(model, reserved)
    if problems:
        raise UsageError(*(f"{type(model).__name__}: {problem}" for problem in problems))
    return Chosen(type(model).__name__, None, type(model), (), reserved)


def is_section(node: Node | None) -> bool:
    """Tell whether a section can be read: it has keys, or is empty, or is not there."""
    return node is None or isinstance(node.value, Mapping | None)
