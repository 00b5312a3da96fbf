"""The doors of the configuration: a path in, a `Config` out, or every mistake at once; and the text in a result."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from hpcscan.config.assemble import NO_CHECKS, Checks, assemble, collecting
from hpcscan.config.command_line import override
from hpcscan.config.composing import compose
from hpcscan.config.keys import TOP_LEVEL, concrete_keys, section_values
from hpcscan.config.kinds import found, python_node
from hpcscan.config.nodes import MAX_DEPTH, Node, repr_of, shown
from hpcscan.config.sections import read_values
from hpcscan.config.user_files import read_text
from hpcscan.config.validated import Config
from hpcscan.errors import Mistake, UsageError
from hpcscan.model import Likelihood, Model
from hpcscan.settings import MAX_AXIS_POINTS, GateSettings, ReportSettings

MAX_MISTAKES = 50

_PLACE = re.compile(r":(\d+):(\d+)$")

_JUDGING = ("gate", "report")


def read_config(
    path: str,
    overrides: Sequence[str] = (),
    output: str | None = None,
    checks: Checks = NO_CHECKS,
) -> Config:
    """Read, complete and validate a configuration.

    Parameters
    ----------
    path : str
        The YAML file.
    overrides : sequence of str
        ``KEY=VALUE`` with a dotted key and a value in YAML, such as ``fit.starts=32``.
    output : str, optional
        Replaces the key ``output``.
    checks : Checks
        What others know; their mistakes are told with all others.

    Raises
    ------
    UsageError
        With every mistake, in the order of their places.
    """
    return parse_config(read_text(path), path, overrides, output, checks)


def parse_config(
    text: str,
    path: str,
    overrides: Sequence[str] = (),
    output: str | None = None,
    checks: Checks = NO_CHECKS,
) -> Config:
    """Do the same for a text, as if it stood in a file with this path."""
    mistakes: list[Mistake] = []
    with collecting(mistakes):
        root = compose(text, lambda line, column: f"{path}:{line}:{column}", mistakes)
        root = override(_mapping(root), overrides, output, mistakes)
        config = assemble(root, path, mistakes, checks)
        if config is not None:
            return config
    raise UsageError(*_tidy(mistakes))


def config_from_python(model: Model | Likelihood, tree: Mapping[str, Any], checks: Checks = NO_CHECKS) -> Config:
    """Validate what a Python program asks for, in the words and by the rules of a configuration file.

    Parameters
    ----------
    tree : mapping
        The sections `scan` (values by name), `fix`, `fit`, `gate` and `report`.

    Raises
    ------
    UsageError
        With every mistake.
    """
    if not isinstance(model, Model | Likelihood):
        hint = f"; write {model.__name__}(...)" if isinstance(model, type) else ""
        raise UsageError(f"model is {repr_of(model)}; expected an instance of a class derived from hpcscan.Model{hint}")
    if not isinstance(tree["scan"], Mapping):
        raise UsageError(f"scan is {repr_of(tree['scan'])}; expected a mapping of parameter to values")
    mistakes: list[Mistake] = []
    # A program gives values where a file has min, max and points.
    axes = {name: {"values": values} for name, values in _plain(tree["scan"], "scan").items()}
    with collecting(mistakes):
        config = assemble(
            python_node({**_plain({**tree, "scan": {}}, ""), "scan": axes}, ""), "", mistakes, checks, given=model
        )
        if config is not None:
            return config
    raise UsageError(*dict.fromkeys(mistakes))


def _plain(value: Any, name: str, depth: int = 0) -> Any:
    """Turn numpy's numbers and arrays into Python's, at any depth that a configuration has."""
    if depth > MAX_DEPTH:
        raise UsageError(f"{shown(name)}: lies more than {MAX_DEPTH} levels deep; expected numbers, or lists of them")
    if isinstance(value, Mapping):
        return {str(key): _plain(item, f"{name}.{key}".lstrip("."), depth + 1) for key, item in value.items()}
    if isinstance(value, np.generic):
        return value.tolist()
    if not isinstance(value, list | tuple | range | np.ndarray):
        return value
    # Before anything is made of it: a range can be longer than memory.
    if (value.size if isinstance(value, np.ndarray) else len(value[: MAX_AXIS_POINTS + 1])) > MAX_AXIS_POINTS:
        raise UsageError(f"{shown(name)}: more than {MAX_AXIS_POINTS:,} values; use fewer")
    if isinstance(value, np.ndarray):
        return value.tolist()
    return [_plain(item, name, depth + 1) for item in value]


def _mapping(root: Node) -> Node:
    """Accept the top level, without the sections that are there for their anchors alone."""
    if not isinstance(root.value, Mapping):
        raise UsageError(Mistake(root.where, f"expected a mapping with {', '.join(TOP_LEVEL)}, found {found(root)}"))
    return replace(root, value={name: node for name, node in root.entries.items() if not name.startswith("x-")})


def _tidy(mistakes: list[Mistake]) -> list[Mistake]:
    """Sort by place in the file, options of the command line last, and leave out repetitions and what is too much."""
    # Two checks may find the same mistake.
    ordered = sorted(dict.fromkeys(mistakes), key=_order)
    more = len(ordered) - MAX_MISTAKES
    return ordered if more <= 0 else [*ordered[:MAX_MISTAKES], Mistake("", f"… and {more} more mistakes")]


def _order(mistake: Mistake) -> tuple[bool, int, int]:
    place = _PLACE.search(mistake.where)
    is_option = place is None or mistake.where.startswith("-")
    return (True, 0, 0) if is_option or place is None else (False, int(place[1]), int(place[2]))


def stored_settings(text: str, axes: Sequence[str], overrides: Sequence[str] = ()) -> ReportSettings:
    """Read the sections `gate` and `report` of a configuration that a result carries.

    Parameters
    ----------
    text : str
        The resolved configuration.
    overrides : sequence of str
        ``KEY=VALUE`` of these two sections.

    Raises
    ------
    UsageError
        Where an override is wrong.
    """
    mistakes: list[Mistake] = []
    root = override(_tree(text), overrides, None, mistakes)
    values, wrong = read_values(root, concrete_keys(axes, None))
    # What is stored was right when it was written; only what is said now can be wrong.
    mistakes += [mistake for mistake in wrong if mistake.where.startswith("--set")]
    mistakes += [
        Mistake(f"--set {shown(text)}", "only keys of gate and report can be changed after the scan")
        for text in overrides
        if text.strip().partition(".")[0] not in _JUDGING
    ]
    if mistakes:
        raise UsageError(*dict.fromkeys(mistakes))
    gate = GateSettings(**section_values("gate", values, axes))
    return ReportSettings(**section_values("report", values, axes), gate=gate)


def stored_keys(text: str) -> dict[str, str]:
    """List the keys of a configuration that a result carries, each with its value as text."""
    return dict(_flat(_tree(text), ""))


def fixed_values(text: str) -> dict[str, float]:
    """Read the parameters that a configuration holds, with their values."""
    fixed = _tree(text).entries.get("fix", Node({}, "")).entries
    return {name: float(node.value) for name, node in fixed.items() if isinstance(node.value, int | float)}


def stored_sections(text: str, names: Sequence[str]) -> dict[str, Any]:
    """Return sections of a configuration that a result carries as they would be written in Python."""
    entries = _tree(text).entries
    return {name: _plain_value(entries[name]) for name in names if name in entries}


def _plain_value(node: Node) -> Any:
    if isinstance(node.value, Mapping):
        return {name: _plain_value(child) for name, child in node.entries.items()}
    return [_plain_value(child) for child in node.value] if isinstance(node.value, tuple) else node.value


def _tree(text: str) -> Node:
    return compose(text, lambda line, column: f"hpcscan_config:{line}:{column}", []) if text else Node({}, "")


def _flat(node: Node, name: str) -> Iterator[tuple[str, str]]:
    if node.entries:
        for key, child in node.entries.items():
            yield from _flat(child, f"{name}.{key}" if name else key)
    elif isinstance(node.value, tuple):
        yield name, f"[{', '.join(text for child in node.value for _, text in _flat(child, ''))}]"
    else:
        yield name, "{}" if isinstance(node.value, Mapping) else shown(node.text)
