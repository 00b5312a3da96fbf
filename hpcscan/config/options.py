"""The options of a model: the keyword arguments of its constructor, with their types."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from hpcscan.model.options import Option

#: The types that an option may have, as they are told to a user.
KNOWN_TYPES = (
    "float, int, str, bool, Path, Literal[...], list[...], dict[str, ...], tuple[float, float], unions and None"
)
_SIMPLE = (float, int, str, bool, Path, NoneType)


@dataclass(frozen=True)
class OptionKey:
    """One option of a model.

    Attributes
    ----------
    name : str
    type : object
        The type hint, without its annotation.
    default : object
        `REQUIRED` where it has to be given.
    meaning, unit : str
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
    construct: Any = vars(next(base for base in model_class.__mro__ if "__init__" in vars(base)))["__init__"]
    if construct is object.__init__:
        return ()
    hints = get_type_hints(construct, include_extras=True)
    arguments = list(inspect.signature(construct).parameters.values())[1:]
    keys = []
    for argument in arguments:
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
