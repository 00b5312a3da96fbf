"""The netCDF file of a scan: written whole, once, by one process; and again with toys, aside, never updated."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from hpcscan.answer.answer_record import AnswerRecord
from hpcscan.dataset.netcdf import open_netcdf
from hpcscan.dataset.record_variables import (
    TOYS,
    answer_sizes,
    answered,
    kept_sizes,
    kept_variables,
    table_sizes,
    table_variables,
)
from hpcscan.dataset.replacing import replacing, write_failure
from hpcscan.dataset.variable import Variable
from hpcscan.dataset.variables import dimension_sizes, variable_table
from hpcscan.errors import StorageError
from hpcscan.fitting.records import PointResults
from hpcscan.grid import Grid
from hpcscan.model.problem import Problem
from hpcscan.table import RecordTable
from hpcscan.toys.toy_record import ToyRecord

#: Level 1 with byte shuffle halves a result; higher levels cost up to ten times the time for one more percent.
DEFLATE = {"compression": "zlib", "complevel": 1, "shuffle": True}
#: A chunk is written once, whole. The default would keep up to 64 MB of every variable until the end.
CACHE_BYTES = 1

Attributes = Mapping[str, str | int | float]

SLAB_BYTES = 2**20

#: Smaller arrays are stored whole: chunks and deflate would cost more than they save.
WHOLE_BYTES = 2**14


def write_dataset(  # noqa: PLR0913  (each is a part of the file)
    path: Path,
    grid: Grid,
    model: Problem,
    results: PointResults,
    attributes: Attributes,
    *,
    tables: Sequence[RecordTable] = (),
    answer: AnswerRecord | None = None,
    toys: ToyRecord | None = None,
    choose: Callable[[], Path] | None = None,
) -> None:
    """Write a scan as a netCDF-4 file that opens with ``xarray.open_dataset``.

    The file is built aside and moved into place: an existing one stays as it is until the new one is complete.

    Parameters
    ----------
    results : PointResults
        The whole grid, in order.
    attributes : mapping of str to str or int
        Global attributes.
    tables : sequence of RecordTable
        What was found beside the grid points.
    choose : callable, optional
        Asked once the file is built for the place to take instead of `path`, beside it.

    Raises
    ------
    StorageError
        With what to do, where the file cannot be written.
    """
    if not np.array_equal(results.point_index, np.arange(grid.n_points)):
        raise ValueError(f"results must hold each of the {grid.n_points} grid points once, in order")
    # What a model declares, what was fitted after the grid, and tables of other records.
    table = (*answered(variable_table(grid, model), answer, toys), *table_variables(tables))
    sizes = dimension_sizes(grid, model, results.start_chi2.shape[1]) | table_sizes(tables) | answer_sizes(answer, toys)
    attributes = {**attributes, **(toys.attributes if toys else {})}
    with _storage_errors(path, n_bytes(table, sizes)), replacing(path, choose) as temporary:
        _build(temporary, table, sizes, results, attributes)


def n_bytes(table: Sequence[Variable], sizes: Mapping[str, int]) -> int:
    """Size of all numbers of a result in bytes; deflate makes the file smaller."""
    axes = tuple(row.name for row in table if row.is_coordinate)
    numbers = [row for row in table if not row.is_label]
    return sum(np.dtype(row.dtype).itemsize * prod(sizes[name] for name in row.dimensions(axes)) for row in numbers)


@contextmanager
def _storage_errors(path: Path, n_bytes: int) -> Iterator[None]:
    """Turn what the netCDF library and the file system raise into an error for the user."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        raise StorageError(write_failure(path, error, n_bytes)) from error


def _build(
    path: Path, table: Sequence[Variable], sizes: Mapping[str, int], results: PointResults, attributes: Attributes
) -> None:
    axes = tuple(row.name for row in table if row.is_coordinate)
    with open_netcdf(path, "w") as dataset:
        for name, value in attributes.items():
            dataset.setncattr(name, _storable(value))
        for name, size in sizes.items():
            dataset.createDimension(name, size)

        # Everything is defined before anything is written, so that the header stays in one piece.
        variables = [define(dataset, row, axes) for row in table]
        for variable, row in zip(variables, table, strict=True):
            if variable.size:
                _fill(variable, row, len(axes), results)


def _storable(value: str | int | float) -> str | int | float:
    """Keep an attribute writable: bytes of a command line that are not text, and integers of more than 64 bits."""
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return str(value)
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def define(dataset: Any, row: Variable, axes: tuple[str, ...]) -> Any:
    """Create a variable with its attributes.

    Parameters
    ----------
    dataset : netCDF4.Dataset
        Open for writing, with the dimensions of the variable.
    axes : tuple of str
        The scan axes.
    """
    dims = row.dimensions(axes)
    shape = tuple(len(dataset.dimensions[name]) for name in dims)
    fill_value = np.nan if row.has_missing_values else False
    kind = str if row.is_label else row.dtype
    storage = _storage(shape, row, len(axes))
    variable = dataset.createVariable(row.name, kind, dims, fill_value=fill_value, **storage)
    variable.set_auto_maskandscale(False)
    variable.setncatts(row.attributes)
    return variable


