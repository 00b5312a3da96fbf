"""What a model declares, checked before anything is computed with it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import fields
from math import isfinite
from numbers import Real
from typing import Any

from hpcscan.config.keys import OPTION_KINDS, option_key
from hpcscan.config.kinds import convert, python_node
from hpcscan.errors import UsageError
from hpcscan.model import Axis, Derived, Dimension, Model, Observable, Option, Parameter, scale_names

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_DOTTED = re.compile(r"[A-Za-z][A-Za-z0-9_.]*")


def declaration_problems(model: Model, reserved: Iterable[str] = ()) -> list[str]:
    """Say what is wrong with the declarations of a model.

    Parameters
    ----------
    model : Model
    reserved : iterable of str
        Names that a result file uses for itself; ``{scale}`` stands for the name of a scale.
    """
    problems = list(_wrong_types(model))
    return problems or [
        *_bad_names(model),
        *_clashes(model, frozenset(reserved)),
        *_bad_parameters(model.parameters),
        *_bad_observables(model.observables),
        *_bad_dimensions(model.derived),
    ]


def _wrong_types(model: Model) -> Iterator[str]:
    expected = {"axes": Axis, "parameters": Parameter, "observables": Observable, "derived": Derived}
    for attribute, record in expected.items():
        declared = getattr(model, attribute, ())
        if not isinstance(declared, tuple | list):
            yield f"{attribute} is a {type(declared).__name__}; expected a tuple of {record.__name__}"
        elif not declared and attribute != "derived":
            yield f"{attribute} is empty or missing; declare at least one {record.__name__}"
        else:
            wrong = [item for item in declared if not isinstance(item, record)]
            yield from (f"{attribute} holds {item!r:.60}, which is not {record.__name__}(...)" for item in wrong)
            yield from (
                text for item in declared if item not in wrong for text in (*_bad_texts(item), *_bad_numbers(item))
            )
    yield from (f"{name} is not text" for name in ("title", "scale_unit") if not isinstance(getattr(model, name), str))


def _bad_texts(record: Any) -> Iterator[str]:
    """Name the text fields of a record that hold something else."""
    for field in fields(record):
        value = getattr(record, field.name)
        if field.name in ("name", "unit", "description") and not isinstance(value, str):
            yield f"{field.name} of {record!r:.60} is not text"


def _bad_numbers(record: Any) -> Iterator[str]:
    """Name the numbers of a parameter or an observable that are something else."""
    for name in {Parameter: ("lower", "upper"), Observable: ("observed", "sigma")}.get(type(record), ()):
        if not isinstance(value := getattr(record, name), Real):
            yield f"{name} of {record.name} is {value!r:.60}; expected a number"
    if isinstance(record, Parameter) and not (record.start is None or _is_pair(record.start)):
        yield f"start of {record.name} is {record.start!r:.60}; expected (low, high)"


def _is_pair(value: Any) -> bool:
    return isinstance(value, tuple | list) and len(value) == 2 and all(isinstance(end, Real) for end in value)


def _bad_names(model: Model) -> Iterator[str]:
    dotted = [("parameter", p.name) for p in model.parameters] + [("observable", o.name) for o in model.observables]
    plain = [
        *(("axis", axis.name) for axis in model.axes),
        *(("scale", str(name)) for name in scale_names(model)),
        *(("derived quantity", derived.name) for derived in model.derived),
        *(("dimension", d.dimension.name) for d in model.derived if d.dimension is not None),
    ]
    for what, name in dotted:
        if not _DOTTED.fullmatch(name):
            yield f"the {what} {name!r} is not a name; use letters, digits, _ and dots, a letter first"
    for what, name in dict.fromkeys(plain):
        if not _NAME.fullmatch(name):
            yield f"the {what} {name!r} is not a name; use letters, digits and _, a letter first"
    parameters = {p.name for p in model.parameters}
    both = [axis.name for axis in model.axes if axis.name in parameters]
    yield from (f"{name!r} is the name of an axis and of a parameter; call one of them otherwise" for name in both)
    yield from (f"the parameter {name!r} is declared twice" for name in _repeated(p.name for p in model.parameters))
    yield from (f"the observable {name!r} is declared twice" for name in _repeated(o.name for o in model.observables))


def _clashes(model: Model, reserved: frozenset[str]) -> Iterator[str]:
    """Name what two things in a result file would share."""
    of_scales = [name for name in sorted(reserved) if "{scale}" in name]
    dimensions = dict.fromkeys(d.dimension.name for d in model.derived if d.dimension is not None)
    names = [
        *(axis.name for axis in model.axes),
        *(name.format(scale=scale) for scale in scale_names(model) for name in of_scales),
        *(derived.name for derived in model.derived),
        *(text for name in dimensions for text in (name, f"{name}_name")),
    ]
    yield from (f"the name {name!r} is used twice in a result" for name in _repeated(names))
    yield from (f"the name {name!r} is one of a result's own" for name in dict.fromkeys(names) if name in reserved)


def _repeated(names: Iterable[str]) -> list[str]:
    return [name for name, n in Counter(names).items() if n > 1]


def _bad_parameters(parameters: Iterable[Parameter]) -> Iterator[str]:
    for parameter in parameters:
        if problem := parameter.problem():
            yield f"the parameter {parameter.name}: {problem}"


def _bad_observables(observables: Iterable[Observable]) -> Iterator[str]:
    for observable in observables:
        if not (isfinite(observable.sigma) and observable.sigma > 0):
            yield f"the observable {observable.name} has sigma {observable.sigma}; expected a positive finite number"
        if not isfinite(observable.observed):
            yield f"the observable {observable.name} is observed as {observable.observed}; expected a finite number"
        if not isfinite((ratio := _ratio(observable)) * ratio):
            yield f"the observable {observable.name}: the square of observed/sigma is beyond the largest number"


def _ratio(observable: Observable) -> float:
    return observable.observed / observable.sigma if observable.sigma else 0.0


def _bad_dimensions(derived: Iterable[Derived]) -> Iterator[str]:
    known: dict[str, Dimension] = {}
    for dimension in (d.dimension for d in derived if d.dimension is not None):
        labels = dimension.labels
        if not labels or not all(isinstance(label, str) and label for label in labels):
            yield f"the dimension {dimension.name} needs a non-empty text as the label of each entry"
        elif known.setdefault(dimension.name, dimension) != dimension:
            yield f"the dimension {dimension.name} is declared with different labels"


def option_problems(options: Any) -> list[str]:
    """Say what is wrong with the options that a model class declares."""
    if not isinstance(options, tuple | list) or not all(isinstance(option, Option) for option in options):
        return ["options is not a tuple of Option"]
    problems = [f"the option {name!r} is declared twice" for name in _repeated(option.name for option in options)]
    for option in options:
        if not _NAME.fullmatch(option.name):
            problems.append(f"the option {option.name!r} is not a name; use letters, digits and _, a letter first")
        elif option.kind not in OPTION_KINDS:
            problems.append(f"the option {option.name} has the kind {option.kind!r}; known: {', '.join(OPTION_KINDS)}")
        else:
            problems += _bad_default(option)
    return problems


def _bad_default(option: Option) -> list[str]:
    try:
        convert(python_node(option.default, ""), option_key(option))
    except UsageError as error:
        return [f"the default of {mistake.message}" for mistake in error.mistakes]
    return []
