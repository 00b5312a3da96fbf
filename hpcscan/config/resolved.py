"""The complete configuration as YAML text that reads back as the same configuration."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

from hpcscan.config.nodes import resolve_plain

_SAFE = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
#: Read as booleans by YAML 1.1, so they are quoted for other readers.
_YAML_1_1 = frozenset({"y", "n", "yes", "no", "on", "off"})


def nested(values: Mapping[tuple[str, ...], Any]) -> dict[str, Any]:
    """Turn values by path into a tree of dicts, in the given order."""
    tree: dict[str, Any] = {}
    for (*sections, last), value in values.items():
        here = tree
        for section in sections:
            here = here.setdefault(section, {})
        here[last] = value
    return tree


def yaml_text(tree: Mapping[str, Any]) -> str:
    """Write a tree of dicts, tuples and scalars; the same text for the same tree."""
    return "".join(f"{line}\n" for line in _block(tree, ""))


def _block(tree: Mapping[str, Any], indent: str) -> Iterator[str]:
    for name, value in tree.items():
        if isinstance(value, Mapping) and any(isinstance(item, Mapping) for item in value.values()):
            yield f"{indent}{_scalar(name)}:"
            yield from _block(value, f"{indent}  ")
        else:
            yield f"{indent}{_scalar(name)}: {flow(value)}"


def flow(value: Any) -> str:
    """Write a value on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_scalar(name)}: {flow(item)}" for name, item in value.items()) + "}"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(map(flow, value)) + "]"
    return _scalar(value)


def _scalar(value: str | float | PurePath | None) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | PurePath):
        return _text(str(value))
    # YAML 1.1 takes 1e-05 for text; 1.0e-05 is a number to everybody.
    text = repr(value)
    return text.replace("e", ".0e") if "e" in text and "." not in text else text


def _text(value: str) -> str:
    is_plain = _SAFE.fullmatch(value) and resolve_plain(value) == value and value.lower() not in _YAML_1_1
    return value if is_plain else json.dumps(value, ensure_ascii=False)
