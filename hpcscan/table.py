"""Records that are no grid points: named columns, as they travel, are journalled and stand in a result file.

A grid point has its own record, `hpcscan.fitting.records.PointResults`. Everything else that a run may compute, such
as an end of an interval, is a row of a `RecordTable`, whose `RecordKind` says what its columns are. Journal and file
follow from the kind alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hpcscan.arrays import IntArray

#: Types of numbers that a column may have, little-endian as numpy writes them. None of them holds an address.
DTYPES = ("<f8", "<i8", "<i4", "|i1")


class Joinable(Protocol):
    """Records that can be put one after another."""

    @classmethod
    def joined(cls, parts: Any, /) -> Any:
        """Put parts one after another."""


@dataclass(frozen=True)
class Column:
    """One array of some records.

    Attributes
    ----------
    dtype : str
        One of `DTYPES`.
    shape : tuple of int
        Of what one record has.
    """

    name: str
    dtype: str
    shape: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        # Before numpy sees it: an object type from a file would be followed as an address.
        if self.dtype not in DTYPES:
            raise ValueError(f"column {self.name!r} has the type {self.dtype!r}; expected one of {', '.join(DTYPES)}")

    @cached_property
    def stored(self) -> np.dtype[Any]:
        """Its type as it is stored."""
        return np.dtype(self.dtype)

    @cached_property
    def native(self) -> np.dtype[Any]:
        """Its type in the byte order of this machine."""
        return self.stored.newbyteorder("=")

    @cached_property
    def n_bytes(self) -> int:
        """Size of what one record has."""
        return self.stored.itemsize * prod(self.shape)


Layout = tuple[Column, ...]


@dataclass(frozen=True)
class ColumnQuantity:
    """A column, and what it means in a result file.

    Attributes
    ----------
    column : Column
        Its name is that of the variable.
    unit : str or None
        None for flags and numbers of something.
    dims : tuple of str
        Names of the dimensions of `column.shape`.
    """

    column: Column
    long_name: str
    unit: str | None = "1"
    dims: tuple[str, ...] = ()
    flags: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True)
class RecordKind:
    """A kind of record that a task may leave.

    Attributes
    ----------
    name : str
        By which a journal knows it.
    dimension : str
        Of the file, along which the records stand.
    key : tuple of str
        Columns of integers, which tell the records apart; records stand in their order, the first one first.
    is_in_file : bool
        Whether a result has them; else they are kept in the journal alone.
    """

    name: str
    dimension: str
    quantities: tuple[ColumnQuantity, ...]
    key: tuple[str, ...]
    is_in_file: bool = True

    @property
    def layout(self) -> Layout:
        """The columns."""
        return tuple(quantity.column for quantity in self.quantities)

    @property
    def sizes(self) -> dict[str, int]:
        """Sizes of the dimensions that its columns have beside its own."""
        return {name: n for q in self.quantities for name, n in zip(q.dims, q.column.shape, strict=True)}


@dataclass(frozen=True, eq=False)
class RecordTable:
    """Records of one kind.

    Attributes
    ----------
    columns : mapping of str to array
        The records are the first axis of each.
    """

    kind: RecordKind
    columns: Mapping[str, NDArray[Any]]

    @classmethod
    def empty(cls, kind: RecordKind) -> RecordTable:
        """Return the table of a kind of which nothing is known."""
        return cls(kind, {column.name: np.empty((0, *column.shape), column.native) for column in kind.layout})

    @classmethod
    def joined(cls, parts: Sequence[RecordTable]) -> RecordTable:
        """Put tables of one kind one after another."""
        names = parts[0].columns
        return cls(parts[0].kind, {name: np.concatenate([part.columns[name] for part in parts]) for name in names})

    @property
    def n_records(self) -> int:
        """Number of records."""
        return len(self.columns[self.kind.key[0]])

    @property
    def keys(self) -> list[tuple[int, ...]]:
        """What tells each record from the others."""
        return list(zip(*(self.columns[name].tolist() for name in self.kind.key), strict=True))

    def take(self, rows: IntArray) -> RecordTable:
        """Select records."""
        return RecordTable(self.kind, {name: values[rows] for name, values in self.columns.items()})

    def ordered(self) -> RecordTable:
        """Put the records in the order of their keys, so that nobody sees in which order they were computed."""
        return self.take(np.lexsort([self.columns[name] for name in reversed(self.kind.key)]))


def put_together(tables: Iterable[RecordTable]) -> dict[str, RecordTable]:
    """Join the tables of each kind, by its name."""
    parts: dict[str, list[RecordTable]] = {}
    for table in tables:
        parts.setdefault(table.kind.name, []).append(table)
    return {name: RecordTable.joined(of_kind) for name, of_kind in parts.items()}
