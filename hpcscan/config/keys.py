"""The table of settings as keys of one configuration: validation, the resolved text and `hpcscan keys` loop over it.

A model's options are keys below ``model.options``: the keyword arguments of its constructor, with their types. What
else can be wrong with them is for the model to say, by an `OptionError` with the path ``(option,)`` or
``(option, name)``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from hpcscan.config.options import OptionKey
from hpcscan.settings import SECTIONS, SETTINGS, Setting

#: What a configuration may have at its top level.
TOP_LEVEL = tuple(dict.fromkeys(key.parts[0] for key in SETTINGS))


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
