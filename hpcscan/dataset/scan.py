"""A scan as one object: grid, variables and attributes, in memory or in a file; and its points as records again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcscan.answer.answer_record import AnswerRecord
from hpcscan.dataset.record_variables import TOYS, answer_sizes, answered, kept_sizes, kept_variables
from hpcscan.dataset.variable import Variable
from hpcscan.dataset.variables import dimension_sizes, variable_table
from hpcscan.errors import UsageError
from hpcscan.fitting.records import QUANTITIES, PointResults
from hpcscan.grid import Grid
from hpcscan.model.problem import Problem, scale_names
from hpcscan.tolerance import Precision
from hpcscan.toys.toy_record import ToyRecord

#: Dimensions that every scan has besides its axes; all other labelled ones are the model's.
OWN_DIMENSIONS = ("parameter", "observable", "start")

Attributes = Mapping[str, str | int | float]

#: What is taken from a result.
TAKEN = ("chi2", "status", "profiled_parameter", "predicted", "n_determined_axes", "evidence")


@dataclass(frozen=True)
class ScanVariable:
    """One variable of a scan.

    Attributes
    ----------
    read : callable
        Returns all values; raises a `UsageError` where a file cannot be read.
    attributes : mapping
        All netCDF attributes.
    """

    dims: tuple[str, ...]
    read: Callable[[], NDArray[Any]]
    attributes: Mapping[str, object]

    @cached_property
    def values(self) -> NDArray[Any]:
        """Its values, read when they are first asked for, and kept."""
        return self.read()

    @property
    def long_name(self) -> str:
        """What it is, in words."""
        return str(self.attributes.get("long_name", ""))

    @property
    def unit(self) -> str:
        """The unit as the model declares it; "" for a pure number."""
        unit = str(self.attributes.get("unit_name") or self.attributes.get("units", ""))
        return "" if unit == "1" else unit

    @property
    def role(self) -> str:
        """The value "run" where equal runs may differ, "derived" for what the model reports of its own, or ""."""
        return str(self.attributes.get("role", ""))

    @property
    def part_of(self) -> str:
        """Name of the term of whose prediction it is a part; "" where it is none."""
        return str(self.attributes.get("part_of", ""))

    @property
    def flags(self) -> dict[int, str]:
        """Meanings of the values of a flag variable."""
        values = np.atleast_1d(np.asarray(self.attributes.get("flag_values", ()), np.int64))
        return dict(zip(values.tolist(), str(self.attributes.get("flag_meanings", "")).split(), strict=False))

    @property
    def expected_range(self) -> tuple[float, float] | None:
        """The interval in which the model expects the values, where it says so."""
        found = self.attributes.get("expected_range")
        if found is None:
            return None
        low, high = np.asarray(found, float)
        return float(low), float(high)


@dataclass(frozen=True)
class ScanData:
    """A whole scan, whether it was computed a moment ago or read from a file.

    Attributes
    ----------
    name : str
        Path of the file, as the user wrote it; of a scan in memory, what it is called in texts.
    attributes : mapping
        Global attributes.
    """

    name: str
    grid: Grid
    variables: Mapping[str, ScanVariable]
    attributes: Mapping[str, object]

    def has(self, name: str) -> bool:
        """Whether there is a variable of this name."""
        return name in self.variables

    def at_points(self, name: str) -> NDArray[Any]:
        """Return the values of a variable with the grid points, in C order, as the first axis."""
        values = self.variables[name].values
        n_axes = len(self.grid.axes)
        return values.reshape((prod(values.shape[:n_axes]), *values.shape[n_axes:]))

    def labels(self, dimension: str) -> tuple[str, ...]:
        """Return the names of the entries of a dimension."""
        return tuple(str(label) for label in self.variables[f"{dimension}_name"].values)

    def units(self, dimension: str) -> tuple[str, ...]:
        """Return the units of the entries of a dimension; "" for a pure number."""
        return tuple("" if unit == "1" else str(unit) for unit in self.variables[f"{dimension}_unit"].values)

    def unit(self, name: str) -> str:
        """Return the unit of a variable; "" for a pure number."""
        return self.variables[name].unit

    @cached_property
    def written(self) -> dict[str, str]:
        """How figures write parameters, scanned or profiled, and the terms of the data, by their names."""
        of_terms = zip(self.variables["term_name"].values, self.variables["term_label"].values, strict=True)
        of_parameters = zip(self.labels("parameter"), self.variables["parameter_label"].values, strict=True)
        axes = [(axis.name, self.variables[axis.name].attributes.get("symbol", "")) for axis in self.grid.axes]
        pairs = [(str(name), str(label)) for name, label in (*of_terms, *of_parameters, *axes)]
        return {name: label for name, label in pairs if label not in ("", name)}

    def text(self, attribute: str) -> str:
        """Return a global attribute as text; "" where there is none."""
        return str(self.attributes.get(attribute, ""))

    @property
    def profiled_scales(self) -> tuple[str, ...]:
        """Names of the scales that the fit profiles: ``S`` for the variables S_opt, S_opt_lower and S_opt_upper."""
        ends = ("_opt", "_opt_lower", "_opt_upper")
        names = [name.removesuffix("_opt") for name in self.variables if name.endswith("_opt")]
        return tuple(name for name in names if all(self.has(name + end) for end in ends))

    @property
    def scales(self) -> tuple[str, ...]:
        """Names of all scales, also of those that the model itself derives."""
        n_axes = len(self.grid.axes)
        found = [n for n, v in self.variables.items() if n.endswith("_opt") and len(v.dims) == n_axes]
        return tuple(name.removesuffix("_opt") for name in found)

    @property
    def is_scalar(self) -> bool:
        """Whether `chi2` holds −2 ln L of a model that has only this number, and so no goodness of fit."""
        return self.text("statistic") == "-2 ln L"

    @property
    def has_counts(self) -> bool:
        """Whether any of the data are counts."""
        return self.text("statistic") == "deviance"

    @property
    def precision(self) -> Precision:
        """How precise the model's numbers are."""
        names = ("precision", "data_size", "precision_floor")
        relative, size, floor = (float(str(self.attributes.get(name, 0.0))) for name in names)
        return Precision(relative, floor=floor) if self.is_scalar else Precision(relative, size)

    @property
    def has_tolerances(self) -> bool:
        """Whether any σ is a tolerance and no statistical error, so that χ² has no distribution."""
        return self.has("is_tolerance") and bool(np.any(self.variables["is_tolerance"].values))

    def derived(self, dimension: str) -> tuple[str, ...]:
        """Return the names of the quantities that the model reports for every entry of a dimension of its own."""
        dims = (*(axis.name for axis in self.grid.axes), dimension)
        return tuple(name for name, one in self._reported() if one.dims == dims)

    def parts(self, term: str) -> tuple[str, ...]:
        """Return the names of the parts of the prediction of a term, as the model reports them at every point."""
        return tuple(name for name, one in self.variables.items() if one.role == "derived" and one.part_of == term)

    def _reported(self) -> list[tuple[str, ScanVariable]]:
        return [(n, one) for n, one in self.variables.items() if one.role == "derived" and not one.part_of]

    @property
    def derived_dimensions(self) -> tuple[str, ...]:
        """Dimensions of the model's own, over which it reports quantities."""
        n_axes = len(self.grid.axes)
        found = [one.dims[n_axes] for _, one in self._reported() if len(one.dims) == n_axes + 1]
        return tuple(dict.fromkeys(found))


