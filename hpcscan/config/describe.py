"""The text of `hpcscan keys`: every configuration key, and what a model declares."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest
from textwrap import wrap

from hpcscan.config.keys import OPTION_KINDS, option_key
from hpcscan.config.kinds import convert, python_node
from hpcscan.config.models import BUILT_IN, construct, model_class
from hpcscan.config.plugin import read_plugin
from hpcscan.config.resolved import flow
from hpcscan.errors import UsageError
from hpcscan.model import Axis, Model, Observable, Parameter
from hpcscan.settings import HIGHEST, SETTINGS, Setting

WIDTH = 100
GAP = "  "
#: Least width of the last column, for which the others are narrowed as far as their words allow.
LAST_COLUMN = 33


def describe_keys(model_name: str | None = None) -> str:
    """Describe the configuration keys and, where a model is named, its options, axes, parameters and observables.

    Parameters
    ----------
    model_name : str, optional
        A built-in model, or ``path/to/file.py:ClassName`` relative to the working directory.

    Raises
    ------
    UsageError
        If there is no such model or it cannot be constructed with its defaults.
    """
    lines = [*_key_table(SETTINGS)]
    if model_name is None:
        lines += ["", f"Built-in models: {', '.join(BUILT_IN)}. `hpcscan keys MODEL` shows the options of a model."]
    else:
        lines += _model_lines(_model(model_name))
    return "\n".join(lines)


def _model(name: str) -> Model:
    """Construct a model with its defaults; mistakes are about the name, not about a place in a configuration."""
    try:
        plugin = read_plugin(name, ".") if ":" in name or name.endswith(".py") else None
        return construct(found := model_class(name, plugin), _defaults(found), plugin)
    except UsageError as error:
        raise UsageError(*(replace(mistake, where="") for mistake in error.mistakes)) from None


def _defaults(found: type[Model]) -> dict[str, object]:
    return {option.name: convert(python_node(option.default, ""), option_key(option)) for option in found.options}


def _model_lines(model: Model) -> Iterator[str]:
    yield from ("", f"Model: {model.title or type(model).__name__}")
    if model.options:
        yield from ("", *_key_table([option_key(option) for option in model.options]))
    yield from ("", *table([("axis", "unit", "meaning"), *map(_axis_row, model.axes)]))
    bounds, data = ("lower", "upper"), ("observed", "sigma", "scale")
    yield from ("", *table([("parameter", *bounds, "unit", "meaning"), *map(_parameter_row, model.parameters)]))
    yield from ("", *table([("observable", *data, "unit", "meaning"), *map(_observable_row, model.observables)]))


def _axis_row(axis: Axis) -> Sequence[str]:
    return axis.name, axis.unit, axis.description


def _parameter_row(parameter: Parameter) -> Sequence[str]:
    bounds = f"{parameter.lower:g}", f"{parameter.upper:g}"
    return parameter.name, *bounds, parameter.unit, parameter.description


def _observable_row(observable: Observable) -> Sequence[str]:
    data = f"{observable.observed:g}", f"{observable.sigma:g}"
    return observable.name, *data, observable.scale or "–", observable.unit, observable.description


def _key_table(keys: Iterable[Setting]) -> list[str]:
    return table(_key_rows(keys))


def markdown_keys() -> str:
    """Write the table of settings in Markdown, as the README has it."""
    header, *rows = _key_rows(SETTINGS)
    lines = [header, ("---",) * len(header), *((f"`{name}`", *_escaped(cells)) for name, *cells in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _escaped(cells: Iterable[str]) -> Iterator[str]:
    """Keep what Markdown would take for an end of a cell or for a tag."""
    yield from (cell.replace("|", r"\|").replace("<", r"\<") for cell in cells)


def _key_rows(keys: Iterable[Setting]) -> list[tuple[str, ...]]:
    rows = [(key.name, _kind(key), key.unit or "–", _default(key), key.meaning) for key in keys]
    return [("key", "type", "unit", "default", "meaning"), *rows]


def _kind(key: Setting) -> str:
    if key.kind == "choice":
        return " | ".join(key.choices)
    # The highest number is told where it is a limit that somebody may meet.
    limits = f" ≥ {key.lowest}" if key.highest >= HIGHEST else f" from {key.lowest} to {key.highest}"
    return "see MODEL" if key.kind == "any" else key.kind.replace("whole number", f"whole number{limits}")


def _default(key: Setting) -> str:
    if key.default is None:
        return "–"
    return flow(convert(python_node(key.default, ""), key) if key.kind in OPTION_KINDS else key.default)


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Align rows in columns; the last column takes the rest of the line, and long cells are wrapped."""
    *columns, _ = zip(*rows, strict=True)
    widths = [max(map(len, column)) for column in columns]
    narrowest = [max(len(word) for cell in column for word in cell.split()) for column in columns]
    room = WIDTH - LAST_COLUMN - len(GAP) * len(columns)
    while sum(widths) > room and widths != narrowest:
        widest = max(range(len(widths)), key=lambda i: (widths[i] > narrowest[i], widths[i]))
        widths[widest] -= 1
    widths.append(max(LAST_COLUMN, room + LAST_COLUMN - sum(widths)))
    return [line for row in rows for line in _lines(row, widths)]


def _lines(row: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    cells = [wrap(cell, width) or [""] for cell, width in zip(row, widths, strict=True)]
    for parts in zip_longest(*cells, fillvalue=""):
        yield GAP.join(part.ljust(width) for part, width in zip(parts, widths, strict=True)).rstrip()
