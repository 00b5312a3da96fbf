"""The table of settings as keys of one configuration: validation, the resolved text and `hpcscan keys` loop over it.

A model's options are keys below ``model.options``: the keyword arguments of its constructor, with their types. What
else can be wrong with them is for the model to say, by an `OptionError` with the path ``(option,)`` or
``(option, name)``.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from hpcscan.model.interface import Option
from hpcscan.settings import SECTIONS, SETTINGS, Setting

#: The types that an option may have, as they are told to a user.
KNOWN_TYPES = (
    "float, int, str, bool, Path, Literal[...], list[...], dict[str, ...], tuple[float, float], unions and None"
)
_SIMPLE = (float, int, str, bool, Path, NoneType)

#: What a configuration may have at its top level.
TOP_LEVEL = tuple(dict.fromkeys(key.parts[0] for key in SETTINGS))


@dataclass(frozen=True)
class OptionKey:
    """One option of a model.

    Attributes
    ----------
    type : object
        The type hint, without its annotation.
    default : object
        `REQUIRED` where it has to be given.
    """

    name: str
    type: Any
    default: Any
    meaning: str = ""
    unit: str = ""

    @property
    def is_required(self) -> bool:
        """Whether it has no default."""
        return self.default is inspect.Parameter.empty


def options_of(model_class: type) -> tuple[OptionKey, ...]:
    """List the options of a model class, in the order of its constructor's arguments.

    Raises
    ------
    TypeError
        Where an argument has no type, or one that no configuration can hold.
    """
    # The constructor that counts, wherever it is defined; object's own takes nothing.
    construct: Any = vars(next(base for base in model_class.__mro__ if "__init__" in vars(base)))["__init__"]
    if construct is object.__init__:
        return ()
    # Also of annotations that are texts, and with their units.
    hints = get_type_hints(construct, include_extras=True)
    arguments = list(inspect.signature(construct).parameters.values())[1:]
    keys = []
    for argument in arguments:
        # An option is written by name: what has none cannot be one.
        if argument.kind in (argument.VAR_POSITIONAL, argument.VAR_KEYWORD, argument.POSITIONAL_ONLY):
            raise TypeError(f"the constructor takes {argument}; an option is a keyword argument with a type")
        if argument.name not in hints:
            raise TypeError(f"the option {argument.name} has no type; write {argument.name}: float = …")
        keys.append(_key(argument, hints[argument.name]))
    return tuple(keys)


def type_name(hint: Any) -> str:  # noqa: PLR0911  (one for each type)
    """Write a type as in a table of keys: ``number``, ``stream | laboratory``, ``name: number``."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return type_name(arguments[0])
    if origin in (Union, UnionType):
        return " or ".join(type_name(one) for one in arguments if one is not NoneType)
    if origin is Literal:
        return " | ".join(map(str, arguments))
    if origin is list:
        return f"list of {type_name(arguments[0])}"
    if origin is tuple:
        return "[lower, upper]"
    if origin is dict:
        return f"{{name: {type_name(arguments[1])}}}"
    names = {float: "number", int: "whole number", str: "text", bool: "true or false", Path: "path"}
    return names[hint]


def _key(argument: inspect.Parameter, hint: Any) -> OptionKey:
    about = Option()
    if get_origin(hint) is Annotated:
        hint, *extras = get_args(hint)
        about = next((extra for extra in extras if isinstance(extra, Option)), about)
    if not _is_known(hint):
        raise TypeError(f"the option {argument.name} has the type {_shown(hint)}; known are {KNOWN_TYPES}")
    return OptionKey(argument.name, hint, argument.default, about.meaning, about.unit)


def _is_known(hint: Any) -> bool:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return all(isinstance(choice, str | int | float | bool) for choice in arguments)
    if origin in (Union, UnionType):
        return all(map(_is_known, arguments))
    if origin is list:
        return _is_known(arguments[0])
    if origin is tuple:
        return arguments == (float, float)
    if origin is dict:
        is_name = arguments[0] is str or (get_origin(arguments[0]) is Literal and _is_known(arguments[0]))
        return is_name and _is_known(arguments[1])
    return hint in _SIMPLE


