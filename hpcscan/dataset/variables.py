"""The table of variables: what is in a result file. Writer, documentation and tests loop over it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from hpcscan.arrays import Array
from hpcscan.dataset.variable import POINT, Variable, common_unit, constant, delta_chi2, derived, field, pull, scale
from hpcscan.errors import UsageError
from hpcscan.fitting.records import QUANTITIES, RecordQuantity
from hpcscan.grid import Grid
from hpcscan.model.interface import NAME, Dimension, Parameter, repeated
from hpcscan.model.problem import Observable, Problem, scale_names, scale_range, scale_unit

_POINT = (POINT,)
_START = "end of the range from which starts are drawn"
NO_YES = ((0, "no"), (1, "yes"))


_REMEDY = "rename it in the model: a name is made of letters, digits and underscores, and is used once in a result"


def variable_table(grid: Grid, model: Problem) -> tuple[Variable, ...]:
    """List the variables of a result file.

    Raises
    ------
    UsageError
        Where the names that the model declares clash with each other or with the table's own.
    """
    rows = _table(grid, model)
    refuse_bad_names(rows, dimensions(model))
    return tuple(_attach_labels(rows))


def _table(grid: Grid, model: Problem) -> tuple[Variable, ...]:
    return (*_axes(grid, model), *_labels(model), *_declared(model), *_results(model))


def own_names() -> tuple[str, ...]:
    """List the names that every result uses for itself, whatever the model; ``{scale}`` stands for that of a scale.

    Where a model uses none of them, and no name twice, its names fit into a result.
    """
    model = _AnyModel()
    rows = _table(Grid(()), model)
    return (POINT, "start", *(dimension.name for dimension in dimensions(model)), *(row.name for row in rows))


def common_table() -> tuple[Variable, ...]:
    """List the variables that every result has, whatever its model and its grid."""
    return tuple(row for row in _attach_labels(_table(Grid(()), _AnyModel())) if "{" not in row.name)


class _AnyModel(Problem):
    """What all models have in common: they may have scales."""

    axes = ()
    parameters = ()
    observables = (Observable("any", 0.0, 1.0, scale="{scale}"),)

    def predict(self, points: Array, parameters: Array) -> Array:
        """Predict nothing: this stands for other models."""
        raise AttributeError("this stands for other models, and has no predictions")


def dimensions(model: Problem) -> tuple[Dimension, ...]:
    """List the labelled dimensions of a result: the profiled parameters, the observables, and the model's own."""
    own = (
        Dimension("parameter", tuple(p.name for p in model.parameters)),
        Dimension("observable", tuple(o.name for o in model.observables)),
    )
    extra = (d.dimension for d in model.derived if d.dimension is not None)
    return tuple(dict.fromkeys((*own, *extra)))


def dimension_sizes(grid: Grid, model: Problem, n_starts: int) -> dict[str, int]:
    """Sizes of the dimensions of a result, the scan axes first."""
    axes = dict(zip((axis.name for axis in grid.axes), grid.shape, strict=True))
    return axes | {"start": n_starts} | {dimension.name: len(dimension.labels) for dimension in dimensions(model)}


def texts_of(grid: Grid, model: Problem) -> tuple[str, ...]:
    """List what a model writes in words: descriptions, units, and names in its dimensions."""
    rows = variable_table(grid, model)
    texts = [text for row in rows for text in (row.long_name, row.unit or "", row.symbol)]
    texts += [parameter.label for parameter in model.parameters]
    texts += [text for o in model.observables for text in (o.label, o.x_label)]
    return tuple(dict.fromkeys([*texts, *(label for dimension in dimensions(model) for label in dimension.labels)]))


def _axes(grid: Grid, model: Problem) -> Iterator[Variable]:
    declared = {axis.name: axis for axis in model.axes}
    for axis in grid.axes:
        about = declared.get(axis.name, Parameter(axis.name))
        long_name = about.description or axis.name
        row = Variable(axis.name, (axis.name,), "f8", long_name, constant(axis.values), about.unit)
        yield replace(row, symbol=about.label)


