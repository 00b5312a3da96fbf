"""What a model declares, checked before anything is computed with it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from keyword import iskeyword
from numbers import Real
from typing import Any

import numpy as np

from hpcscan.config.keys import OptionKey, option_key
from hpcscan.config.kinds import convert, did_you_mean, python_node
from hpcscan.errors import UsageError
from hpcscan.model import Derived, Dimension, Gaussian, Likelihood, Model, Parameter, Poisson
from hpcscan.model.data_terms import Term, value_dimension
from hpcscan.model.interface import NAME, repeated
from hpcscan.model.posing import simulates
from hpcscan.model.problem import CONSTRAINT

#: Fields of records that figures and terminals show.
_TEXTS = ("unit", "label", "description", "x_label", "x_unit", "part_of")
_DOTTED = re.compile(rf"{NAME.pattern}(\.[A-Za-z0-9_]+)*")


def declaration_problems(model: Model | Likelihood, reserved: Iterable[str] = ()) -> list[str]:
    """List what is wrong with the declarations of a model.

    Parameters
    ----------
    reserved : iterable of str
        Names that a result file uses for itself; ``{scale}`` stands for the name of a scale.
    """
    # Types first: everything below relies on them.
    problems = list(_wrong_types(model))
    terms: tuple[Term, ...] = () if problems or not isinstance(model, Model) else tuple(model.data)
    return problems or [
        *_bad_names(model, terms),
        *_clashes(model, terms, frozenset(reserved)),
        *(f"the parameter {p.name}: {text}" for p in model.parameters if (text := p.problem())),
        *(f"the term {term.name}: {text}" for term in terms for text in term.problems()),
        *_bad_dimensions(model.derived),
        *_bad_parts(model.derived, terms),
        *_bad_preparation(model),
        *_bad_signatures(model),
    ]


def _wrong_types(model: Model | Likelihood) -> Iterator[str]:
    expected: dict[str, tuple[type, ...]] = {"parameters": (Parameter,), "derived": (Derived,)}
    if isinstance(model, Model):
        expected["data"] = (Gaussian, Poisson)
    elif any(isinstance(item, Gaussian | Poisson) for item in _items(getattr(model, "data", ()))):
        yield "data has terms, which a Likelihood does not use: its -2 ln L is all; make it a Model, or remove them"
    for attribute, records in expected.items():
        declared, kind = getattr(model, attribute, ()), " or ".join(record.__name__ for record in records)
        if not isinstance(declared, tuple | list):
            yield f"{attribute} is a {type(declared).__name__}; expected a tuple of {kind}"
        elif not declared and attribute != "derived":
            yield f"{attribute} is empty or missing; declare at least one {kind}"
        else:
            wrong = [item for item in declared if not isinstance(item, records)]
            yield from (f"{attribute} holds {item!r:.60}, which is not {kind}(...)" for item in wrong)
            for item in declared:
                if isinstance(item, records):
                    yield from (*_bad_texts(item), *_bad_numbers(item))
    yield from _bad_data(model)
    if not isinstance(model.title, str):
        yield "title is not text"
    if not (isinstance(model.notes, tuple) and all(isinstance(n, str) and n.isprintable() for n in model.notes)):
        yield "notes is no tuple of texts without control characters"
    units = model.scale_unit.values() if isinstance(model.scale_unit, Mapping) else [model.scale_unit]
    if not all(isinstance(unit, str) for unit in units):
        yield "scale_unit is not text, or a mapping of scale names to texts"
    yield from _wrong_calls(model)


def _wrong_calls(model: Model | Likelihood) -> Iterator[str]:
    """Name what is wrong with how a model is called."""
    rows = model.rows_per_call
    if rows is not None and (not isinstance(rows, int) or isinstance(rows, bool) or rows < 1):
        yield f"rows_per_call is {rows!r:.60}; expected a whole number, such as 128, or 1"
    if not (isinstance(model.prepared, tuple | list) and all(isinstance(name, str) for name in model.prepared)):
        yield f'prepared is {model.prepared!r:.60}; expected names of parameters, as in prepared = ("omega",)'


def _bad_data(model: Model | Likelihood) -> Iterator[str]:
    """List what is wrong with the data that a model of −2 ln L alone can simulate."""
    if not simulates(model):
        return
    try:
        data = np.asarray(getattr(model, "data", ()))
    except ValueError:
        data = np.empty((0, 0))
    if data.ndim != 1 or data.dtype.kind not in "fiu" or not np.isfinite(data).any():
        rule = (
            "simulate draws data, so that what was observed is declared: one array of numbers, NaN where it is longer"
        )
        yield f"data is {getattr(model, 'data', None)!r:.60}; {rule}"


def _items(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, tuple | list) else (value,)


def _bad_texts(record: Any) -> Iterator[str]:
    """List the text fields of a record that hold something else, or what a terminal must not get."""
    for field in fields(record):
        value = getattr(record, field.name)
        if field.name == "name" and not isinstance(value, str):
            first, second, *_ = (one.name for one in fields(record))
            kind = type(record).__name__
            yield f"the name of a {kind} is {value!r:.40}; expected text, as in {kind}({first}, {second}, ...)"
        elif field.name in _TEXTS and not isinstance(value, str):
            yield f"{field.name} of {record.name} is {value!r:.40}; expected text"
        elif field.name in _TEXTS and not value.isprintable():
            yield f"{field.name} of {record.name} has line breaks or control characters: {value!r:.60}"
        elif field.name == "scale" and not isinstance(value, str | None):
            yield f"scale of {record.name} is {value!r:.60}; expected the name of a scale, or None"


def _bad_numbers(record: Any) -> Iterator[str]:
    """List the numbers of a parameter that are something else."""
    if not isinstance(record, Parameter):
        return
    for name in ("lower", "upper"):
        if not _is_number(value := getattr(record, name)):
            yield f"{name} of {record.name} is {value!r:.60}; expected a number"
    for name, meaning in (("start", "(low, high)"), ("constraint", "(mean, sigma)")):
        value = getattr(record, name)
        if not (value is None or _is_pair(value)):
            yield f"{name} of {record.name} is {value!r:.60}; expected {meaning}"


def _is_pair(value: Any) -> bool:
    return isinstance(value, tuple | list) and len(value) == 2 and all(_is_number(end) for end in value)


def _is_number(value: Any) -> bool:
    """Whether arithmetic takes it for a real number; with truth values numpy's does something else."""
    return isinstance(value, Real) and not isinstance(value, bool)


