"""From a tree to a `Config`, step by step; every step adds what it finds wrong and lets the next ones go on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from math import prod
from pathlib import Path
from typing import Any

from hpcscan.config.building import AnyModel, check_values, construct
from hpcscan.config.keys import concrete_keys, section_values
from hpcscan.config.kinds import did_you_mean
from hpcscan.config.nodes import Node, nested, shown, yaml_text
from hpcscan.config.sections import find, locate, read_values, salvaged_value
from hpcscan.config.special_sections import (
    Chosen,
    axis_problems,
    axis_values,
    choose_model,
    given_model,
    is_section,
    n_axis_points,
    size_problem,
    toy_problems,
    toy_settings,
    within_bounds,
)
from hpcscan.config.user_files import file_digest
from hpcscan.config.validated import Config, ModelChoice, PluginSource
from hpcscan.errors import Mistake, UsageError
from hpcscan.grid import Grid, GridAxis
from hpcscan.model import Parameter
from hpcscan.model.posing import pose
from hpcscan.model.problem import Problem
from hpcscan.settings import AnswerSettings, AxisSettings, FitSettings, ProofBudget, RunSettings, Setting, StartRange
from hpcscan.tolerance import Precision

_OPTIONS = "model.options."


@dataclass(frozen=True)
class Checks:
    """What others know of a configuration, so that it is told together with all other mistakes.

    Attributes
    ----------
    output : callable, optional
        ``output(path)`` raises a `UsageError` where the result cannot go there.
    size : callable, optional
        ``size(n_points, problem, n_starts)`` says why there are too many, or gives None.
    model : callable, optional
        ``model(problem, grid, plugin, time_limit)`` tries the model and raises a `UsageError`.
    precision : callable, optional
        ``precision(problem, grid)`` measures that of the model's numbers.
    names : tuple of str
        Names that a model may not use, because a result does; ``{scale}`` stands for the name of a scale.
    """

    output: Callable[[str], object] | None = None
    size: Callable[[int, Problem, int], str | None] | None = None
    model: Callable[[Problem, Grid, PluginSource | None, float | None], object] | None = None
    precision: Callable[[Problem, Grid], Precision] | None = None
    names: tuple[str, ...] = ()


NO_CHECKS = Checks()


def assemble(
    root: Node, path: str, mistakes: list[Mistake], checks: Checks = NO_CHECKS, given: AnyModel | None = None
) -> Config | None:
    """Read the values of a tree, build and try the model, and lay out the grid.

    Parameters
    ----------
    path : str
        Of the configuration.
    mistakes : list of Mistake
        Receives what is wrong.
    given : Model or Likelihood, optional
        The model itself, where a program has made it; then the tree has no section `model`.

    Returns
    -------
    Config or None
        None where there is any mistake, also one from before.
    """
    # The model first: its options and parameters are keys, and so part of what is read.
    root = _with_long_form(root)
    chosen = None
    with collecting(mistakes, root):
        chosen = choose_model(root, path, checks.names) if given is None else given_model(given, checks.names)
    # The values, with the defaults of what is not written.
    scanned, fixed_names = _names(root, "scan"), _names(root, "fix")
    keys = concrete_keys(scanned, chosen.options if chosen else None, fixed_names)
    values, wrong = read_values(root, keys)
    mistakes += [*wrong, *_level_problems(root, values)]
    if chosen and given is not None:
        values["model.name"] = chosen.name
    # What lies outside of the text: the place of the result, and files that options name.
    if "output" in values:
        mistakes += _output_problems(root, _output(values, path), checks)
    contents: dict[str, str] = {}
    with collecting(mistakes, root):
        contents = _located_files(values, path)
    # The model with its options, and the fit that is posed to it.
    fixed = {name: values[f"fix.{name}"] for name in fixed_names if values.get(f"fix.{name}") is not None}
    problem = _problem(root, chosen, given, keys, values, fixed, mistakes) if chosen else None
    mistakes += toy_problems(root, values, problem)
    # The grid, and a first call of the model on it.
    grid = _grid(root, values, problem, mistakes, checks)
    if chosen and problem and grid:
        _try(root, chosen, problem, grid, values, fixed, mistakes, checks)
    if not chosen or not grid or mistakes:
        return None
    # Nothing is wrong: the complete configuration, as it will be kept in the result.
    rows = values.get("model.rows_per_call")
    choice = ModelChoice(chosen.name, _options(values), chosen.plugin, tuple(scanned), fixed, contents, rows)
    config = _config(values, keys, choice, grid, path)
    # Measured once and recorded, so that steps and tolerances follow from the file.
    if config.fit.precision is None and checks.precision and problem:
        found = checks.precision(problem, grid)
        fit = replace(config.fit, precision=found.relative, precision_floor=found.floor)
        config = replace(config, fit=fit, is_measured=True)
    return config


def _problem(  # noqa: PLR0913, PLR0917  (all that is known of the model)
    root: Node,
    chosen: Chosen,
    given: AnyModel | None,
    keys: Sequence[Setting],
    values: Mapping[str, Any],
    fixed: Mapping[str, float],
    mistakes: list[Mistake],
) -> Problem | None:
    """Construct the model, and pose its fit; None where the model or the names of its parameters are wrong."""
    # Options that are wrong are told already; the model may still say what is wrong with the others.
    wrong = [key for key in keys if key.name.startswith(_OPTIONS) and key.name not in values]
    model, known = (given, given.parameters) if given else _construct(root, chosen, values, wrong, mistakes)
    scanned, n_before = _names(root, "scan"), len(mistakes)
    if is_section(find(root, ("scan",))):
        with collecting(mistakes, root):
            _check_names(scanned, _names(root, "fix"), known)
    # A fit is posed only where every name in it is known.
    is_right = model and not wrong and len(mistakes) == n_before
    return pose(model, scanned, fixed, values.get("model.rows_per_call")) if model and is_right else None


def _try(  # noqa: PLR0913, PLR0917  (all that is known of the scan)
    root: Node,
    chosen: Chosen,
    problem: Problem,
    grid: Grid,
    values: Mapping[str, Any],
    fixed: Mapping[str, float],
    mistakes: list[Mistake],
    checks: Checks,
) -> None:
    """Hold the values to what the model accepts and, where they are, call it for the first time."""
    n_before = len(mistakes)
    with collecting(mistakes, root):
        check_values(problem, grid, fixed, chosen.plugin)
    if checks.model and len(mistakes) == n_before:
        with collecting(mistakes, root):
            checks.model(problem, grid, chosen.plugin, values.get("fit.time_limit"))


def _with_long_form(root: Node) -> Node:
    """Write ``model: leptons``, ``model: file.py`` and ``answer: false`` in full."""
    # `answer: false` stands for `answer: {fitted: false}`.
    answer = root.entries.get("answer")
    if answer is not None and isinstance(answer.value, bool):
        fitted = replace(answer, key_where=answer.key_where or answer.where)
        section = Node({"fitted": fitted}, answer.where, answer.key_where)
        root = replace(root, value={**root.entries, "answer": section})
    node = root.entries.get("model")
    if node is None or not isinstance(node.value, str):
        return root
    # A text that ends like a file of Python is a plugin.
    name = "plugin" if re.search(r"\.py(:\w+)?$", node.value) else "name"
    section = Node({name: replace(node, key_where=node.key_where or node.where)}, node.where, node.key_where)
    return replace(root, value={**root.entries, "model": section})


@contextmanager
def collecting(mistakes: list[Mistake], root: Node | None = None) -> Iterator[None]:
    """Keep the mistakes of a `UsageError` and go on; with `root`, turn configuration keys into places."""
    try:
        yield
    except UsageError as error:
        mistakes += error.mistakes if root is None else (_placed(root, mistake) for mistake in error.mistakes)


def _placed(root: Node, mistake: Mistake) -> Mistake:
    return replace(mistake, where=locate(root, mistake.where))


def _level_problems(root: Node, values: Mapping[str, Any]) -> Iterator[Mistake]:
    """Hold confidence levels to probabilities."""
    for name in ("answer.cl", "toys.cl"):
        for cl in values.get(name, ()):
            if not 0 < cl < 1:
                expected = "expected probabilities between 0 and 1, such as 0.6827"
                yield Mistake(locate(root, name), f"{name}: {cl:g}: {expected}")


def _output_problems(root: Node, output: str, checks: Checks) -> list[Mistake]:
    try:
        if checks.output:
            checks.output(output)
    except UsageError as error:
        return [Mistake(locate(root, "output"), mistake.message) for mistake in error.mistakes]
    return []


def _construct(
    root: Node, chosen: Chosen, values: Mapping[str, Any], wrong: Sequence[Setting], mistakes: list[Mistake]
) -> tuple[AnyModel | None, Sequence[Parameter]]:
    """Construct the model; a wrong option gets what is right of it, and else its default.

    Then only what the model says of single options counts, and only where no option with a default is mentioned.
    Where it refuses its options its parameters are those of its class, if they are declared there.
    """
    model, problems = None, list[Mistake]()
    # Without an option that has no default there is nothing to construct.
    if not any(key.is_required for key in wrong):
        salvaged = {key.name: salvaged_value(find(root, key.parts), key) for key in wrong}
        replaced = [key.parts[-1] for key in wrong if not (node := find(root, key.parts)) or not node.entries]
        with collecting(problems):
            model = construct(chosen.model_class, _options({**values, **salvaged}), chosen.plugin, chosen.reserved)
        if wrong:
            problems = [p for p in problems if p.where.startswith(_OPTIONS) and not _mentions(p.message, replaced)]
        mistakes += [_placed(root, problem) for problem in problems]
    if model is not None:
        return model, model.parameters
    # What the class declares may still tell wrong names in `scan` and `fix`.
    is_about_options = all(p.where.startswith(_OPTIONS) for p in problems)
    known = getattr(chosen.model_class, "parameters", ()) if is_about_options else ()
    return None, known if all(isinstance(parameter, Parameter) for parameter in known) else ()


def _located_files(values: dict[str, Any], path: str) -> dict[str, str]:
    """Make paths to files lead there from the working directory; return what those of options hold, as SHA-256."""
    contents = {}
    if values.get("report.style"):
        style = values["report.style"] = str(Path(path).parent / values["report.style"])
        if not Path(style).is_file():
            raise UsageError(Mistake("report.style", f"report.style: {style} is not a file; expected a style file"))
    for name, value in values.items():
        if name.startswith(_OPTIONS) and isinstance(value, Path):
            # Relative to the configuration, wherever the program is started.
            file = Path(path).parent / value
            values[name] = file
            contents[name.removeprefix(_OPTIONS)] = file_digest(str(file), name)
    return contents


def _mentions(message: str, names: Sequence[str]) -> bool:
    return any(re.search(rf"\b{re.escape(name)}\b", message) for name in names)


def _options(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name.removeprefix(_OPTIONS): value for name, value in values.items() if name.startswith(_OPTIONS)}


def _names(root: Node, section: str) -> list[str]:
    """Names of parameters as written in a section."""
    node = find(root, (section,))
    return [] if node is None else [name for name in node.entries if name]


def _check_names(scanned: Sequence[str], fixed: Sequence[str], parameters: Sequence[Parameter]) -> None:
    """Hold the names in `scan` and `fix` to those of the model, where they are known, and to each other."""
    known = [parameter.name for parameter in parameters]
    problems = [
        Mistake(
            f"{section}.{name}", f"{section}.{shown(name)} is not a parameter of the model; {did_you_mean(name, known)}"
        )
        for section, names in (("scan", scanned), ("fix", fixed))
        for name in names
        if known and name not in known
    ]
    both = [name for name in fixed if name in scanned]
    problems += [Mistake(f"fix.{name}", f"fix.{name}: {name} is scanned as well; keep one of them") for name in both]
    if problems:
        raise UsageError(*problems)


def _grid(
    root: Node, values: Mapping[str, Any], problem: Problem | None, mistakes: list[Mistake], checks: Checks
) -> Grid | None:
    """Lay out the grid; None where an axis is wrong, or where there are too many points."""
    names = _names(root, "scan")
    given = {name: axis for name in names if (axis := _given(root, name, values)) is not None}
    # Points alone reach over the declared bounds.
    for declared in problem.axes if problem else ():
        if declared.name in given:
            given[declared.name] = within_bounds(given[declared.name], declared.lower, declared.upper)
    mistakes += [_placed(root, problem) for name in names if name not in given for problem in _order(name, values)]
    counts = {name: n_axis_points(axis) for name, axis in given.items()}
    # Sizes before values: a grid may have more points than memory.
    wrong = [size_problem(counts) or _memory_problem(counts, values, problem, checks)]
    if wrong == [None]:
        wrong = [problem for name, axis in given.items() for problem in axis_problems(name, axis)]
    mistakes += [_placed(root, mistake) for mistake in wrong if mistake]
    if wrong or len(given) < len(names) or not is_section(find(root, ("scan",))):
        return None
    return Grid(tuple(GridAxis(name, axis_values(axis)) for name, axis in given.items()))


def _memory_problem(
    counts: Mapping[str, int], values: Mapping[str, Any], problem: Problem | None, checks: Checks
) -> Mistake | None:
    """Describe why the results do not fit into memory, before millions of values are made; None where they do."""
    if checks.size is None or problem is None or "fit.starts" not in values or "fit.method" not in values:
        return None
    n_starts = _fit({"starts": values["fit.starts"], "method": values["fit.method"]}).n_starts
    fault = checks.size(prod(counts.values()), problem, n_starts)
    return None if fault is None else Mistake("scan", f"scan: {fault}")


def _order(axis: str, values: Mapping[str, Any]) -> Iterator[Mistake]:
    """Check the ends of an axis that has another mistake as well."""
    low, high = (values.get(f"scan.{axis}.{end}") for end in ("min", "max"))
    if low is not None and high is not None and low > high:
        yield Mistake(f"scan.{axis}.min", f"scan.{axis}.min: min {low!r} is above max {high!r}; swap them")


def _given(root: Node, axis: str, values: Mapping[str, Any]) -> AxisSettings | None:
    """Collect the keys of an axis; None where one of them has no right value."""
    node = find(root, ("scan", axis))
    names = {field.name: f"scan.{axis}.{field.name}" for field in fields(AxisSettings)}
    if node is None or not is_section(node) or any(name not in values for name in names.values()):
        return None
    given = AxisSettings(**{field: values[name] for field, name in names.items()})
    # A list of values has no spacing; its default is left out, and only a written one is a mistake.
    return given if given.values is None or "spacing" in node.entries else replace(given, spacing=None)


def _config(values: Mapping[str, Any], keys: Sequence[Setting], choice: ModelChoice, grid: Grid, path: str) -> Config:
    complete = {**values, "output": _output(values, path)}
    return Config(
        grid=grid,
        model=choice,
        fit=_fit(section_values("fit", values)),
        answer=AnswerSettings(**section_values("answer", values)),
        toys=toy_settings(values, choice.scanned),
        run=RunSettings(**section_values("run", values)),
        output=complete["output"],
        resolved=yaml_text(nested({key.parts: complete[key.name] for key in keys if _is_set(key, complete)})),
    )


def _output(values: Mapping[str, Any], path: str) -> str:
    return str(values["output"] or f"results/{Path(path).stem}.nc")


def _fit(values: Mapping[str, Any]) -> FitSettings:
    made = dict(values)
    if isinstance(starts := values.get("starts"), Mapping):
        made["starts"] = StartRange(**starts)
    if "proof" in values:
        made["proof"] = ProofBudget(**values["proof"]) if values["proof"] else None
    return FitSettings(**made)


def _is_set(key: Setting, values: Mapping[str, Any]) -> bool:
    """Leave out what has no meaning in this configuration: unset alternatives, and the spacing of listed values."""
    section = key.name.rpartition(".")[0]
    if key.parts[0] == "toys" and values["toys.n"] is None:
        return False
    if key.parts[-1] == "spacing" and key.parts[0] == "scan":
        return values[f"{section}.values"] is None
    return values[key.name] is not None or section == "model.options"
