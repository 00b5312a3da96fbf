"""Results of some points as raw bytes, and back, bit for bit.

The columns follow from the fields of `PointResults`: a new field needs no line here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcscan.fitting.records import PointResults


@dataclass(frozen=True)
class Column:
    """One array of the results.

    Attributes
    ----------
    name : str
        Of the field; ``field.key`` where the field is a mapping.
    dtype : str
        Little-endian, as numpy writes it.
    shape : tuple of int
        Of what one point has.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]

    @cached_property
    def stored(self) -> np.dtype[Any]:
        """Its type as it is stored."""
        return np.dtype(self.dtype)

    @cached_property
    def native(self) -> np.dtype[Any]:
        """Its type in the byte order of this machine."""
        return self.stored.newbyteorder("=")

    @cached_property
    def point_bytes(self) -> int:
        """Size of what one point has."""
        return self.stored.itemsize * prod(self.shape)


Layout = tuple[Column, ...]


def layout_of(results: PointResults) -> Layout:
    """Describe the arrays of some results."""
    return tuple(
        Column(name, values.dtype.newbyteorder("<").str, values.shape[1:]) for name, values in _columns(results)
    )


def point_bytes(layout: Layout) -> int:
    """Size of a packed point."""
    return sum(column.point_bytes for column in layout)


def pack(results: PointResults, layout: Layout) -> bytes:
    """Write all arrays one after another, each in C order.

    Raises
    ------
    ValueError
        Where the results have another layout.
    """
    columns = list(_columns(results))
    found = [(name, array.dtype, array.shape[1:]) for name, array in columns]
    if found != [(column.name, column.native, column.shape) for column in layout]:
        raise ValueError("these results have other columns than the others")
    pairs = zip(columns, layout, strict=True)
    return b"".join([np.ascontiguousarray(array, column.stored).data for (_, array), column in pairs])


def unpack(data: bytes | memoryview, layout: Layout) -> PointResults:
    """Read what `pack` wrote.

    Raises
    ------
    ValueError
        Where the bytes are not a whole number of points.
    """
    n, rest = divmod(len(data), point_bytes(layout))
    if rest:
        raise ValueError(f"{len(data)} bytes are not a whole number of points of {point_bytes(layout)} bytes")
    arrays, begin = {}, 0
    for column in layout:
        values: NDArray[Any] = np.ndarray((n, *column.shape), column.stored, data, begin)
        # A copy, which may be changed.
        arrays[column.name] = values.astype(column.native)
        begin += n * column.point_bytes
    return PointResults(**{field.name: _field(field.name, arrays) for field in fields(PointResults)})


def _columns(results: PointResults) -> Iterator[tuple[str, NDArray[Any]]]:
    for field in fields(results):
        value = getattr(results, field.name)
        if isinstance(value, np.ndarray):
            yield field.name, value
        else:
            yield from ((f"{field.name}.{key}", array) for key, array in value.items())


def _field(name: str, arrays: Mapping[str, NDArray[Any]]) -> Any:
    if name in arrays:
        return arrays[name]
    prefix = f"{name}."
    return {key.removeprefix(prefix): array for key, array in arrays.items() if key.startswith(prefix)}
