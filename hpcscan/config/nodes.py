"""Values of a configuration that know where they were written, and the YAML text from which they read back."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, TypeAlias

Scalar: TypeAlias = str | int | float | bool | None

MAX_DIGITS = 40
#: Levels of a configuration within each other.
MAX_DEPTH = 32

_INTEGER = re.compile(r"[-+]?[0-9]+")
_OTHER_BASE = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **{sign + text: float(sign + text[1:]) for sign in ("", "+", "-") for text in (".inf", ".Inf", ".INF")},
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}

_SAFE = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")

#: Read as booleans by YAML 1.1, so they are quoted for other readers.
_YAML_1_1 = frozenset({"y", "n", "yes", "no", "on", "off"})


@dataclass(frozen=True)
class Node:
    """A value of the configuration and the place where it was written.

    Attributes
    ----------
    where : str
        ``file:line:column`` of the value, counted from 1, or the command-line option.
    key_where : str
        The same for the key in front of it; empty where there is none.
    text : str
        A scalar as it was written.
    """

    value: Scalar | tuple[Node, ...] | Mapping[str, Node]
    where: str
    key_where: str = ""
    text: str = ""

    @property
    def entries(self) -> Mapping[str, Node]:
        """The entries of a mapping; none for anything else."""
        return self.value if isinstance(self.value, Mapping) else {}

    @property
    def name_where(self) -> str:
        """Where the key is, or else the value."""
        return self.key_where or self.where


def resolve_plain(text: str) -> Scalar:
    """Read an unquoted scalar by the core schema of YAML 1.2, where ``1e-3`` is a number and ``off`` is text.

    Integers of absurd length become floats, so that nobody computes with a million digits.
    """
    if text in _SPECIAL:
        return _SPECIAL[text]
    if _INTEGER.fullmatch(text):
        return int(text) if len(text) <= MAX_DIGITS else float(text)
    if _OTHER_BASE.fullmatch(text):
        return int(text, 0)
    return float(text) if _FLOAT.fullmatch(text) else text


def shown(text: str, length: int = 60) -> str:
    """Show a user's text in a message: on one line, not too long, without control characters."""
    # A message stays on one line, whatever was written.
    short = text if len(text) <= length else text[: length - 1] + "…"
    return short if short.isprintable() else ascii(short)


def repr_of(value: object, length: int = 60) -> str:
    """Show any value of a user's program in a message; where it cannot show itself, its type."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - whatever a user's class raises
        text = f"{type(value).__name__} object"
    return shown(text, length)


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