def _bad_names(model: Model | Likelihood, terms: tuple[Term, ...]) -> Iterator[str]:
    dotted = [("parameter", p.name) for p in model.parameters] + [("term", term.name) for term in terms]
    plain = [
        *(("scale", term.scale) for term in terms if term.scale is not None),
        *(("derived quantity", derived.name) for derived in model.derived),
        *(("dimension", d.dimension.name) for d in model.derived if d.dimension is not None),
    ]
    for what, name in dotted:
        if not _DOTTED.fullmatch(name):
            yield f"the {what} {name!r} is not a name; use letters, digits, _ and dots between them, a letter first"
        elif iskeyword(name):
            yield f"the {what} {name!r} is a word of Python's own; call it {name}_"
    for what, name in dict.fromkeys(plain):
        if not NAME.fullmatch(name):
            yield f"the {what} {name!r} is not a name; use letters, digits and _, a letter first"
    yield from (f"the parameter {name!r} is declared twice" for name in repeated(p.name for p in model.parameters))
    yield from (f"the term {name!r} is declared twice" for name in repeated(term.name for term in terms))
    constrained = {f"{CONSTRAINT}{p.name}" for p in model.parameters}
    yield from (f"the term {t.name!r} has the name of a constraint" for t in terms if t.name in constrained)


def _clashes(model: Model | Likelihood, terms: tuple[Term, ...], reserved: frozenset[str]) -> Iterator[str]:
    """List what two things in a result file would share."""
    # A result has some variables for every scale, such as its best value.
    of_scales = [name for name in sorted(reserved) if "{scale}" in name]
    scales = dict.fromkeys(term.scale for term in terms if term.scale is not None)
    with_parts = {derived.part_of for derived in model.derived}
    dimensions = dict.fromkeys(
        [d.dimension.name for d in model.derived if d.dimension is not None]
        + [value_dimension(term) for term in terms if term.name in with_parts]
    )
    names = [
        *(parameter.name for parameter in model.parameters),
        *(name.format(scale=scale) for scale in scales for name in of_scales),
        *(derived.name for derived in model.derived),
        *(text for name in dimensions for text in (name, f"{name}_name")),
    ]
    declared = set(repeated(p.name for p in model.parameters))
    twice = (name for name in repeated(names) if name not in declared)
    yield from (f"the name {name!r} is used twice in a result" for name in twice)
    for name in dict.fromkeys(names):
        if name in reserved:
            yield f"the name {name!r} is one of a result's own; call it otherwise, such as {name}_"


