"""What the configuration inside a result says: how to judge it, and its keys one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hpcscan.config.composing import compose
from hpcscan.config.keys import concrete_keys, section_values
from hpcscan.config.nodes import Node, shown
from hpcscan.config.overrides import override
from hpcscan.config.sections import read_values
from hpcscan.errors import Mistake, UsageError
from hpcscan.settings import GateSettings, ReportSettings

_JUDGING = ("gate", "report")


def stored_settings(text: str, axes: Sequence[str], overrides: Sequence[str] = ()) -> ReportSettings:
    """Read the sections `gate` and `report` of a configuration that a result carries.

    Parameters
    ----------
    text : str
        The resolved configuration.
    axes : sequence of str
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
    """Give sections of a configuration that a result carries as they would be written in Python."""
    entries = _tree(text).entries
    return {name: _plain(entries[name]) for name in names if name in entries}


def _plain(node: Node) -> Any:
    if isinstance(node.value, Mapping):
        return {name: _plain(child) for name, child in node.entries.items()}
    return [_plain(child) for child in node.value] if isinstance(node.value, tuple) else node.value


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