def _storage(shape: tuple[int, ...], row: Variable, n_axes: int) -> dict[str, Any]:
    """Chunks and deflate of a large variable; nothing for a small one."""
    if not row.is_per_point or prod(shape) * np.dtype(row.dtype).itemsize < WHOLE_BYTES:
        return {}
    # The axes of the grid are cut; a point stays in one piece.
    chunk = chunk_shape(shape[:n_axes], prod(shape[n_axes:]) * np.dtype(row.dtype).itemsize)
    return {**DEFLATE, "chunksizes": chunk + shape[n_axes:], "chunk_cache": CACHE_BYTES}


def _fill(variable: Any, row: Variable, n_axes: int, results: PointResults) -> None:
    """Write the values, one chunk at a time where there are many."""
    if not row.is_per_point:
        variable[:] = row.take(results, slice(None))
        return
    grid_shape, rest = variable.shape[:n_axes], variable.shape[n_axes:]
    for slab in slabs(grid_shape, chunk_shape(grid_shape, prod(rest) * variable.dtype.itemsize)):
        variable[slab.place] = row.take(results, slab.rows).reshape(slab.shape + rest)


@dataclass(frozen=True)
class Slab:
    """A part of the grid.

    Attributes
    ----------
    rows : slice
        Its points, in C order.
    place : tuple of slice
        Where it lies along each scan axis.
    shape : tuple of int
        Its size along each scan axis.
    """

    rows: slice
    place: tuple[slice, ...]
    shape: tuple[int, ...]


def chunk_shape(shape: tuple[int, ...], point_bytes: int, slab_bytes: int = SLAB_BYTES) -> tuple[int, ...]:
    """Size of a chunk along each scan axis: consecutive points, about `slab_bytes` of them and at least one."""
    chunk = [1] * len(shape)
    below = point_bytes
    # From the fastest axis on: whole rows, as many as fit, then one of everything slower.
    for axis in reversed(range(len(shape))):
        chunk[axis] = max(1, min(shape[axis], slab_bytes // below))
        if chunk[axis] < shape[axis]:
            break
        below *= shape[axis]
    return tuple(chunk)


def slabs(shape: tuple[int, ...], chunk: tuple[int, ...]) -> Iterator[Slab]:
    """Cut a grid into the slabs of these chunks, in C order."""
    blocks = [range(0, size, step) for size, step in zip(shape, chunk, strict=True)]
    begin = 0
    for corner in product(*blocks):
        stops = [min(start + step, size) for start, step, size in zip(corner, chunk, shape, strict=True)]
        place = tuple(slice(start, stop) for start, stop in zip(corner, stops, strict=True))
        size = tuple(part.stop - part.start for part in place)
        yield Slab(slice(begin, begin + prod(size)), place, size)
        begin += prod(size)


def add_toys(source: Path, target: Path, toys: ToyRecord, history: str) -> None:
    """Write a result again with toys, in place of those that it may have.

    Parameters
    ----------
    source, target : Path
        They may be the same.
    history : str
        One line for the file.

    Raises
    ------
    StorageError
        Where the file cannot be written.
    """
    try:
        with replacing(target) as temporary, open_netcdf(source) as old, open_netcdf(temporary, "w") as new:
            old.set_auto_maskandscale(False)
            _copy(old, new, history)
            axes = tuple(old.variables["chi2"].dimensions)
            new.setncatts(toys.attributes)
            for name, size in kept_sizes(toys.arrays).items():
                new.createDimension(name, size)
            for row in kept_variables(toys.arrays, role=TOYS):
                variable = define(new, row, axes)
                variable[...] = np.asarray(toys.arrays[row.name].values).reshape(variable.shape)
    except (OSError, RuntimeError) as error:
        raise StorageError(write_failure(target, error, source.stat().st_size)) from error


def _copy(old: Any, new: Any, history: str) -> None:
    """Copy everything but toys."""
    attributes = {name: old.getncattr(name) for name in old.ncattrs() if not name.startswith("hpcscan_toys")}
    attributes["history"] = "\n".join(filter(None, [str(attributes.get("history", "")), history]))
    new.setncatts(attributes)
    variables = [one for one in old.variables.values() if getattr(one, "role", "") != TOYS]
    # Dimensions of earlier toys go with them.
    used = {dim for one in variables for dim in one.dimensions}
    for name, dimension in old.dimensions.items():
        if name in used:
            new.createDimension(name, len(dimension))
    copies = [_like(one, new) for one in variables]
    for one, copy in zip(variables, copies, strict=True):
        _copy_values(one, copy)


def _like(one: Any, new: Any) -> Any:
    """Create a variable that is stored as another one."""
    attributes = {name: one.getncattr(name) for name in one.ncattrs()}
    fill_value = attributes.pop("_FillValue", False)
    filters = one.filters() or {}
    storage = {"compression": "zlib", "complevel": filters["complevel"], "shuffle": filters["shuffle"]}
    storage |= {} if one.chunking() == "contiguous" else {"chunksizes": one.chunking()}
    is_packed = bool(filters.get("zlib"))
    kind = str if one.dtype == str else one.dtype
    packed = storage if is_packed else {}
    copy = new.createVariable(one.name, kind, one.dimensions, fill_value=fill_value, **packed)
    copy.set_auto_maskandscale(False)
    copy.setncatts(attributes)
    return copy


def _copy_values(one: Any, copy: Any) -> None:
    """Copy the values, a part at a time where there are many."""
    if one.dtype == str or not one.shape:
        copy[...] = one[...]
        return
    if not one.size:
        return
    for slab in slabs(one.shape, chunk_shape(one.shape, one.dtype.itemsize)):
        copy[slab.place] = one[slab.place]