def scan_in_memory(  # noqa: PLR0913  (each is a part of the scan)
    grid: Grid,
    model: Problem,
    results: PointResults,
    attributes: Mapping[str, object],
    *,
    answer: AnswerRecord | None = None,
    toys: ToyRecord | None = None,
    name: str = "this scan",
) -> ScanData:
    """Make the scan of results, without a file.

    Parameters
    ----------
    results : PointResults
        The whole grid, in order. The scan shares its arrays.
    attributes : mapping
        Global attributes.
    name : str
        What texts call it.
    """
    axes = tuple(axis.name for axis in grid.axes)
    sizes = dimension_sizes(grid, model, results.start_chi2.shape[1]) | answer_sizes(answer, toys)
    variables = {}
    for row in answered(variable_table(grid, model), answer, toys):
        dims = row.dimensions(axes)
        shape = tuple(sizes[dim] for dim in dims)
        variables[row.name] = ScanVariable(dims, partial(_values, row, results, shape), row.attributes)
    return ScanData(name, grid, variables, {**attributes, **(toys.attributes if toys else {})})


def with_toys(scan: ScanData, toys: ToyRecord) -> ScanData:
    """Return the same scan with toys, in place of those that it may have."""
    axes = tuple(axis.name for axis in scan.grid.axes)
    sizes = dict(zip(axes, scan.grid.shape, strict=True)) | kept_sizes(toys.arrays)
    variables = {name: one for name, one in scan.variables.items() if one.role != TOYS}
    for row in kept_variables(toys.arrays, role=TOYS):
        dims = row.dimensions(axes)
        values = np.asarray(toys.arrays[row.name].values).reshape([sizes[dim] for dim in dims])
        variables[row.name] = ScanVariable(dims, partial(np.asarray, values), row.attributes)
    attributes = {name: value for name, value in scan.attributes.items() if not name.startswith("hpcscan_toys")}
    return ScanData(scan.name, scan.grid, variables, attributes | toys.attributes)


