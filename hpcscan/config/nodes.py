"""Values of a configuration that know where they were written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

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


@dataclass(frozen=True)
class Node:
    """A value of the configuration and the place where it was written.

    Attributes
    ----------
    value : scalar, tuple of Node, or mapping of str to Node
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
    short = text if len(text) <= length else text[: length - 1] + "…"
    return short if short.isprintable() else ascii(short)


def repr_of(value: object, length: int = 60) -> str:
    """Show any value of a user's program in a message; where it cannot show itself, its type."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - whatever a user's class raises
        text = f"{type(value).__name__} object"
    return shown(text, length)
