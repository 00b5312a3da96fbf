"""What the command line says of a configuration: `--set KEY=VALUE`, `-o`, and `--at beta=3.1,w=0.02`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from hpcscan.arrays import Array
from hpcscan.config.composing import compose
from hpcscan.config.keys import split_name
from hpcscan.config.nodes import MAX_DEPTH, Node, shown
from hpcscan.errors import Mistake, UsageError
from hpcscan.model.problem import Problem


def override(root: Node, overrides: Sequence[str], output: str | None, mistakes: list[Mistake]) -> Node:
    """Return the tree with the options of the command line put in; wrong ones are added to `mistakes`."""
    for text in overrides:
        try:
            root = _set(root, text, mistakes)
        except UsageError as error:
            mistakes += error.mistakes
    if output is not None:
        root = _put(root, ("output",), Node(output, "-o", "-o", output))
    return root


def _set(root: Node, text: str, mistakes: list[Mistake]) -> Node:
    name, equals, value = text.partition("=")
    where = f"--set {shown(name.strip())}=…"
    # Names of parameters may have dots: the table of keys says where a name is cut.
    path = split_name(name.strip())
    if not equals or not all(path) or not name.isprintable() or len(path) > MAX_DEPTH:
        raise UsageError(Mistake(f"--set {shown(text)}", "expected KEY=VALUE, such as fit.starts=32"))
    node = compose(value, lambda line, column: where, mistakes) if value.strip() else Node(None, where)
    return _put(root, path, replace(node, key_where=where))


def _put(root: Node, path: tuple[str, ...], node: Node) -> Node:
    """Copy the tree with one node replaced; sections that are missing come into being at its place."""
    if not path:
        return node
    head, *rest = path
    child = root.entries.get(head, Node({}, node.where, node.where))
    # A value where a section is needed gives way: an option replaces what is written.
    if rest and child.entries == {}:
        child = Node({}, node.where, child.key_where)
    return replace(root, value={**root.entries, head: _put(child, tuple(rest), node)})


def read_coordinates(problem: Problem, at: str) -> Array:
    """Read ``beta=3.1,w=0.02``: one value for each scanned parameter, shape (1, n_axes)."""
    names = [axis.name for axis in problem.axes]
    expected = ",".join(f"{name}=VALUE" for name in names)
    values: dict[str, float] = {}
    for item in at.split(",") if names or at else ():
        name, _, text = (part.strip() for part in item.partition("="))
        if name not in names or name in values:
            raise UsageError(
                Mistake(f"--at {at}", f"{item!r} is not one value for a scanned parameter; expected {expected}")
            )
        values[name] = _number(at, name, text)
    if missing := [name for name in names if name not in values]:
        raise UsageError(Mistake(f"--at {at}", f"no value for {', '.join(missing)}; expected {expected}"))
    for axis in problem.axes:
        if not axis.lower <= values[axis.name] <= axis.upper:
            bounds = f"[{axis.lower:g}, {axis.upper:g}]"
            text = f"{axis.name} = {values[axis.name]:g} is outside the bounds of the parameter, {bounds}"
            raise UsageError(Mistake(f"--at {at}", text))
    _check(problem, at, values)
    return np.array([[values[name] for name in names]])


def _number(at: str, name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise UsageError(Mistake(f"--at {at}", f"{name} = {text!r} is not a finite number; expected {name}=VALUE"))
    return value


def _check(problem: Problem, at: str, values: Mapping[str, float]) -> None:
    problems = problem.check({name: np.array([value]) for name, value in values.items()})
    if problems:
        raise UsageError(*(Mistake(f"--at {at}", f"{name} {message}") for name, message in problems))
