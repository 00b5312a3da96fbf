"""The text of `hpcscan keys`: every configuration key, and what a model declares."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import is_dataclass, replace
from textwrap import wrap

from hpcscan.config.building import BUILT_IN, construct, model_class, model_options
from hpcscan.config.keys import OptionKey, option_key, type_name
from hpcscan.config.kinds import convert, python_node
from hpcscan.config.nodes import flow
from hpcscan.config.plugin import read_plugin
from hpcscan.errors import UsageError
from hpcscan.model import Likelihood, Model, Parameter, Poisson
from hpcscan.model.data_terms import Term
from hpcscan.settings import HIGHEST, SETTINGS, Setting
from hpcscan.words.tables import PAGE_WIDTH, fitted_lines

#: What else is said of a model, in words.
Remark = Callable[[Model | Likelihood], str]


def describe_keys(model_name: str | None = None, remark: Remark | None = None) -> str:
    """Describe the configuration keys and, where a model is named, its options, parameters and terms.

    Parameters
    ----------
    model_name : str, optional
        A built-in model, or ``path/to/file.py`` or ``file.py:ClassName`` relative to the working directory.
    remark : callable, optional
        Called with the model; what it returns comes last.

    Raises
    ------
    UsageError
        If there is no such model or it cannot be constructed with its defaults.
    """
    lines = [*_key_table(SETTINGS)]
    if model_name is None:
        lines += ["", f"Built-in models: {', '.join(BUILT_IN)}. `hpcscan keys MODEL` shows the options of a model."]
    else:
        lines += _model_lines(model_name, remark)
    return "\n".join(lines)


def _model_lines(name: str, remark: Remark | None) -> Iterator[str]:
    """Describe a model; mistakes are about the name, not about a place in a configuration."""
    try:
        plugin = read_plugin(name, ".") if ":" in name or name.endswith(".py") else None
        found = model_class(name, plugin)
        options = model_options(found, plugin)
        yield from ("", f"Model: {found.title or found.__name__}")
        if options:
            yield from ("", *_key_table([option_key(option) for option in options]))
        if needed := [option.name for option in options if option.is_required]:
            yield from ("", f"Without {', '.join(needed)} there is no model: what it declares may depend on that.")
            return
        model = construct(found, _defaults(options), plugin)
    except UsageError as error:
        raise UsageError(*(replace(mistake, where="") for mistake in error.mistakes)) from None
    header = ("parameter", "lower", "upper", "unit", "constraint", "meaning")
    yield from ("", *fitted_lines([header, *map(_parameter_row, model.parameters)]))
    if isinstance(model, Model):
        yield from (
            "",
            *fitted_lines([("term", "loss", "values", "scale", "unit", "meaning"), *map(_term_row, model.data)]),
        )
    if remark is not None:
        yield from ("", *wrap(remark(model), PAGE_WIDTH, break_long_words=False))


def _defaults(options: Iterable[OptionKey]) -> dict[str, object]:
    return {option.name: convert(python_node(option.default, ""), option_key(option)) for option in options}


def _parameter_row(parameter: Parameter) -> Sequence[str]:
    bounds = f"{parameter.lower:g}", f"{parameter.upper:g}"
    constraint = "–" if parameter.constraint is None else "{:g} ± {:g}".format(*parameter.constraint)
    return parameter.name, *bounds, parameter.unit, constraint, parameter.description


def _term_row(term: Term) -> Sequence[str]:
    loss = (
        "Poisson"
        if isinstance(term, Poisson)
        else "Gaussian, covariance"
        if term.covariance is not None
        else "Gaussian"
    )
    loss = f"{loss}, tolerance" if term.is_tolerance else loss
    values = term.values
    shown = f"{values[0]:g}" if len(values) == 1 else f"{len(values)} from {values.min():g} to {values.max():g}"
    return term.name, loss, shown, term.scale or "–", term.unit, term.description


def _key_table(keys: Iterable[Setting]) -> list[str]:
    return fitted_lines(_key_rows(keys))


def markdown_keys() -> str:
    """Write the table of settings in Markdown."""
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
    if key.kind == "option":
        return type_name(key.type)
    if key.kind == "choice":
        return " | ".join(key.choices)
    if key.kind == "choices":
        return f"list of {' | '.join(key.choices)}"
    # The highest number is told where it is a limit that somebody may meet.
    limits = f" ≥ {key.lowest}" if key.highest >= HIGHEST else f" from {key.lowest} to {key.highest}"
    return "see MODEL" if key.kind == "any" else key.kind.replace("whole number", f"whole number{limits}")


def _default(key: Setting) -> str:
    if key.default is None:
        return "–"
    is_made = key.kind == "option" or is_dataclass(key.default)
    return flow(convert(python_node(key.default, ""), key) if is_made else key.default)
