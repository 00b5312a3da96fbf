"""The table of variables."""

from __future__ import annotations

import pytest
from toy_results import Rich

from hpcscan.dataset.variables import variable_table
from hpcscan.errors import UsageError
from hpcscan.grid import Grid, GridAxis
from hpcscan.model import Derived, Dimension, Parameter
from hpcscan.model.problem import Observable


def test_every_row_is_described(grid, model):
    """Every variable has a name, a long name, and either a unit, flags or labels."""
    for row in variable_table(grid, model):
        assert row.long_name
        assert (row.unit is not None) + bool(row.flags) + row.is_label == 1
        assert row.dtype in ("f8", "i1", "i4", "i8", "str")


def test_axes_come_first_in_the_order_of_the_grid(model):
    """The grid decides the order of the dimensions, not the model."""
    grid = Grid((GridAxis("T", (1.0, 2.0)), GridAxis("beta", (3.0,)), GridAxis("w", (0.1, 0.2))))
    table = variable_table(grid, model)
    assert [row.name for row in table if row.is_coordinate] == ["T", "beta", "w"]
    assert table[0].unit == "K"


def test_a_dimension_of_the_table_can_be_used_by_a_model(grid):
    """A derived value per observable needs no labels of its own."""

    class PerObservable(Rich):
        derived = (Derived("share", dimension=Dimension("observable", ("muon", "width", "ratio"))),)

    rows = {row.name: row for row in variable_table(grid, PerObservable())}
    assert rows["share"].dims == ("point", "observable")
    written = ("term_label", "observable_x_label", "observable_x_unit")
    assert rows["share"].labels == ("observable_name", "observable_unit", "term_name", *written)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"derived": (Derived("chi2"),)}, "variable 'chi2' is declared twice"),
        ({"derived": (Derived("a b"),)}, "'a b' is not a name"),
        ({"derived": (Derived("x", dimension=Dimension("start", ("a",))),)}, "dimension 'start' is declared twice"),
        ({"derived": (Derived("x", dimension=Dimension("w", ("a",))),)}, "dimension 'w' is declared twice"),
        ({"derived": (Derived("x", dimension=Dimension("parameter", ("a",))),)}, "dimension 'parameter' is"),
        ({"derived": (Derived("x", dimension=Dimension("x", ("a",))),)}, "'x' is both a dimension and a variable"),
        ({"derived": (Derived("start"),)}, "'start' is both a dimension and a variable"),
        ({"derived": (Derived("S_opt"),)}, "variable 'S_opt' is declared twice"),
        ({"observables": (Observable("m", 1.0, 1.0, "S/c"),)}, "'S/c_opt' is not a name"),
    ],
)
def test_clashes_are_refused(grid, change, message):
    """A model whose names do not fit into one file is refused, with what to do."""
    model = type("Clash", (Rich,), change)()
    with pytest.raises(UsageError, match=message) as caught:
        variable_table(grid, model)
    assert "rename it in the model" in str(caught.value)


def test_an_axis_may_not_take_a_name_of_the_table():
    """An axis called like a result is refused."""
    model = type("Clash", (Rich,), {"axes": (Parameter("chi2"), Parameter("parameter"))})()
    grid = Grid((GridAxis("chi2", (1.0,)), GridAxis("parameter", (1.0,))))
    with pytest.raises(UsageError) as caught:
        variable_table(grid, model)
    text = str(caught.value)
    assert "'chi2' is declared twice" in text
    assert "'parameter' is declared twice" in text
