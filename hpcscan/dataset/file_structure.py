"""Whether a netCDF file has the structure of a result: everything that readers rely on, whoever wrote the file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from functools import cache
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcscan.dataset.variable import Variable
from hpcscan.dataset.variables import common_table

#: Types of numbers in a result; of others nothing is built.
NUMBERS = frozenset(map(np.dtype, ("f8", "i1", "i4", "i8")))
#: The configuration, the largest text of a result, has at most a quarter of it.
MOST_CHARACTERS = 2**24
MOST_VARIABLES, MOST_AXES, MOST_LABELS, LONGEST_LABEL, MOST_FLAGS = 2000, 32, 100_000, 1000, 127
#: Deflate packs 1032 bytes into one at best; what is larger has never been written.
MOST_PACKED, NEGLIGIBLE_BYTES = 1100, 2**20


@cache
def common_variables() -> dict[str, Variable]:
    """Return the variables that every result has, whatever its model."""
    return {row.name: row for row in common_table()}


def structure_problems(dataset: Any, n_bytes: int) -> Iterator[str]:
    """List what is wrong with a file; readers of it may rely on nothing where anything is.

    Parameters
    ----------
    dataset : netCDF4.Dataset
        Open, with nothing masked or scaled.
    n_bytes : int
        Size of the file.
    """
    # One group of problems after the other, for each relies on those before it.
    for look in (_foreign, _attributes, _types, _axes, _places, _flags):
        found = list(look(dataset))
        yield from found
        if found:
            return
    yield from _sizes(dataset, n_bytes)


def value_problem(name: str, values: NDArray[Any], most: Mapping[str, int]) -> str:
    """Describe what is wrong with values, or a part of them, of a variable that every result has; "" where nothing is.

    Parameters
    ----------
    most : mapping of str to int
        The largest value of counts, from `most_counted`.
    """
    row = common_variables().get(name)
    is_wrong = np.zeros(np.shape(values), bool)
    if row is not None and row.flags:
        is_wrong = ~np.isin(values, [value for value, _ in row.flags])
    elif name in most:
        is_wrong = (values < -1) | (values > most[name])
    return f"{name} has the value {values[is_wrong].flat[0]}, which has no meaning" if is_wrong.any() else ""


def most_counted(dataset: Any) -> dict[str, int]:
    """Return the largest value of what a result counts: degrees of freedom follow from it."""
    n_axes, n_parameters = len(dataset.variables["chi2"].dimensions), len(dataset.dimensions["parameter"])
    return {"n_flat_directions": n_parameters, "n_determined_axes": n_axes}


def axis_problem(name: str, values: NDArray[Any]) -> str:
    """Describe why these are no values of a scan axis; "" where they are."""
    if not np.isfinite(values).all():
        return f"the axis {name} has a value that is no finite number"
    return "" if (np.diff(values) > 0).all() else f"the values of the axis {name} do not increase"


def label_problem(name: str, labels: NDArray[Any]) -> str:
    """Describe why these are no labels; "" where they are."""
    if any(not isinstance(label, str) or len(label) > LONGEST_LABEL for label in labels.flat):
        return f"{name} has a label that is no text of at most {LONGEST_LABEL} characters"
    # Several observables belong to one term.
    is_repeated = name.endswith("_name") and name != "term_name" and len(set(labels.flat)) < labels.size
    return f"{name} has a label twice" if is_repeated else ""


def _foreign(dataset: Any) -> Iterator[str]:
    if dataset.groups:
        yield "it has groups"
    if dataset.cmptypes or dataset.vltypes or dataset.enumtypes:
        yield "it has types of its own"
    if len(dataset.variables) > MOST_VARIABLES:
        yield f"it has {len(dataset.variables):,} variables"


def _attributes(dataset: Any) -> Iterator[str]:
    for owner in (dataset, *dataset.variables.values()):
        for name in owner.ncattrs():
            if not _is_allowed(owner.getncattr(name)):
                yield f"the attribute {name} is neither a text nor a few numbers"


def _is_allowed(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= MOST_CHARACTERS
    return isinstance(value, np.generic | np.ndarray) and value.dtype.kind in "iuf" and value.size <= MOST_FLAGS


def _types(dataset: Any) -> Iterator[str]:
    missing = [name for name in common_variables() if name not in dataset.variables]
    if missing:
        yield f"{', '.join(missing)} is missing"
    for name, variable in dataset.variables.items():
        if variable.dtype != str and _number_type(variable) not in NUMBERS:
            yield f"{name} is of the type {variable.dtype}"
            continue
        row = common_variables().get(name)
        if row and _type_name(variable) != row.dtype:
            yield f"{name} is of the type {variable.dtype}, expected {row.dtype}"


def _type_name(variable: Any) -> str:
    """Format a type as the table does, in whatever order of bytes it is stored."""
    return "str" if variable.dtype == str else str(_number_type(variable).str[1:])


def _number_type(variable: Any) -> Any:
    """Return the type of numbers, in this machine's order of bytes; None where it is none of numpy's."""
    return variable.dtype.newbyteorder("=") if isinstance(variable.dtype, np.dtype) else None


def _axes(dataset: Any) -> Iterator[str]:
    axes = dataset.variables["chi2"].dimensions
    others = {dim for row in common_variables().values() for dim in row.dims}
    # Without any it is one fit.
    if len(axes) > MOST_AXES or len(set(axes)) < len(axes) or others & {*axes}:
        yield f"chi2 has the dimensions {', '.join(axes)}"
        return
    for axis in axes:
        variable = dataset.variables.get(axis)
        if variable is None or variable.dimensions != (axis,) or variable.dtype == str or not variable.size:
            yield f"{axis} is no axis with values"
        elif problem := axis_problem(axis, np.asarray(variable[...], float)):
            yield problem


def _places(dataset: Any) -> Iterator[str]:
    """Check where the values of each variable lie, and that dimensions of points have labels.

    What has no value for each point belongs to the model, or to a table of other records with dimensions of its own.
    """
    axes = dataset.variables["chi2"].dimensions
    for name, variable in dataset.variables.items():
        dims, row = variable.dimensions, common_variables().get(name)
        # Without axes every variable begins with all of them: then nothing is by point.
        is_by_point = bool(axes) and dims[: len(axes)] == axes
        rest = dims[len(axes) :] if is_by_point else dims
        is_misplaced = {*rest} & {*axes} and dims != (name,)
        if is_misplaced or (is_by_point and len(rest) > 1):
            yield f"{name} has the dimensions {', '.join(dims)}"
        elif row and dims != row.dimensions(axes):
            yield f"{name} has the dimensions {', '.join(dims)}, expected {', '.join(row.dimensions(axes))}"
        elif _is_scale(dataset, name) and (dims != axes or variable.dtype == str):
            yield f"{name} is no scale with a value for each point"
        elif variable.dtype == str:
            yield from _label_problems(name, variable, dims)
        for dim in rest if is_by_point else ():
            labels = dataset.variables.get(f"{dim}_name")
            if dim != "start" and (labels is None or labels.dimensions != (dim,) or labels.dtype != str):
                yield f"the dimension {dim} has no labels"


def _label_problems(name: str, variable: Any, dims: tuple[str, ...]) -> Iterator[str]:
    if len(dims) != 1 or variable.size > MOST_LABELS:
        yield f"{name} is no list of labels"
    elif problem := label_problem(name, np.asarray(variable[...], object)):
        yield problem


def _is_scale(dataset: Any, name: str) -> bool:
    stem, opt, end = name.rpartition("_opt")
    whole = all(f"{stem}_opt{other}" in dataset.variables for other in ("", "_lower", "_upper"))
    return bool(opt) and end in ("", "_lower", "_upper") and whole


def _flags(dataset: Any) -> Iterator[str]:
    """Check that flags mean what they mean here."""
    for name, variable in dataset.variables.items():
        attributes = {key: variable.getncattr(key) for key in variable.ncattrs()}
        values, meanings = np.atleast_1d(attributes.get("flag_values", [])), str(attributes.get("flag_meanings", ""))
        row = common_variables().get(name)
        if values.dtype.kind in "US" or len(values) != len(meanings.split()) or (values != np.round(values)).any():
            yield f"{name} has {len(values)} flags with the meanings {meanings!r}"
        elif row and dict(zip(values.tolist(), meanings.split(), strict=True)) != dict(row.flags):
            yield f"{name} has flags with other meanings: {meanings!r}"


def _sizes(dataset: Any, n_bytes: int) -> Iterator[str]:
    """Check that numbers of such a size can have been written into such a file, and can be held."""
    sizes = {
        name: prod(map(int, variable.shape)) * np.dtype(variable.dtype).itemsize
        for name, variable in dataset.variables.items()
        if variable.dtype != str
    }
    if sum(sizes.values()) > MOST_PACKED * n_bytes + NEGLIGIBLE_BYTES:
        yield f"it has {sum(sizes.values()):.3g} bytes of numbers, more than its {n_bytes:,} bytes can hold"
        return
    name = max(sizes, key=sizes.__getitem__)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if sizes[name] > memory:
        yield f"{name} alone takes {sizes[name]:.3g} bytes, more than the memory of this machine, {memory:.3g} bytes"
