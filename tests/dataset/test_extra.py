"""Records that are no grid points, in a file."""

from __future__ import annotations

import numpy as np
import pytest
from commands.results import read
from toy_results import Rich, random_results, rich_grid

from hpcscan.dataset.record_variables import refuse_clashes
from hpcscan.dataset.writer import write_dataset
from hpcscan.errors import UsageError
from hpcscan.model import Derived
from hpcscan.table import Column, ColumnQuantity, RecordKind, RecordTable, put_together

VERTEX = RecordKind(
    "contour",
    "vertex",
    (
        ColumnQuantity(Column("contour_line", "<i8"), "number of the line", unit=None),
        ColumnQuantity(Column("contour_place", "<i4"), "place on the line", unit=None),
        ColumnQuantity(Column("contour_x", "<f8"), "x", unit="MeV"),
        ColumnQuantity(Column("contour_minimum", "<f8", (4,)), "profiled parameters", dims=("parameter",)),
        ColumnQuantity(Column("contour_end", "|i1"), "why it ends", unit=None, flags=((0, "closed"), (1, "grid"))),
    ),
    key=("contour_line", "contour_place"),
)


def vertices(n: int, seed: int = 0) -> RecordTable:
    """So many, in any order."""
    rng = np.random.default_rng(seed)
    place = rng.permutation(n)
    columns = {
        "contour_line": place // 3,
        "contour_place": (place % 3).astype(np.int32),
        "contour_x": rng.random(n),
        "contour_minimum": rng.random((n, 4)),
        "contour_end": rng.integers(0, 2, n).astype(np.int8),
    }
    return RecordTable(VERTEX, columns)


def write(path, *tables):
    model, grid = Rich(), rich_grid()
    write_dataset(path, grid, model, random_results(model, grid), {"title": "toy"}, tables=tables)
    return read(path)


def test_a_table_is_written_bit_for_bit(tmp_path):
    """As long as it is, with its own dimension, and one that the grid has."""
    table = vertices(7)
    result = write(tmp_path / "out.nc", table)
    for name, values in table.columns.items():
        assert result[name].tobytes() == values.tobytes()
        assert result[name].shape == values.shape


def test_a_table_without_records_leaves_nothing(tmp_path):
    """The file is that of a scan without such a kind."""
    write(tmp_path / "empty.nc", RecordTable.empty(VERTEX))
    write(tmp_path / "none.nc")
    assert (tmp_path / "empty.nc").read_bytes() == (tmp_path / "none.nc").read_bytes()


def test_records_stand_in_the_order_of_their_keys():
    """Whoever found them first: parts of a table give the same table in any order."""
    table = vertices(20)
    parts = [table.take(np.arange(first, 20, 3)) for first in range(3)]
    one, other = (put_together(order)["contour"].ordered() for order in (parts, parts[::-1]))
    assert one.keys == sorted(table.keys) == other.keys
    assert one.columns["contour_x"].tobytes() == other.columns["contour_x"].tobytes()


class Clashing(Rich):
    derived = (*Rich.derived, Derived("contour_x"))


def test_names_that_a_model_shares_with_a_kind_are_refused():
    refuse_clashes(rich_grid(), Rich(), (VERTEX,))
    with pytest.raises(UsageError, match="variable 'contour_x' is declared twice; rename it in the model"):
        refuse_clashes(rich_grid(), Clashing(), (VERTEX,))