def _labels(model: Problem) -> Iterator[Variable]:
    for dimension in dimensions(model):
        yield _label(f"{dimension.name}_name", dimension.name, f"name of the {dimension.name}", dimension.labels)
    yield _label("parameter_unit", "parameter", "unit of the parameter", [p.unit for p in model.parameters])
    written = [p.label or p.name for p in model.parameters]
    yield _label("parameter_label", "parameter", "how figures write the parameter", written)
    yield _label("observable_unit", "observable", "unit of the observable", [o.unit for o in model.observables])


def _declared(model: Problem) -> Iterator[Variable]:
    """List what the model was given: bounds and data."""
    lower, upper = ([p.lower for p in model.parameters], [p.upper for p in model.parameters])
    starts = [p.start_range for p in model.parameters]
    observed, sigma = ([o.observed for o in model.observables], [o.sigma for o in model.observables])
    bounds = (
        Variable("parameter_lower", ("parameter",), "f8", "lower bound of the parameter", constant(lower)),
        Variable("parameter_upper", ("parameter",), "f8", "upper bound of the parameter", constant(upper)),
        Variable("parameter_start_lower", ("parameter",), "f8", f"lower {_START}", constant([a for a, _ in starts])),
        Variable("parameter_start_upper", ("parameter",), "f8", f"upper {_START}", constant([b for _, b in starts])),
    )
    data = (
        Variable("observed", ("observable",), "f8", "observed value", constant(observed)),
        Variable(
            "sigma",
            ("observable",),
            "f8",
            "standard deviation of the observed value",
            constant(sigma),
            comment="missing for counts",
        ),
    )
    abscissa = constant([o.x for o in model.observables])
    yield _label("term_name", "observable", "term of the data to which the observable belongs", _terms(model))
    yield Variable("observable_x", ("observable",), "f8", "where the observed value was taken", abscissa, unit="")
    for name, of, texts in _written(model):
        yield _label(name, "observable", of, texts)
    yield from (_in_units_of_parameters(row, model) for row in bounds)
    yield from (_in_units_of_observables(row, model) for row in data)
    tolerances = [o.is_tolerance for o in model.observables]
    long_name = "whether sigma is a tolerance and no statistical error"
    yield Variable("is_tolerance", ("observable",), "i1", long_name, constant(tolerances), unit=None, flags=NO_YES)
    correlated = np.zeros(len(model.observables), np.int8)
    for first, matrix in model.covariances.items():
        correlated[first : first + len(matrix)] = 1
    long_name = "whether a covariance ties it to others, of which sigma is the diagonal alone"
    yield Variable("is_correlated", ("observable",), "i1", long_name, constant(correlated), unit=None, flags=NO_YES)


def _written(model: Problem) -> Iterator[tuple[str, str, list[str]]]:
    """Say how the data are written: names of variables, what they are, and a text for each observable."""
    yield "term_label", "how figures write the term", [o.label or o.term or o.name for o in model.observables]
    yield "observable_x_label", "how figures write where it was taken", [o.x_label for o in model.observables]
    yield "observable_x_unit", "unit of where it was taken", [o.x_unit for o in model.observables]


def _terms(model: Problem) -> list[str]:
    return [o.term or o.name for o in model.observables]


def _results(model: Problem) -> Iterator[Variable]:
    """List the arrays of the record in its order, each with what is computed from it; before the run's, the derived."""
    is_run = False
    for name, quantity in QUANTITIES.items():
        # What may differ between equal runs comes last in the file.
        if quantity.role == "run" and not is_run:
            is_run = True
            yield from _derived(model)
        if quantity.long_name:
            yield from _rows(name, quantity, model)
        if name in _COMPUTED:
            yield _COMPUTED[name](model)