def _values(row: Variable, results: PointResults, shape: tuple[int, ...]) -> NDArray[Any]:
    values = np.asarray(row.take(results, slice(None)))
    return values.reshape(shape) if row.is_label else values.reshape(shape).astype(row.dtype, copy=False)


def restored(scan: ScanData, model: Problem) -> PointResults:
    """Restore the results of a whole grid.

    Parameters
    ----------
    model : Problem
        That computed it.
    """
    n_starts = scan.variables["start_chi2"].values.shape[-1]
    results = PointResults.not_run(model, np.arange(scan.grid.n_points), n_starts)
    for name, quantity in QUANTITIES.items():
        array = getattr(results, name)
        if quantity.in_unit_of == "scale":
            for column, of_scale in enumerate(scale_names(model)):
                array[:, column] = scan.at_points(quantity.name.format(scale=of_scale))
        elif scan.has(name):
            array[:] = scan.at_points(name)
    for name, values in results.derived.items():
        values[:] = scan.at_points(name)
    return results


def stored_points(scan: ScanData, model: Problem) -> PointResults:
    """Read the fits of all points of a scan.

    Raises
    ------
    UsageError
        Where the scan is of another model.
    """
    own = {
        "scanned parameters": ({a.name for a in scan.grid.axes}, {a.name for a in model.axes}),
        "profiled parameters": (scan.labels("parameter"), tuple(p.name for p in model.parameters)),
        "data": (scan.labels("observable"), tuple(o.name for o in model.observables)),
        "scales": (set(scan.profiled_scales), set(scale_names(model))),
    }
    for what, (before, now) in own.items():
        if before != now:
            texts = [", ".join(sorted(names)) or "none" for names in (before, now)]
            raise UsageError(f"{scan.name}: is of another model: its {what} are {texts[0]}, the model's are {texts[1]}")
    observed = np.array([o.observed for o in model.observables])
    if not np.array_equal(scan.variables["observed"].values, observed):
        raise UsageError(f"{scan.name}: is of other data than the model's")
    results = PointResults.not_run(model, np.arange(scan.grid.n_points), 1)
    for name in TAKEN:
        getattr(results, name)[...] = scan.at_points(name)
    for column, name in enumerate(scale_names(model)):
        results.scale[:, column] = scan.at_points(f"{name}_opt")
    return results
