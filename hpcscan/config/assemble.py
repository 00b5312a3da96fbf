"""From a tree to a `Config`, step by step; every step adds what it finds wrong and lets the next ones go on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from math import prod
from pathlib import Path
from typing import Any

from hpcscan.config.axes import axis_problems, axis_values, n_axis_points, size_problem
from hpcscan.config.declarations import declaration_problems
from hpcscan.config.keys import concrete_keys, section_values
from hpcscan.config.kinds import did_you_mean
from hpcscan.config.models import check_axis_values, construct, model_class
from hpcscan.config.nodes import Node, shown
from hpcscan.config.plugin import read_plugin
from hpcscan.config.records import Config, ModelChoice, PluginSource
from hpcscan.config.resolved import nested, yaml_text
from hpcscan.config.sections import find, locate, read_values, salvaged_value
from hpcscan.errors import Mistake, UsageError
from hpcscan.grid import Grid, GridAxis
from hpcscan.model import Axis, Model
from hpcscan.settings import AxisSettings, FitSettings, ModelSettings, RunSettings, Setting, StartRange

_OPTIONS = "model.options."


@dataclass(frozen=True)
class Checks:
    """What others know of a configuration, so that it is told together with all other mistakes.

    Attributes
    ----------
    output : callable, optional
        ``output(path)`` raises a `UsageError` where the result cannot go there.
    size : callable, optional
        ``size(n_points, model, n_starts)`` says why there are too many, or gives None.
    model : callable, optional
        ``model(model, grid, plugin, time_limit)`` tries the model and raises a `UsageError`.
    names : tuple of str
        Names that a model may not use, because a result does; ``{scale}`` stands for the name of a scale.
    """

    output: Callable[[str], object] | None = None
    size: Callable[[int, Model, int], str | None] | None = None
    model: Callable[[Model, Grid, PluginSource | None, float | None], object] | None = None
    names: tuple[str, ...] = ()


NO_CHECKS = Checks()


@dataclass(frozen=True)
class _Chosen:
    """The class of the model, where it comes from, and the names that are not free for it."""

    name: str
    plugin: PluginSource | None
    model_class: type[Model]
    reserved: tuple[str, ...]


def assemble(
    root: Node, path: str, mistakes: list[Mistake], checks: Checks = NO_CHECKS, given: Model | None = None
) -> Config | None:
    """Read the values of a tree, build and try the model, and lay out the grid.

    Parameters
    ----------
    root : Node
    path : str
        Of the configuration.
    mistakes : list of Mistake
        Receives what is wrong.
    checks : Checks
    given : Model, optional
        The model itself, where a program has made it; then the tree has no section `model`.

    Returns
    -------
    Config or None
        None where there is any mistake, also one from before.
    """
    chosen = model = None
    with collecting(mistakes, root):
        chosen = _choose(root, path, checks.names) if given is None else _given_model(given, checks.names)
    keys = concrete_keys(_axis_names(root), chosen.model_class.options if chosen else None)
    values, wrong = read_values(root, keys)
    mistakes += wrong
    if chosen and given is not None:
        values["model.name"] = chosen.name
    if "output" in values:
        mistakes += _output_problems(root, _output(values, path), checks)
    wrong_options = [key for key in keys if key.name.startswith(_OPTIONS) and key.name not in values]
    axes: Sequence[Axis] = ()
    if chosen and given is not None:
        model, axes = given, given.axes
    elif chosen:
        model, axes = _construct(root, chosen, values, wrong_options, mistakes)
    grid = _grid(root, values, model, mistakes, checks)
    n_before = len(mistakes)
    if axes and _is_section(find(root, ("scan",))):
        with collecting(mistakes, root):
            _check_axis_names(root, axes)
    if chosen and model and grid and not wrong_options:
        with collecting(mistakes, root):
            _check_grid(model, grid, chosen)
        if checks.model and len(mistakes) == n_before:
            with collecting(mistakes, root):
                checks.model(model, grid, chosen.plugin, values.get("fit.time_limit"))
    return _config(values, keys, chosen, grid, path) if chosen and grid and not mistakes else None


@contextmanager
def collecting(mistakes: list[Mistake], root: Node | None = None) -> Iterator[None]:
    """Keep the mistakes of a `UsageError` and go on; with `root`, turn configuration keys into places."""
    try:
        yield
    except UsageError as error:
        mistakes += error.mistakes if root is None else (_placed(root, mistake) for mistake in error.mistakes)


def _placed(root: Node, mistake: Mistake) -> Mistake:
    return replace(mistake, where=locate(root, mistake.where))


def _output_problems(root: Node, output: str, checks: Checks) -> list[Mistake]:
    try:
        if checks.output:
            checks.output(output)
    except UsageError as error:
        return [Mistake(locate(root, "output"), mistake.message) for mistake in error.mistakes]
    return []


def _construct(
    root: Node, chosen: _Chosen, values: Mapping[str, Any], wrong: Sequence[Setting], mistakes: list[Mistake]
) -> tuple[Model | None, Sequence[Axis]]:
    """Construct the model; a wrong option gets what is right of it, and else its default.

    Then only what the model says of single options counts, and only where no option with a default is mentioned.
    Where it refuses its options its axes are those of its class, if they are declared there.
    """
    salvaged = {key.name: salvaged_value(find(root, key.parts), key) for key in wrong}
    replaced = [key.parts[-1] for key in wrong if not (node := find(root, key.parts)) or not node.entries]
    problems: list[Mistake] = []
    model = None
    with collecting(problems):
        model = construct(chosen.model_class, _options({**values, **salvaged}), chosen.plugin, chosen.reserved)
    if wrong:
        problems = [p for p in problems if p.where.startswith(_OPTIONS) and not _mentions(p.message, replaced)]
    mistakes += [_placed(root, problem) for problem in problems]
    if model is not None:
        return model, model.axes
    is_about_options = bool(problems) and all(p.where.startswith(_OPTIONS) for p in problems)
    axes = getattr(chosen.model_class, "axes", ()) if is_about_options else ()
    return None, axes if all(isinstance(axis, Axis) for axis in axes) else ()


def _mentions(message: str, names: Sequence[str]) -> bool:
    return any(re.search(rf"\b{re.escape(name)}\b", message) for name in names)


def _choose(root: Node, path: str, reserved: tuple[str, ...]) -> _Chosen | None:
    """Find the class of the model; None where that is written so wrongly that the table of keys says enough."""
    if not _is_section(find(root, ("model",))):
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
    return _Chosen(name, plugin, model_class(name, plugin), reserved)


def _given_model(model: Model, reserved: tuple[str, ...]) -> _Chosen:
    """Take a model that is there already, if what it declares makes sense."""
    problems = declaration_problems(model, reserved)
    if problems:
        raise UsageError(*(f"{type(model).__name__}: {problem}" for problem in problems))
    return _Chosen(type(model).__name__, None, type(model), reserved)


def _is_section(node: Node | None) -> bool:
    """Tell whether a section can be read: it has keys, or is empty, or is not there."""
    return node is None or isinstance(node.value, Mapping | None)


def _options(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name.removeprefix(_OPTIONS): value for name, value in values.items() if name.startswith(_OPTIONS)}


def _axis_names(root: Node) -> list[str]:
    """Names of the axes as written; the table of keys refuses the others."""
    scan = find(root, ("scan",))
    return [] if scan is None else [name for name in scan.entries if name and "." not in name]


def _check_axis_names(root: Node, axes: Sequence[Axis]) -> None:
    """Hold the axes of the scan to those of the model."""
    written, known = _axis_names(root), [axis.name for axis in axes]
    problems = [
        Mistake(f"scan.{name}", f"scan.{shown(name)} is not an axis of the model; {did_you_mean(name, known)}")
        for name in written
        if name not in known
    ]
    missing = [name for name in known if name not in written]
    if missing:
        wanted = f"scan needs the axis {' and '.join(missing)}; the model scans {' and '.join(known)}"
        problems.append(Mistake("scan", wanted))
    if problems:
        raise UsageError(*problems)


def _check_grid(model: Model, grid: Grid, chosen: _Chosen) -> None:
    """Refuse values that the model cannot accept."""
    if {axis.name for axis in model.axes} == {axis.name for axis in grid.axes}:
        check_axis_values(model, grid, chosen.plugin)


def _grid(
    root: Node, values: Mapping[str, Any], model: Model | None, mistakes: list[Mistake], checks: Checks
) -> Grid | None:
    """Lay out the grid; None where an axis is wrong, or where there are too many points."""
    names = _axis_names(root)
    given = {name: axis for name in names if (axis := _given(root, name, values)) is not None}
    mistakes += [_placed(root, problem) for name in names if name not in given for problem in _order(name, values)]
    counts = {name: n_axis_points(axis) for name, axis in given.items()}
    wrong = [size_problem(counts) or _memory_problem(counts, values, model, checks)]
    if wrong == [None]:
        wrong = [problem for name, axis in given.items() for problem in axis_problems(name, axis)]
    mistakes += [_placed(root, mistake) for mistake in wrong if mistake]
    if wrong or not names or len(given) < len(names):
        return None
    return Grid(tuple(GridAxis(name, axis_values(axis)) for name, axis in given.items()))


def _memory_problem(
    counts: Mapping[str, int], values: Mapping[str, Any], model: Model | None, checks: Checks
) -> Mistake | None:
    """Say that the results do not fit into memory, before millions of values are made; None where they do."""
    if checks.size is None or model is None or "fit.starts" not in values or "fit.method" not in values:
        return None
    n_starts = _fit({"starts": values["fit.starts"], "method": values["fit.method"]}).n_starts
    problem = checks.size(prod(counts.values()), model, n_starts)
    return None if problem is None else Mistake("scan", f"scan: {problem}")


def _order(axis: str, values: Mapping[str, Any]) -> Iterator[Mistake]:
    """Check the ends of an axis that has another mistake as well."""
    low, high = (values.get(f"scan.{axis}.{end}") for end in ("min", "max"))
    if low is not None and high is not None and low > high:
        yield Mistake(f"scan.{axis}.min", f"scan.{axis}.min: min {low!r} is above max {high!r}; swap them")


def _given(root: Node, axis: str, values: Mapping[str, Any]) -> AxisSettings | None:
    """Collect the keys of an axis; None where one of them has no right value."""
    node = find(root, ("scan", axis))
    names = {field.name: f"scan.{axis}.{field.name}" for field in fields(AxisSettings)}
    if node is None or not _is_section(node) or any(name not in values for name in names.values()):
        return None
    given = AxisSettings(**{field: values[name] for field, name in names.items()})
    return given if given.values is None or "spacing" in node.entries else replace(given, spacing=None)


def _config(values: Mapping[str, Any], keys: Sequence[Setting], chosen: _Chosen, grid: Grid, path: str) -> Config:
    complete = {**values, "output": _output(values, path)}
    return Config(
        grid=grid,
        model=ModelChoice(chosen.name, _options(values), chosen.plugin),
        fit=_fit(section_values("fit", values)),
        run=RunSettings(**section_values("run", values)),
        output=complete["output"],
        resolved=yaml_text(nested({key.parts: complete[key.name] for key in keys if _is_set(key, complete)})),
    )


def _output(values: Mapping[str, Any], path: str) -> str:
    return str(values["output"] or f"results/{Path(path).stem}.nc")


def _fit(values: Mapping[str, Any]) -> FitSettings:
    starts = values["starts"]
    return FitSettings(**{**values, "starts": StartRange(**starts) if isinstance(starts, Mapping) else starts})


def _is_set(key: Setting, values: Mapping[str, Any]) -> bool:
    """Leave out what has no meaning in this configuration: unset alternatives, and the spacing of listed values."""
    section = key.name.rpartition(".")[0]
    if key.parts[-1] == "spacing" and key.parts[0] == "scan":
        return values[f"{section}.values"] is None
    return values[key.name] is not None or section == "model.options"
