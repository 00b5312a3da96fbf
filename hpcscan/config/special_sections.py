"""The sections that are more than a list of keys: the axes of the scan, the choice of a model, and toys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from hpcscan.arrays import Array
from hpcscan.config.building import AnyModel, AnyModelClass, model_class, model_options
from hpcscan.config.declarations import declaration_problems
from hpcscan.config.keys import OptionKey, concrete_keys, section_values
from hpcscan.config.nodes import Node, shown
from hpcscan.config.plugin import read_plugin
from hpcscan.config.sections import find, locate, read_values
from hpcscan.config.validated import PluginSource
from hpcscan.errors import Mistake, UsageError
from hpcscan.grid import round_to_digits
from hpcscan.model.problem import Problem
from hpcscan.settings import (
    MAX_AXIS_POINTS,
    MAX_GRID_POINTS,
    AxisSettings,
    FluctuateSettings,
    ModelSettings,
    ToySettings,
)

#: The keys of a range; an axis has all of them, or `values`.
RANGE = ("min", "max", "points")


def axis_problems(axis: str, given: AxisSettings) -> list[Mistake]:
    """List what is wrong with an axis, at the dotted names of its keys."""
    problems = _list_problems(given) if given.values is not None else _range_problems(given)
    return [Mistake(f"scan.{axis}{key}", f"scan.{axis}{key}: {message}") for key, message in problems]


def _list_problems(given: AxisSettings) -> Iterator[tuple[str, str]]:
    extra = [name for name in (*RANGE, "spacing") if getattr(given, name) is not None]
    if extra:
        yield ".values", f"values cannot be combined with {', '.join(extra)}; keep one of them"
    values = given.values or ()
    if len(values) > MAX_AXIS_POINTS:
        yield ".values", f"more than {MAX_AXIS_POINTS} values"
    # Compared as the grid will have them.
    rounded = round_to_digits(values)
    for place, (before, value) in enumerate(pairwise(rounded), 1):
        if value == before:
            yield f".values.{place}", f"{value!r} is there twice, to 12 digits; remove one"
        elif value < before:
            yield f".values.{place}", f"{value!r} comes after {before!r}; write the values in increasing order"


def _range_problems(given: AxisSettings) -> Iterator[tuple[str, str]]:
    low, high, points = given.min, given.max, given.points
    if low is None or high is None or points is None:
        missing = [name for name in RANGE if getattr(given, name) is None]
        what = "give min, max and points, or values: [...]"
        if missing == ["min", "max"]:
            what = f"{what}; points alone are for a parameter with finite bounds in the model, which this one has not"
        yield "", f"{', '.join(missing)} missing; {what}"
        return
    if low > high:
        yield ".min", f"min {low!r} is above max {high!r}; swap them"
    elif low < high and points == 1:
        yield ".points", f"one point does not reach from {low!r} to {high!r}; use values: [...]"
    elif low == high and points > 1:
        yield ".points", f"min and max are both {low!r}, which is one point, not {points}; use values: [{low!r}]"
    elif given.spacing == "log" and low <= 0:
        yield ".min", f"log spacing needs min above 0, found {low!r}"
    elif not _is_increasing(axis_values(given)):
        yield ".points", f"{points} points between {low!r} and {high!r} are not distinct finite numbers of 12 digits"


def _is_increasing(values: tuple[float, ...]) -> bool:
    return bool(np.all(np.isfinite(values)) and np.all(np.diff(values) > 0))


def within_bounds(given: AxisSettings, lower: float, upper: float) -> AxisSettings:
    """Let an axis of which only the number of points is given reach over the bounds that the model declares."""
    if given.points is None or given.values is not None or not np.isfinite([lower, upper]).all():
        return given
    ends = {"min": given.min, "max": given.max}
    return given if any(end is not None for end in ends.values()) else replace(given, min=lower, max=upper)


def n_axis_points(given: AxisSettings) -> int:
    """Count the values of an axis without making them."""
    return len(given.values) if given.values is not None else given.points or 1


def size_problem(counts: Mapping[str, int]) -> Mistake | None:
    """Return the mistake of a grid with too many points; None where it has not."""
    if prod(counts.values()) <= MAX_GRID_POINTS:
        return None
    # Which axis is too long is for the user to decide.
    product = shown(" × ".join(f"{n} ({axis})" for axis, n in counts.items()))
    return Mistake("scan", f"scan: {product} points; at most {MAX_GRID_POINTS} are possible")


def axis_values(given: AxisSettings) -> tuple[float, ...]:
    """Compute the values of an axis, rounded to 12 significant digits."""
    if given.values is not None:
        return round_to_digits(given.values)
    low, high, points = given.min, given.max, given.points
    assert low is not None
    assert high is not None
    assert points is not None
    with np.errstate(all="ignore"):
        values = np.geomspace(low, high, points) if given.spacing == "log" else _linear(low, high, points)
    return round_to_digits(values)


def _linear(low: float, high: float, points: int) -> Array:
    """Space evenly, with an exact zero where the sum of steps leaves a remainder of rounding."""
    # A grid that is symmetric about zero has a zero, not 1e-17.
    values = np.linspace(low, high, points)
    inside = values[1:-1]
    inside[np.abs(inside) < 1e-12 * max(abs(low), abs(high))] = 0.0
    return values


@dataclass(frozen=True)
class Chosen:
    """The class of the model, its options, where it comes from, and the names that are not free for it."""

    name: str
    plugin: PluginSource | None
    model_class: AnyModelClass
    options: tuple[OptionKey, ...]
    reserved: tuple[str, ...]


def choose_model(root: Node, path: str, reserved: tuple[str, ...]) -> Chosen | None:
    """Find the class of the model; None where that is written so wrongly that the table of keys says enough."""
    if not is_section(find(root, ("model",))):
        return None
    # Its options are not known before the class is.
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
    """Whether a section can be read: it has keys, or is empty, or is not there."""
    return node is None or isinstance(node.value, Mapping | None)


def toy_settings(values: Mapping[str, Any], axes: Sequence[str]) -> ToySettings:
    """Make the record of the section `toys`."""
    fluctuate = FluctuateSettings(**section_values("toys.fluctuate", values))
    return ToySettings(**section_values("toys", values, axes), fluctuate=fluctuate)


def toy_problems(root: Node, values: Mapping[str, Any], problem: Problem | None) -> Iterator[Mistake]:
    """Hold the section `toys` to what makes sense together."""
    node = find(root, ("toys",))
    if node is not None and node.entries and "toys.n" in values and values["toys.n"] is None:
        yield Mistake(locate(root, "toys"), "toys.n: expected the most toys of a point, such as 10000; found nothing")
    if not values.get("toys.cl", (0,)):
        yield Mistake(locate(root, "toys.cl"), "toys.cl: expected at least one confidence level")
    # Points at which coverage is measured: one value of every scanned parameter for each.
    axes = problem.axes if problem else ()
    given = {axis.name: found for axis in axes if (found := values.get(f"toys.coverage.{axis.name}"))}
    sizes = {name: len(found) for name, found in given.items()}
    if given and (len(given) < len(axes) or len(set(sizes.values())) > 1):
        has = ", ".join(f"{axis.name} {sizes.get(axis.name, 0)}" for axis in axes)
        yield Mistake(
            locate(root, "toys.coverage"), f"toys.coverage: expected as many values for every scanned axis, found {has}"
        )
    for axis in axes:
        for value in given.get(axis.name, ()):
            if not axis.lower <= value <= axis.upper:
                name = f"toys.coverage.{axis.name}"
                bounds = f"from {axis.lower:g} to {axis.upper:g}"
                yield Mistake(locate(root, name), f"{name}: {value:g}: expected a value within the bounds, {bounds}")
