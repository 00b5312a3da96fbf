"""Variables of records that are no grid points: one dimension for each kind, as long as its table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from hpcscan.dataset.naming import refuse_bad_names
from hpcscan.dataset.values import constant
from hpcscan.dataset.variable import Variable
from hpcscan.dataset.variables import dimensions, variable_table
from hpcscan.grid import Grid
from hpcscan.model.interface import Dimension
from hpcscan.model.problem import Problem
from hpcscan.table import RecordKind, Table


def table_variables(tables: Iterable[Table]) -> tuple[Variable, ...]:
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
    one_each = [Table(kind, {c.name: np.zeros((1, *c.shape), c.native) for c in kind.layout}) for kind in kinds]
    rows = (*variable_table(grid, model), *table_variables(one_each))
    refuse_bad_names(rows, (*dimensions(model), *(Dimension(kind.dimension, ()) for kind in kinds)))


def table_sizes(tables: Iterable[Table]) -> dict[str, int]:
    """Sizes of the dimensions of some tables; where a kind uses one of the grid's, it must have that size."""
    sizes: dict[str, int] = {}
    for table in filled(tables):
        sizes |= {table.kind.dimension: table.n_records} | table.kind.sizes
    return sizes


def filled(tables: Iterable[Table]) -> Sequence[Table]:
    """Leave out tables without records: netCDF takes a dimension of size 0 for one without an end."""
    return [table for table in tables if table.n_records]