def _shown(hint: Any) -> str:
    return getattr(hint, "__name__", None) or f"{hint}"


def option_key(option: OptionKey) -> Setting:
    """Turn a model's option into a key."""
    return Setting(
        "option",
        option.meaning,
        option.unit,
        name=f"model.options.{option.name}",
        default=None if option.is_required else option.default,
        type=option.type,
        is_required=option.is_required,
    )


def section_values(section: str, values: Mapping[str, Any], axes: Sequence[str] = ()) -> dict[str, Any]:
    """Collect what the record of a section is made of.

    Parameters
    ----------
    section : str
        One of `SECTIONS`.
    values : mapping
        By dotted name.
    axes : sequence of str
        For settings with a value for each axis: those that are set are collected by name.
    """
    names = {field.name: f"{section}.{field.name}" for field in fields(SECTIONS[section])}
    found = {field: values[name] for field, name in names.items() if name in values}
    by_axis = {
        key.parts[-2]: {axis: values.get(_for_axis(key, axis).name) for axis in axes}
        for key in SETTINGS
        if key.each == "<axis>" and key.parts[0] == section
    }
    return found | {name: {a: v for a, v in given.items() if v is not None} for name, given in by_axis.items()}


def concrete_keys(
    axes: Iterable[str], options: Sequence[OptionKey] | None, fixed: Iterable[str] = ()
) -> tuple[Setting, ...]:
    """Fill in the table's placeholders.

    Parameters
    ----------
    axes : iterable of str
        Names for ``<axis>``.
    options : sequence of Option, optional
        The model's; None where they are not known, so that anything is accepted below ``model.options``.
    fixed : iterable of str
        Names for ``<parameter>``.
    """
    keys: list[Setting] = []
    names = tuple(axes)
    scan = [key for key in SETTINGS if key.parts[0] == "scan"]
    for axis in names:
        keys += [_for_axis(key, axis) for key in scan]
    for key in SETTINGS:
        if key.kind == "any":
            keys += [replace(key, name="model.options")] if options is None else map(option_key, options)
        elif "<parameter>" in key.parts:
            keys += [_named(key, "<parameter>", name) for name in fixed]
        elif key not in scan:
            keys += [_for_axis(key, axis) for axis in names] if "<axis>" in key.parts else [key]
    return tuple(keys)


def _for_axis(key: Setting, axis: str) -> Setting:
    return _named(key, "<axis>", axis)


def _named(key: Setting, placeholder: str, name: str) -> Setting:
    path = tuple(name if part == placeholder else part for part in key.parts)
    return replace(key, name=".".join(path), path=path)


def split_name(name: str) -> tuple[str, ...]:
    """Split a dotted key into its path; names of parameters and of entries may have dots, as in ``fix.muon.U``."""
    parts = tuple(name.split("."))
    # A key that takes a name in its middle, such as scan.NAME.min, before one with names at its end.
    whole = [path for key in SETTINGS if (path := _whole_path(key.parts, parts))]
    return max(whole or [path for key in SETTINGS if (path := _path_below(key.parts, parts))], key=len, default=parts)


def _whole_path(key: tuple[str, ...], parts: tuple[str, ...]) -> tuple[str, ...]:
    """Fit the parts of a name to a key of the table that has a name in it; empty where they do not fit."""
    names = [part for part in key if part in ("<axis>", "<parameter>")]
    if not names:
        return ()
    before = key.index(names[0])
    after = key[before + 1 :]
    middle = parts[before : len(parts) - len(after)]
    is_it = bool(middle) and parts[:before] == key[:before] and parts[len(parts) - len(after) :] == after
    return (*parts[:before], ".".join(middle), *after) if is_it else ()


def _path_below(key: tuple[str, ...], parts: tuple[str, ...]) -> tuple[str, ...]:
    """Fit the beginning of a name to a key of the table; the rest is one name below it."""
    if len(key) > len(parts) or not all(a == b or a.startswith("<") for a, b in zip(key, parts, strict=False)):
        return ()
    return (*parts[: len(key)], *filter(None, [".".join(parts[len(key) :])]))
