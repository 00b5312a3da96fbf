"""Variables of what is no grid point: the answer, toys, and records with a dimension of their own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from hpcscan.answer.answer_record import AnswerRecord, Kept
from hpcscan.arrays import Array
from hpcscan.dataset.variable import POINT, Take, Variable, constant
from hpcscan.dataset.variables import dimensions, refuse_bad_names, variable_table
from hpcscan.fitting.records import PointResults
from hpcscan.grid import Grid
from hpcscan.model.interface import Dimension
from hpcscan.model.problem import Problem
from hpcscan.table import RecordKind, RecordTable
from hpcscan.toys.toy_record import ToyRecord

#: The role of variables of toys: a file that gets others has them no more.
TOYS = "toys"


def answered(
    rows: Sequence[Variable], answer: AnswerRecord | None, toys: ToyRecord | None = None
) -> tuple[Variable, ...]:
    """Add the variables of an answer to those of a grid, whose Δχ² is measured from the best fit then, and of toys."""
    if toys is not None:
        return (*answered(rows, answer), *kept_variables(toys.arrays, role=TOYS))
    if answer is None:
        return tuple(rows)
    long_name = "chi2 minus that of the best fit"
    moved = (
        replace(row, take=_above(answer.base), long_name=long_name) if row.name == "delta_chi2" else row for row in rows
    )
    return (*moved, *kept_variables(answer.arrays, answer.sentence))


def answer_sizes(answer: AnswerRecord | None, toys: ToyRecord | None = None) -> dict[str, int]:
    """Sizes of the dimensions of an answer, and of toys, that are their own."""
    return (kept_sizes(answer.arrays) if answer else {}) | (kept_sizes(toys.arrays) if toys else {})


def kept_sizes(arrays: Mapping[str, Kept]) -> dict[str, int]:
    """Sizes of the dimensions of arrays that the grid has not."""
    found = (pair for kept in arrays.values() if kept.dims[:1] != (POINT,) for pair in _sizes(kept))
    return {name: size for name, size in found if name != "observable"}


def _sizes(kept: Kept) -> Iterator[tuple[str, int]]:
    yield from zip(kept.dims, np.shape(kept.values), strict=True)


def kept_variables(arrays: Mapping[str, Kept], sentence: str = "", role: str = "") -> Iterator[Variable]:
    """List the variables of arrays."""
    for name, kept in arrays.items():
        values = np.asarray(kept.values)
        dtype = "str" if values.dtype == object else values.dtype.str[1:]
        # Arrays by point are written in slabs, like those of the grid.
        take = _rows(values) if kept.dims[:1] == (POINT,) else constant(values)
        comment = sentence if name == "best_fit_standing" else ""
        yield Variable(name, kept.dims, dtype, kept.long_name, take, kept.unit, kept.flags, role, comment=comment)


def _rows(values: Array) -> Take:
    return lambda _, rows: values[rows]


def _above(base: float) -> Take:
    def take(results: PointResults, rows: slice) -> Array:
        chi2 = results.chi2[rows]
        return np.where(np.isfinite(chi2), chi2 - base, np.nan)

    return take


def table_variables(tables: Iterable[RecordTable]) -> tuple[Variable, ...]:
    """List the variables of some tables; a table without records has none."""
    return tuple(
        Variable(
            quantity.column.name,
            (table.kind.dimension, *quantity.dims),
            quantity.column.dtype[1:],
            quantity.long_name,
            constant(table.columns[quantity.column.name]),
            quantity.unit,
            quantity.flags,
        )
        for table in filled(tables)
        for quantity in table.kind.quantities
    )


def refuse_clashes(grid: Grid, model: Problem, kinds: Sequence[RecordKind]) -> None:
    """Refuse names of a model that kinds of records have, too.

    Raises
    ------
    UsageError
    """
    # One record of each kind, for a table without records has no variables.
    one_each = [RecordTable(kind, {c.name: np.zeros((1, *c.shape), c.native) for c in kind.layout}) for kind in kinds]
    rows = (*variable_table(grid, model), *table_variables(one_each))
    refuse_bad_names(rows, (*dimensions(model), *(Dimension(kind.dimension, ()) for kind in kinds)))


def table_sizes(tables: Iterable[RecordTable]) -> dict[str, int]:
    """Sizes of the dimensions of some tables; where a kind uses one of the grid's, it must have that size."""
    sizes: dict[str, int] = {}
    for table in filled(tables):
        sizes |= {table.kind.dimension: table.n_records} | table.kind.sizes
    return sizes


def filled(tables: Iterable[RecordTable]) -> Sequence[RecordTable]:
    """Leave out tables without records: netCDF takes a dimension of size 0 for one without an end."""
    return [table for table in tables if table.n_records]
