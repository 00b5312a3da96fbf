"""The table of variables: what is in a result file. Writer, documentation and tests loop over it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from hpcscan.dataset.naming import refuse_bad_names
from hpcscan.dataset.units import common_unit
from hpcscan.dataset.values import constant, delta_chi2, derived, field, pull, scale
from hpcscan.dataset.variable import POINT, Variable
from hpcscan.fit.records import Status
from hpcscan.grid import Grid
from hpcscan.model.interface import Axis, Dimension, Model, scale_names

STATUS_FLAGS = tuple((int(status), status.name.lower()) for status in Status)
BOUND_FLAGS = ((-1, "lower_bound"), (0, "free"), (1, "upper_bound"))
NO_YES = ((0, "no"), (1, "yes"))

_START = "{} end of the range from which starts are drawn"

_POINT = (POINT,)
_BY_PARAMETER = (POINT, "parameter")
_BY_OBSERVABLE = (POINT, "observable")
_BY_START = (POINT, "start")


def variable_table(grid: Grid, model: Model) -> tuple[Variable, ...]:
    """List the variables of a result file.

    Raises
    ------
    UsageError
        Where the names that the model declares clash with each other or with the table's own.
    """
    rows = (
        *_axes(grid, model),
        *_labels(model),
        *_declared(model),
        *_minimum(model),
        *_proof(model),
        *_multistart(),
        *_derived(model),
        *_run(),
    )
    refuse_bad_names(rows, dimensions(model))
    return tuple(_attach_labels(rows))


def dimensions(model: Model) -> tuple[Dimension, ...]:
    """List the labelled dimensions of a result: the profiled parameters, the observables, and the model's own."""
    own = (
        Dimension("parameter", tuple(p.name for p in model.parameters)),
        Dimension("observable", tuple(o.name for o in model.observables)),
    )
    extra = (d.dimension for d in model.derived if d.dimension is not None)
    return tuple(dict.fromkeys((*own, *extra)))


def dimension_sizes(grid: Grid, model: Model, n_starts: int) -> dict[str, int]:
    """Sizes of the dimensions of a result, the scan axes first."""
    axes = dict(zip((axis.name for axis in grid.axes), grid.shape, strict=True))
    return axes | {"start": n_starts} | {dimension.name: len(dimension.labels) for dimension in dimensions(model)}


def _axes(grid: Grid, model: Model) -> Iterator[Variable]:
    declared = {axis.name: axis for axis in model.axes}
    for axis in grid.axes:
        about = declared.get(axis.name, Axis(axis.name))
        long_name = about.description or axis.name
        yield Variable(axis.name, (axis.name,), "f8", long_name, constant(axis.values), about.unit)


def _labels(model: Model) -> Iterator[Variable]:
    for dimension in dimensions(model):
        yield _label(f"{dimension.name}_name", dimension.name, f"name of the {dimension.name}", dimension.labels)
    yield _label("parameter_unit", "parameter", "unit of the parameter", [p.unit for p in model.parameters])
    yield _label("observable_unit", "observable", "unit of the observable", [o.unit for o in model.observables])


def _declared(model: Model) -> Iterator[Variable]:
    """List what the model was given: bounds and data."""
    lower, upper = ([p.lower for p in model.parameters], [p.upper for p in model.parameters])
    starts = [p.start_range for p in model.parameters]
    observed, sigma = ([o.observed for o in model.observables], [o.sigma for o in model.observables])
    bounds = (
        Variable("parameter_lower", ("parameter",), "f8", "lower bound of the parameter", constant(lower)),
        Variable("parameter_upper", ("parameter",), "f8", "upper bound of the parameter", constant(upper)),
        Variable(
            "parameter_start_lower", ("parameter",), "f8", _START.format("lower"), constant([a for a, _ in starts])
        ),
        Variable(
            "parameter_start_upper", ("parameter",), "f8", _START.format("upper"), constant([b for _, b in starts])
        ),
    )
    data = (
        Variable("observed", ("observable",), "f8", "observed value", constant(observed)),
        Variable("sigma", ("observable",), "f8", "standard deviation of the observed value", constant(sigma)),
    )
    yield from (_in_units_of_parameters(row, model) for row in bounds)
    yield from (_in_units_of_observables(row, model) for row in data)
    tolerances = [o.is_tolerance for o in model.observables]
    long_name = "whether sigma is a tolerance and no statistical error"
    yield Variable("is_tolerance", ("observable",), "i1", long_name, constant(tolerances), unit=None, flags=NO_YES)


def _minimum(model: Model) -> Iterator[Variable]:
    """List where the best start of every grid point ended."""
    chi2 = Variable("chi2", _POINT, "f8", "profile chi-squared", field("chi2"), ancillary="status")
    yield chi2
    yield replace(chi2, name="delta_chi2", long_name="chi2 minus its lowest value on the grid", take=delta_chi2)
    yield _flags("status", _POINT, "how the fit of the grid point ended", STATUS_FLAGS)
    yield Variable("edm", _POINT, "f8", "estimated distance to the minimum, in units of chi2", field("edm"))
    for column, name in enumerate(scale_names(model)):
        long_name = f"profiled scale {name} at the minimum"
        yield Variable(
            f"{name}_opt", _POINT, "f8", long_name, scale(column), model.scale_unit, expected_range=model.scale_range
        )
    best = _field("profiled_parameter", _BY_PARAMETER, "f8", "profiled parameters at the minimum")
    yield _in_units_of_parameters(replace(best, ancillary="at_bound"), model)
    yield _flags("at_bound", _BY_PARAMETER, "whether the parameter rests on a bound", BOUND_FLAGS)
    predicted = _field("predicted", _BY_OBSERVABLE, "f8", "scaled prediction at the minimum")
    yield _in_units_of_observables(predicted, model)
    yield Variable("pull", _BY_OBSERVABLE, "f8", "(predicted - observed) / sigma at the minimum", pull(model))


