"""Records as raw bytes, and back, bit for bit.

The columns of a grid point follow from the fields of `PointResults`: a new field needs no line here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcscan.fitting.records import PointResults
from hpcscan.table import Column, Layout

Columns = Mapping[str, NDArray[Any]]


def layout_of(results: PointResults) -> Layout:
    """Describe the arrays of some results."""
    return tuple(
        Column(name, values.dtype.newbyteorder("<").str, values.shape[1:])
        for name, values in columns_of(results).items()
    )


def record_bytes(layout: Layout) -> int:
    """Size of a packed record."""
    return sum(column.n_bytes for column in layout)


def pack(columns: Columns, layout: Layout) -> bytes:
    """Write all arrays one after another, each in C order.

    Raises
    ------
    ValueError
        Where they have another layout.
    """
    found = [(name, array.dtype, array.shape[1:]) for name, array in columns.items()]
    if found != [(column.name, column.native, column.shape) for column in layout]:
        raise ValueError("these results have other columns than the others")
    pairs = zip(columns.values(), layout, strict=True)
    return b"".join([np.ascontiguousarray(array, column.stored).data for array, column in pairs])


def unpack(data: bytes | memoryview, layout: Layout, names: Iterable[str] | None = None) -> dict[str, NDArray[Any]]:
    """Read what `pack` wrote; only some columns where they are named.

    Raises
    ------
    ValueError
        Where the bytes are not a whole number of records.
    """
    n, rest = divmod(len(data), record_bytes(layout))
    if rest:
        raise ValueError(f"{len(data)} bytes are not a whole number of records of {record_bytes(layout)} bytes")
    wanted = {column.name for column in layout} if names is None else {*names}
    arrays, begin = {}, 0
    for column in layout:
        if column.name in wanted:
            values: NDArray[Any] = np.ndarray((n, *column.shape), column.stored, data, begin)
            # A copy, which may be changed.
            arrays[column.name] = values.astype(column.native)
        begin += n * column.n_bytes
    return arrays


def columns_of(results: PointResults) -> dict[str, NDArray[Any]]:
    """Name all arrays of some results: ``field.key`` where a field is a mapping."""
    return dict(_columns(results))


def results_of(columns: Columns) -> PointResults:
    """Do the opposite of `columns_of`."""
    return PointResults(**{field.name: _field(field.name, columns) for field in fields(PointResults)})


def _columns(results: PointResults) -> Iterator[tuple[str, NDArray[Any]]]:
    for field in fields(results):
        value = getattr(results, field.name)
        if isinstance(value, np.ndarray):
            yield field.name, value
        else:
            yield from ((f"{field.name}.{key}", array) for key, array in value.items())


def _field(name: str, arrays: Columns) -> Any:
    if name in arrays:
        return arrays[name]
    prefix = f"{name}."
    return {key.removeprefix(prefix): array for key, array in arrays.items() if key.startswith(prefix)}