def _bad_dimensions(derived: Iterable[Derived]) -> Iterator[str]:
    known: dict[str, Dimension] = {}
    for dimension in (d.dimension for d in derived if d.dimension is not None):
        labels = dimension.labels
        if not labels or not all(isinstance(label, str) and label for label in labels):
            yield f"the dimension {dimension.name} needs a non-empty text as the label of each entry"
        elif known.setdefault(dimension.name, dimension) != dimension:
            yield f"the dimension {dimension.name} is declared with different labels"


def _bad_parts(derived: Iterable[Derived], terms: Sequence[Term]) -> Iterator[str]:
    """Name parts of predictions that there are not."""
    known = [term.name for term in terms]
    for part in (one for one in derived if one.part_of):
        if part.part_of not in known:
            yield f"{part.name} is part of {part.part_of!r:.60}, which is no term; {did_you_mean(part.part_of, known)}"
        if part.dimension is not None:
            yield f"{part.name} is part of {part.part_of} and has a dimension; leave that out, it is that of the term"


def _bad_preparation(model: Model | Likelihood) -> Iterator[str]:
    """Say what is wrong with the names of what is prepared."""
    known, defines = [p.name for p in model.parameters], type(model).prepare not in (Model.prepare, Likelihood.prepare)
    if unknown := [name for name in model.prepared if name not in known]:
        yield f"prepared names {', '.join(map(repr, unknown))}, which is no parameter; there are {', '.join(known)}"
    if model.prepared and not defines:
        yield f"prepared is declared without a function; write prepare(self, {', '.join(model.prepared)})"
    if defines and not model.prepared:
        yield 'prepare is never called: name the parameters that it takes, as in prepared = ("omega",)'
    if model.prepared and "prepared" in known:
        yield "the parameter 'prepared' has the name under which predict gets what is prepared; call it otherwise"


def _bad_signatures(model: Model | Likelihood) -> Iterator[str]:
    """List parameters that a model's functions do not take, or take without declaring them."""
    names = ("predict", "jacobian") if isinstance(model, Model) else ("twice_nll", "gradient")
    # Data, and the random numbers from which they are drawn, come first; any name is right.
    first = dict.fromkeys(names, "data, ") | {"simulate": "rng, "} if simulates(model) else {}
    parameters, prepared = [p.name for p in model.parameters], ["prepared"] * bool(model.prepared)
    arguments = {name: [*parameters, *(prepared if name in names else [])] for name in first or names}
    if prepared:
        arguments["prepare"] = list(model.prepared)
    for name, declared in arguments.items():
        try:
            taken = list(inspect.signature(getattr(model, name)).parameters.values())[name in first :]
        # A function of C's has no signature; the first call tells.
        except (TypeError, ValueError):
            continue
        by_name = [one for one in taken if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)]
        # `**parameters` takes whatever is declared.
        takes_all = any(one.kind is one.VAR_KEYWORD for one in taken)
        own = {one.name for one in by_name}
        missing = [] if takes_all else [parameter for parameter in declared if parameter not in own]
        extra = [one.name for one in by_name if one.default is one.empty and one.name not in declared]
        if missing:
            names_of_all = "**parameters" if any("." in one for one in declared) else ", ".join(declared)
            signature = f"{name}(self, {first.get(name, '')}{names_of_all})"
            yield f"{name} does not take the parameter {', '.join(missing)}; write {signature}"
        if extra:
            yield f"{name} takes {', '.join(extra)}, which is not declared in parameters{_data_hint(model, extra)}"


def _data_hint(model: Model | Likelihood, extra: list[str]) -> str:
    """Describe what lets a likelihood take its data as an argument."""
    is_meant = isinstance(model, Likelihood) and "data" in extra and not simulates(model)
    return "; data are an argument of a model that has simulate(self, rng, **parameters)" if is_meant else ""


def option_problems(options: Iterable[OptionKey]) -> list[str]:
    """List what is wrong with the defaults of a model's options."""
    problems = []
    for option in options:
        if not NAME.fullmatch(option.name):
            problems.append(f"the option {option.name!r} is not a name; use letters, digits and _, a letter first")
        elif not option.is_required:
            problems += _bad_default(option)
    return problems


def _bad_default(option: OptionKey) -> list[str]:
    try:
        convert(python_node(option.default, ""), option_key(option))
    except UsageError as error:
        return [f"the default of {mistake.message}" for mistake in error.mistakes]
    return []