def _proof(model: Model) -> Iterator[Variable]:
    """List what is proven or estimated about the minimum of every grid point."""
    bound = _field("chi2_lower_bound", _POINT, "f8", "proven lower bound of the profile chi-squared")
    yield replace(bound, comment="missing where the model offers no bound")
    yield _field("optimality_gap", _POINT, "f8", "chi2 minus its proven lower bound")
    for column, name in enumerate(scale_names(model)):
        for side, attribute in (("lower", "scale_lower"), ("upper", "scale_upper")):
            long_name = f"{side} end of the interval of the scale {name} that reaches the minimum"
            yield Variable(f"{name}_opt_{side}", _POINT, "f8", long_name, scale(column, attribute), model.scale_unit)
    multiplier = _field("bound_multiplier", _BY_PARAMETER, "f8", "change of chi2 per change of the bound that holds it")
    yield replace(multiplier, comment="per unit of the parameter; zero where no bound holds it")
    flat = _field("n_flat_directions", _POINT, "i4", "number of directions that change no prediction")
    yield replace(
        flat,
        comment="nullity of the Jacobian among the parameters that no multiplier holds at a bound; -1 where unknown",
    )
    determined = _field("n_determined_axes", _POINT, "i4", "number of scan axes that the data determine")
    yield replace(
        determined,
        comment="growth of the Jacobian's rank when the axes join the parameters and the scales; -1 where unknown",
    )
    unexplored = _field("unexplored_fraction", _POINT, "f8", "estimated share of chi2 levels that no start has seen")
    yield replace(unexplored, comment="Boender and Rinnooy Kan 1987; zero where the minimum is proven")
    repaired = _field("repaired", _POINT, "i1", "whether a neighbour's minimum improved the point")
    yield replace(repaired, comment="1 where it did")


def _multistart() -> Iterator[Variable]:
    """List how well the starts agree, and what they cost."""
    yield _field("n_starts", _POINT, "i4", "number of starts")
    yield _field("n_starts_converged", _POINT, "i4", "number of starts that met their tolerance")
    yield _field("n_starts_at_minimum", _POINT, "i4", "number of starts that ended at the minimum")
    yield _field("start_spread", _POINT, "f8", "chi2 between the lowest level that starts reached and the next one")
    yield replace(_field("start_chi2", _BY_START, "f8", "chi2 where the start ended"), ancillary="start_status")
    yield _flags("start_status", _BY_START, "how the start ended", STATUS_FLAGS)
    evaluations = _field("n_evaluations", _POINT, "i8", "number of chi2 evaluations, summed over the starts")
    yield replace(evaluations, comment="without those for derivatives; with those of refits that improved the point")
    yield _field("n_iterations", _POINT, "i8", "number of iterations, summed over the starts")


def _derived(model: Model) -> Iterator[Variable]:
    """List what the model reports of its own."""
    for about in model.derived:
        dims = _POINT if about.dimension is None else (POINT, about.dimension.name)
        row = Variable(about.name, dims, "f8", about.description or about.name, derived(about.name), about.unit)
        yield replace(row, role="derived", expected_range=about.expected_range)


def _run() -> Iterator[Variable]:
    """List how it was run: the only values that may differ between equal runs."""
    seconds = _field("fit_seconds", _POINT, "f8", "wall time of the fit")
    yield replace(
        seconds,
        unit="s",
        role="run",
        comment="the point's share of the time of its block, and of refits that improved it",
    )
    rank = _field("rank", _POINT, "i4", "MPI rank that computed the point")
    yield replace(rank, role="run", comment="-1 where none did")


def _field(name: str, dims: tuple[str, ...], dtype: str, long_name: str) -> Variable:
    return Variable(name, dims, dtype, long_name, field(name))


def _label(name: str, dimension: str, long_name: str, labels: Sequence[str]) -> Variable:
    return Variable(name, (dimension,), "str", long_name, constant(np.array([*labels], object)), unit=None)


def _flags(name: str, dims: tuple[str, ...], long_name: str, flags: tuple[tuple[int, str], ...]) -> Variable:
    return Variable(name, dims, "i1", long_name, field(name), unit=None, flags=flags, standard_name="status_flag")


def _in_units_of_parameters(row: Variable, model: Model) -> Variable:
    return _in_units(row, "parameter_unit", tuple(p.unit for p in model.parameters))


def _in_units_of_observables(row: Variable, model: Model) -> Variable:
    return _in_units(row, "observable_unit", tuple(o.unit for o in model.observables))


def _in_units(row: Variable, label: str, units: tuple[str, ...]) -> Variable:
    """Give a row the unit that its entries share, or say where to look where they differ."""
    unit = common_unit(units)
    return replace(row, comment=f"each entry is in its {label}") if unit is None else replace(row, unit=unit)


def _attach_labels(rows: Sequence[Variable]) -> Iterable[Variable]:
    labels = [row for row in rows if row.is_label]
    for row in rows:
        own = tuple(label.name for label in labels if label.dims[0] in row.dims)
        yield row if row.is_label else replace(row, labels=own)
