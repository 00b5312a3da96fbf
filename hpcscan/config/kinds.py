"""From a node to a value of the kind that a key demands; a value that does not fit is a `UsageError`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from difflib import get_close_matches
from math import inf, isfinite
from typing import Any

from hpcscan.config.durations import EXPECTED, seconds
from hpcscan.config.nodes import Node, resolve_plain, shown
from hpcscan.errors import Mistake, UsageError
from hpcscan.settings import Setting

#: A time that is shorter than the first is none, and a longer one than the last no limit.
SHORTEST_TIME, LONGEST_TIME = 1e-3, 1e9


def convert(node: Node, key: Setting) -> Any:
    """Turn a node into the value that the key stands for."""
    if node.value is None and key.default is None:
        return None
    return CONVERTERS[key.kind](node, key)


def found(node: Node) -> str:
    """Say what was written."""
    value = node.value
    if value is None:
        return "nothing (null)"
    if isinstance(value, bool):
        return f"{shown(node.text)} (true or false)"
    if isinstance(value, str):
        return f"the text {shown(value)!r}"
    if isinstance(value, tuple):
        return "a list"
    return "a mapping of keys" if isinstance(value, Mapping) else f"the number {shown(node.text)}"


def did_you_mean(name: str, known: list[str]) -> str:
    """Suggest the nearest known name, or list what is known where there is nothing near."""
    near = get_close_matches(name[:100], known, n=1)
    if near:
        return f"did you mean {near[0]}?"
    return f"known here: {', '.join(known)}" if known else "nothing is known here"


def _wrong(node: Node, key: Setting, expected: str) -> UsageError:
    hint = ""
    if isinstance(node.value, str) and isinstance(resolve_plain(node.value), int | float):
        hint = "; remove the quotes"
    return UsageError(Mistake(node.where, f"{key.name}: expected {expected}, found {found(node)}{hint}"))


def _number(node: Node, key: Setting) -> float:
    if isinstance(node.value, bool) or not isinstance(node.value, int | float):
        raise _wrong(node, key, "a number")
    try:
        value = float(node.value)
    except OverflowError:
        value = inf
    if not isfinite(value):
        raise _wrong(node, key, "a finite number")
    # Adding zero leaves no negative zero, whose bits would differ from those of zero.
    return value + 0.0


def _whole_number(node: Node, key: Setting) -> int:
    value = node.value
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if isinstance(value, float) and value.is_integer():
        value, is_whole = int(value), True
    if not (is_whole and isinstance(value, int) and key.lowest <= value <= key.highest):
        raise _wrong(node, key, f"a whole number from {key.lowest} to {key.highest}")
    return value


def _whole_number_or_auto(node: Node, key: Setting) -> int | str:
    if isinstance(node.value, str):
        if node.value != "auto":
            raise _wrong(node, key, "auto or a whole number")
        return "auto"
    return _whole_number(node, key)


def _whole_number_or_range(node: Node, key: Setting) -> int | dict[str, int]:
    if not isinstance(node.value, Mapping):
        return _whole_number(node, key)
    if set(node.value) != {"min", "max"}:
        raise _wrong(node, key, "a whole number or {min: …, max: …}")
    values = _each(node.value, key, _whole_number)
    if values["min"] > values["max"]:
        order = f"min {values['min']} is above max {values['max']}; swap them"
        raise UsageError(Mistake(node.where, f"{key.name}: {order}"))
    return {"min": values["min"], "max": values["max"]}


def _fraction(node: Node, key: Setting) -> float:
    value = _number(node, key)
    if not 0 <= value <= 1:
        raise _wrong(node, key, "a number from 0 to 1")
    return value


def _seconds(node: Node, key: Setting) -> float:
    value = _number(node, key)
    if not SHORTEST_TIME <= value <= LONGEST_TIME:
        raise _wrong(node, key, f"a number of seconds from {SHORTEST_TIME:g} to {LONGEST_TIME:g}")
    return value


def _true_or_false(node: Node, key: Setting) -> bool:
    if not isinstance(node.value, bool):
        raise _wrong(node, key, "true or false")
    return node.value


def _numbers(node: Node, key: Setting) -> tuple[float, ...]:
    if not isinstance(node.value, tuple):
        raise _wrong(node, key, "a list of numbers")
    if not node.value:
        raise UsageError(Mistake(node.where, f"{key.name}: the list is empty; give at least one number"))
    return tuple(_each({str(i): item for i, item in enumerate(node.value)}, key, _number).values())


def _text(node: Node, key: Setting) -> str:
    if not isinstance(node.value, str) or not node.value or not node.value.isprintable():
        raise _wrong(node, key, "text on one line")
    return node.value


def _time(node: Node, key: Setting) -> float:
    """Read a time in seconds, or as text with units."""
    if not isinstance(node.value, bool | str | int | float):
        raise _wrong(node, key, EXPECTED)
    try:
        return seconds(node.value if isinstance(node.value, str) else f"{_number(node, key):.17g}")
    except ValueError:
        raise _wrong(node, key, EXPECTED) from None


def _path(node: Node, key: Setting) -> str:
    text = _text(node, key)
    if text.endswith("/"):
        raise _wrong(node, key, "the name of a file")
    return text


def _choice(node: Node, key: Setting) -> str:
    if not isinstance(node.value, str):
        raise _wrong(node, key, " or ".join(key.choices))
    if node.value not in key.choices:
        hint = did_you_mean(node.value, list(key.choices))
        raise UsageError(Mistake(node.where, f"{key.name}: {shown(node.value)!r} is not a choice; {hint}"))
    return node.value


def _pair(node: Node, key: Setting) -> tuple[float, float]:
    """Read two numbers; the model says what is wrong with their order, together with what else it finds."""
    if not isinstance(node.value, tuple) or len(node.value) != 2:
        raise _wrong(node, key, "[lower, upper]")
    lower, upper = _numbers(node, key)
    return lower, upper


def _interval(node: Node, key: Setting) -> tuple[float, float]:
    lower, upper = _pair(node, key)
    if lower > upper:
        raise UsageError(Mistake(node.where, f"{key.name}: lower {lower:g} is above upper {upper:g}; swap them"))
    return lower, upper


def _by_name(node: Node, key: Setting, one: Callable[[Node, Setting], Any]) -> dict[str, Any]:
    """Read a mapping of names; what is not given keeps its default."""
    if not isinstance(node.value, Mapping):
        raise _wrong(node, key, "a mapping of names, such as {name: value}")
    given = _each(node.value, key, one, _unknown_names(node.value, key))
    default = dict(key.default) if isinstance(key.default, Mapping) else {}
    return {name: given.get(name, default.get(name)) for name in (*default, *sorted(set(given) - set(default)))}


def _unknown_names(nodes: Mapping[str, Node], key: Setting) -> Iterator[Mistake]:
    for name, node in nodes.items():
        if key.choices and name not in key.choices:
            hint = did_you_mean(name, list(key.choices))
            yield Mistake(node.name_where, f"{key.name}.{shown(name)} is not a known name; {hint}")


def _each(
    nodes: Mapping[str, Node], key: Setting, one: Callable[[Node, Setting], Any], found_before: Iterable[Mistake] = ()
) -> dict[str, Any]:
    """Convert every entry, and raise all mistakes together."""
    values, mistakes = {}, [*found_before]
    for name, node in nodes.items():
        try:
            values[name] = one(node, replace(key, name=f"{key.name}.{shown(name)}"))
        except UsageError as error:
            mistakes += error.mistakes
    if mistakes:
        raise UsageError(*mistakes)
    return values


def _number_by_name(node: Node, key: Setting) -> dict[str, Any]:
    return _by_name(node, key, _number)


def _number_or_number_by_name(node: Node, key: Setting) -> float | dict[str, Any]:
    return _number_by_name(node, key) if isinstance(node.value, Mapping) else _number(node, key)


def _interval_by_name(node: Node, key: Setting) -> dict[str, Any]:
    return _by_name(node, key, _pair)


def _any(node: Node, key: Setting) -> None:
    """Accept what cannot be judged, because the model is not known."""


CONVERTERS: dict[str, Callable[[Node, Setting], Any]] = {
    "number": _number,
    "choice": _choice,
    "number by name": _number_by_name,
    "number or number by name": _number_or_number_by_name,
    "interval by name": _interval_by_name,
    "whole number": _whole_number,
    "whole number or auto": _whole_number_or_auto,
    "whole number or range": _whole_number_or_range,
    "true or false": _true_or_false,
    "fraction": _fraction,
    "seconds": _seconds,
    "numbers": _numbers,
    "interval": _interval,
    "text": _text,
    "time": _time,
    "path": _path,
    "any": _any,
}


def python_node(value: Any, where: str) -> Node:
    """Turn a Python value, such as a default, into a node, so that it meets the same checks."""
    if isinstance(value, Mapping):
        return Node({str(name): python_node(item, where) for name, item in value.items()}, where)
    if isinstance(value, list | tuple):
        return Node(tuple(python_node(item, where) for item in value), where)
    if value is None or isinstance(value, str | bool | int | float):
        return Node(value, where, text=str(value)[:100])
    return Node(f"{type(value).__name__} object", where)
