"""From a node to a value of the kind that a key demands; a value that does not fit is a `UsageError`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, is_dataclass, replace
from difflib import get_close_matches
from math import inf, isfinite
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from hpcscan.config.nodes import Node, resolve_plain, shown
from hpcscan.errors import Mistake, UsageError
from hpcscan.settings import Setting

EXPECTED_TIME = "a time such as 90 (seconds), 30m, 2h, 1h30m, 02:00:00 or 1-00:00:00 (days-hours:minutes:seconds)"

_UNITS = re.compile(r"(?:(?P<d>\d+)d)?(?:(?P<h>\d+)h)?(?:(?P<m>\d+)m)?(?:(?P<s>\d+(?:\.\d*)?)s?)?")
_CLOCK = re.compile(r"(?:(?P<d>\d+)-)?(?P<h>\d+):(?P<m>\d+):(?P<s>\d+)")
_SECONDS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}

#: A time that is shorter than the first is none, and a longer one than the last no limit.
SHORTEST_TIME, LONGEST_TIME = 1e-3, 1e9


def seconds(text: str) -> float:
    """Turn a time into seconds.

    Raises
    ------
    ValueError
        Where it is not a positive time.
    """
    written = text.strip()
    match = _CLOCK.fullmatch(written) or _UNITS.fullmatch(written)
    parts = match.groupdict() if match and written.isascii() else {}
    total = sum(_SECONDS[unit] * float(number) for unit, number in parts.items() if number)
    if not (total > 0 and isfinite(total)):
        raise ValueError(f"expected {EXPECTED_TIME}, found {text[:100]!r}")
    return total


def convert(node: Node, key: Setting) -> Any:
    """Turn a node into the value that the key stands for."""
    if node.value is None and key.default is None and not key.is_required:
        return None
    return CONVERTERS[key.kind](node, key)


def found(node: Node) -> str:
    """Format what was written, for a message."""
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
    # "3" in quotes is a text; who wrote it meant the number.
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
        # YAML reads 1e3 as a number with a fraction.
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


def _whole_number_range_or_auto(node: Node, key: Setting) -> int | str | dict[str, int]:
    if not isinstance(node.value, Mapping):
        return _whole_number_or_auto(node, key)
    if set(node.value) != {"min", "max"}:
        raise _wrong(node, key, "a whole number, {min: …, max: …} or auto")
    values = _each(node.value, key, _whole_number)
    if values["min"] > values["max"]:
        order = f"min {values['min']} is above max {values['max']}; swap them"
        raise UsageError(Mistake(node.where, f"{key.name}: {order}"))
    return {"min": values["min"], "max": values["max"]}


def _budget_or_false(node: Node, key: Setting) -> dict[str, int] | bool:
    if node.value is False:
        return False
    if not isinstance(node.value, Mapping) or set(node.value) != {"boxes"}:
        raise _wrong(node, key, "{boxes: …} or false")
    return _each(node.value, key, _whole_number)


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
        raise _wrong(node, key, EXPECTED_TIME)
    try:
        # A plain number takes the way of a text, so that both have the same limits.
        return seconds(node.value if isinstance(node.value, str) else f"{_number(node, key):.17g}")
    except ValueError:
        raise _wrong(node, key, EXPECTED_TIME) from None


def _path(node: Node, key: Setting) -> str:
    text = _text(node, key)
    if text.endswith("/"):
        raise _wrong(node, key, "the name of a file")
    return text


def _choice(node: Node, key: Setting) -> Any:
    choices: dict[str, Any] = {str(choice): choice for choice in key.choices}
    if not isinstance(node.value, str):
        # A choice may be a number, written as one.
        if node.text in choices and type(node.value) is type(choices[node.text]):
            return choices[node.text]
        raise _wrong(node, key, " or ".join(choices))
    if node.value not in key.choices:
        hint = did_you_mean(node.value, list(choices))
        raise UsageError(Mistake(node.where, f"{key.name}: {shown(node.value)!r} is not a choice; {hint}"))
    return node.value


def _choices(node: Node, key: Setting) -> tuple[Any, ...]:
    if not isinstance(node.value, tuple):
        raise _wrong(node, key, f"a list of {', '.join(key.choices)}")
    if not node.value:
        raise UsageError(Mistake(node.where, f"{key.name}: the list is empty; give some of {', '.join(key.choices)}"))
    return tuple(dict.fromkeys(_each({str(i): item for i, item in enumerate(node.value)}, key, _choice).values()))


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


def _by_name(node: Node, key: Setting, of_names: Any, of_values: Any) -> dict[str, Any]:
    """Read a mapping of names; what is not given keeps its default."""
    if not isinstance(node.value, Mapping):
        raise _wrong(node, key, "a mapping of names, such as {name: value}")
    # Only a `Literal` says which names there are.
    names = list(map(str, get_args(of_names))) if get_origin(of_names) is Literal else []
    unknown = [
        Mistake(one.name_where, f"{key.name}.{shown(name)} is not a known name; {did_you_mean(name, names)}")
        for name, one in node.value.items()
        if names and name not in names
    ]
    given = _each(node.value, replace(key, type=of_values, default=None), _option, unknown)
    # The default's order first, then the rest by name: the same record whatever the order of writing.
    default = dict(key.default) if isinstance(key.default, Mapping) else {}
    return {name: given.get(name, default.get(name)) for name in (*default, *sorted(set(given) - set(default)))}


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


def _option(node: Node, key: Setting) -> Any:
    """Read what the type of an option says."""
    hint, origin, arguments = key.type, get_origin(key.type), get_args(key.type)
    if origin in (Union, UnionType):
        return _one_of(node, key, arguments)
    if origin is Literal:
        return _choice(node, replace(key, choices=arguments))
    if origin is tuple:
        return _pair(node, key)
    if origin is dict:
        return _by_name(node, key, *arguments)
    if origin is list:
        if not isinstance(node.value, tuple):
            raise _wrong(node, key, "a list")
        entries = {str(i): item for i, item in enumerate(node.value)}
        return list(_each(entries, replace(key, type=arguments[0], default=None), _option).values())
    simple = {float: _number, str: _text, bool: _true_or_false, Path: _path_option, int: _any_whole_number}
    return simple[hint](node, key)


def _one_of(node: Node, key: Setting, hints: tuple[Any, ...]) -> Any:
    """Read the first of several types that fits; the mistake is that of the likeliest one."""
    if node.value is None and NoneType in hints:
        return None
    hints = tuple(hint for hint in hints if hint is not NoneType)
    # The type whose shape is that of the value is the one that was meant: its message helps.
    shapes = {dict: Mapping, list: tuple, tuple: tuple}
    likely = [
        h for h in hints if isinstance(node.value, shapes.get(get_origin(h) or h, str | bool | int | float | None))
    ]
    mistakes: UsageError | None = None
    for hint in [*likely, *(hint for hint in hints if hint not in likely)]:
        try:
            return _option(node, replace(key, type=hint))
        except UsageError as error:
            mistakes = mistakes or error
    assert mistakes is not None
    raise mistakes


def _any_whole_number(node: Node, key: Setting) -> int:
    return _whole_number(node, replace(key, lowest=-(2**63), highest=2**63 - 1))


def _path_option(node: Node, key: Setting) -> Path:
    return Path(_path(node, key))


def _any(node: Node, key: Setting) -> None:
    """Accept what cannot be judged, because the model is not known."""


CONVERTERS: dict[str, Callable[[Node, Setting], Any]] = {
    "number": _number,
    "choice": _choice,
    "choices": _choices,
    "option": _option,
    "whole number": _whole_number,
    "whole number or auto": _whole_number_or_auto,
    "whole number, range or auto": _whole_number_range_or_auto,
    "budget or false": _budget_or_false,
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
    if isinstance(value, Path):
        return Node(str(value), where, text=str(value)[:100])
    if is_dataclass(value) and not isinstance(value, type):
        return python_node(asdict(value), where)
    if value is None or isinstance(value, str | bool | int | float):
        return Node(value, where, text=str(value)[:100])
    return Node(f"{type(value).__name__} object", where)
