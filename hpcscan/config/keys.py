"""The table of settings as keys of one configuration: validation, the resolved text and `hpcscan keys` loop over it.

A model declares its own keys as `hpcscan.model.Option`; they appear below ``model.options``. Kinds of option:

``"number"``
    A finite number; the model receives a float.
``"choice"``
    One of the option's `choices`; the model receives a str.
``"number by name"``
    ``{electron: 0.511, muon: 105.7}``; the model receives a dict of str to float. The names that a user gives
    replace single entries of the default; the others stay.
``"number or number by name"``
    Either of the two; the model receives a float or a dict.
``"interval by name"``
    ``{muon.U: [0.02, 0.2]}``; the model receives a dict of str to (float, float) in the order in which they were
    written. Entries replace those of the default.

For the kinds by name, `choices` lists the names that are allowed, any where it is empty. What else can be wrong is for
the model to say, by an `OptionError` with the path ``(option,)`` or ``(option, name)``. An option whose default is None
may be left unset, and is then None.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from hpcscan.model.interface import Option
from hpcscan.settings import SECTIONS, SETTINGS, Setting

#: Kinds that a model's options may have.
OPTION_KINDS = ("number", "choice", "number by name", "number or number by name", "interval by name")

#: What a configuration may have at its top level.
TOP_LEVEL = tuple(dict.fromkeys(key.parts[0] for key in SETTINGS))


def option_key(option: Option) -> Setting:
    """Turn a model's option into a key."""
    return Setting(
        option.kind,
        option.meaning,
        option.unit,
        tuple(option.choices),
        name=f"model.options.{option.name}",
        default=option.default,
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


def concrete_keys(axes: Iterable[str], options: Sequence[Option] | None) -> tuple[Setting, ...]:
    """Fill in the table's placeholders.

    Parameters
    ----------
    axes : iterable of str
        Names for ``<axis>``.
    options : sequence of Option, optional
        The model's; None where they are not known, so that anything is accepted below ``model.options``.
    """
    keys: list[Setting] = []
    names = tuple(axes)
    scan = [key for key in SETTINGS if key.parts[0] == "scan"]
    for axis in names:
        keys += [_for_axis(key, axis) for key in scan]
    for key in SETTINGS:
        if key.kind == "any":
            keys += [replace(key, name="model.options")] if options is None else map(option_key, options)
        elif key not in scan:
            keys += [_for_axis(key, axis) for axis in names] if "<axis>" in key.parts else [key]
    return tuple(keys)


def _for_axis(key: Setting, axis: str) -> Setting:
    return replace(key, name=key.name.replace("<axis>", axis))


def split_name(name: str) -> tuple[str, ...]:
    """Split a dotted key into its path; below a key of the table the rest is one name, as in ``bounds.muon.U``."""
    parts = tuple(name.split("."))
    depth = max((len(key.parts) for key in SETTINGS if _matches(key, parts)), default=len(parts))
    return (*parts[:depth], *filter(None, [".".join(parts[depth:])]))


def _matches(key: Setting, parts: tuple[str, ...]) -> bool:
    pairs = zip(key.parts, parts, strict=False)
    return len(key.parts) <= len(parts) and all(a == b or a.startswith("<") for a, b in pairs)