def _rows(name: str, quantity: RecordQuantity, model: Problem) -> Iterator[Variable]:
    """Turn an array of the record into a variable, or one for each scale."""
    row = Variable(
        quantity.name or name,
        (POINT, *quantity.dims),
        quantity.dtype,
        quantity.long_name,
        field(name),
        unit=quantity.unit,
        flags=quantity.flags,
        role=quantity.role,
        ancillary=quantity.ancillary,
        standard_name="status_flag" if quantity.flags else "",
        comment=quantity.comment,
    )
    if quantity.in_unit_of == "scale":
        for column, scale_name in enumerate(scale_names(model)):
            own, long_name = (text.format(scale=scale_name) for text in (row.name, row.long_name))
            take = scale(column, name)
            unit, expected = scale_unit(model, scale_name), scale_range(model, scale_name)
            row_of_scale = replace(row, name=own, dims=_POINT, long_name=long_name, take=take, unit=unit)
            yield replace(row_of_scale, expected_range=expected) if name == "scale" else row_of_scale
    elif quantity.in_unit_of:
        yield (_in_units_of_parameters if quantity.in_unit_of == "parameter" else _in_units_of_observables)(row, model)
    else:
        yield row


def _delta_chi2(_: Problem) -> Variable:
    long_name = "chi2 minus its lowest value on the grid"
    return Variable("delta_chi2", _POINT, "f8", long_name, delta_chi2, ancillary="status")


def _pull(model: Problem) -> Variable:
    long_name = "(predicted - observed) / sigma at the minimum"
    comment = "for counts, the signed root of their deviance" if has_counts(model) else ""
    return Variable("pull", (POINT, "observable"), "f8", long_name, pull(model), comment=comment)


def _optimality_gap(_: Problem) -> Variable:
    return Variable("optimality_gap", _POINT, "f8", "chi2 minus its proven lower bound", field("optimality_gap"))


#: Variables that are computed from the record, after the array that they belong to.
_COMPUTED: Mapping[str, Callable[[Problem], Variable]] = {
    "chi2": _delta_chi2,
    "predicted": _pull,
    "chi2_lower_bound": _optimality_gap,
}


def _derived(model: Problem) -> Iterator[Variable]:
    """List what the model reports of its own."""
    for about in model.derived:
        dims = _POINT if about.dimension is None else (POINT, about.dimension.name)
        row = Variable(about.name, dims, "f8", about.description or about.name, derived(about.name), about.unit)
        yield replace(row, role="derived", expected_range=about.expected_range, part_of=about.part_of)


def _label(name: str, dimension: str, long_name: str, labels: Sequence[str]) -> Variable:
    return Variable(name, (dimension,), "str", long_name, constant(np.array([*labels], object)), unit=None)


def _in_units_of_parameters(row: Variable, model: Problem) -> Variable:
    return _in_units(row, "parameter_unit", tuple(p.unit for p in model.parameters))


def _in_units_of_observables(row: Variable, model: Problem) -> Variable:
    return _in_units(row, "observable_unit", tuple(o.unit for o in model.observables))


def _in_units(row: Variable, label: str, units: tuple[str, ...]) -> Variable:
    """Set the unit that the entries of a row share, or where to look where they differ."""
    unit = common_unit(units)
    return replace(row, comment=f"each entry is in its {label}") if unit is None else replace(row, unit=unit)


def has_counts(model: Problem) -> bool:
    """Whether any observable is a count."""
    return any(o.kind == "poisson" for o in model.observables)


def _attach_labels(rows: Sequence[Variable]) -> Iterable[Variable]:
    labels = [row for row in rows if row.is_label]
    for row in rows:
        own = tuple(label.name for label in labels if label.dims[0] in row.dims)
        yield row if row.is_label else replace(row, labels=own)


def refuse_bad_names(rows: Sequence[Variable], labelled: Sequence[Dimension]) -> None:
    """Raise a `UsageError` with every clash of names and every name that CF does not allow."""
    variables = [row.name for row in rows]
    others = [POINT, "start", *(dimension.name for dimension in labelled)]
    dimensions = [row.name for row in rows if row.is_coordinate] + others
    clashes = [
        *(f"variable {name!r} is declared twice" for name in repeated(variables)),
        *(f"dimension {name!r} is declared twice" for name in repeated(dimensions)),
        *(f"{name!r} is both a dimension and a variable" for name in {*others} & {*variables}),
        *(f"{name!r} is not a name" for name in {*variables, *dimensions} if not NAME.fullmatch(name)),
    ]
    if clashes:
        raise UsageError(*(f"{clash}; {_REMEDY}" for clash in sorted(clashes)))
