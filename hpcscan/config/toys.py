"""The section `toys`: what makes sense together, and the record of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hpcscan.config.keys import section_values
from hpcscan.config.nodes import Node
from hpcscan.config.sections import find, locate
from hpcscan.errors import Mistake
from hpcscan.model.problem import Problem
from hpcscan.settings import FluctuateSettings, ToySettings


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
