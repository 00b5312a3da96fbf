"""The curve through sampled values is exact for parabolas, tame at kinks, and has holes where values are missing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcscan.analysis.interpolation import interpolate, minima, refine_surface, refined

small = st.floats(-3, 3)


@given(small, small, small, st.lists(st.floats(0.1, 2), min_size=2, max_size=9))
def test_a_parabola_is_reproduced_on_any_grid(a, b, c, steps):
    x = np.cumsum([0.0, *steps])
    at = np.linspace(x[0], x[-1], 50)
    found = interpolate(x, np.polyval([a, b, c], x)[:, None], at)[:, 0]
    assert found == pytest.approx(np.polyval([a, b, c], at), abs=1e-9)


def test_a_missing_value_leaves_a_hole_of_its_two_cells():
    x = np.arange(7.0)
    f = np.where(x == 3, np.nan, x**2)
    found = interpolate(x, f[:, None], np.array([1.5, 2.0, 2.5, 3.5, 4.0, 4.5]))[:, 0]
    assert found == pytest.approx([2.25, 4, np.nan, np.nan, 16, 20.25], nan_ok=True)


def test_a_wall_of_ten_million_does_not_pull_the_minimum_below_its_neighbours():
    x = np.arange(6.0)
    f = np.array([1e7, 1e7, 0.3, 0.2, 0.3, 0.6])
    assert minima(x, f[:, None]).value[0] == pytest.approx(0.2, abs=0.01)
    assert interpolate(x, f[:, None], np.linspace(2, 5, 61)).min() > 0.15


@pytest.mark.parametrize("kink", [0.0, 0.07, 0.1])
def test_a_kink_stays_in_its_cell_and_never_undershoots(kink):
    x = np.linspace(-1, 1, 11)
    at = refined(x, 10)
    found = interpolate(x, np.abs(x - kink)[:, None], at)[:, 0]
    far = np.abs(at - kink) > 0.2 + 1e-9
    assert found[far] == pytest.approx(np.abs(at - kink)[far], abs=1e-12)
    assert found.min() >= -1e-12


@pytest.mark.parametrize("n", [1, 2])
def test_one_and_two_values_are_a_point_and_a_line(n):
    x = np.arange(float(n))
    assert interpolate(x, 3 * x[:, None], np.array([0.0, (n - 1) / 2]))[:, 0] == pytest.approx([0, 1.5 * (n - 1)])


def test_a_surface_keeps_its_nodes():
    x, y = np.geomspace(1, 2, 5), np.linspace(0, 1, 4)
    f = np.cos(x)[:, None] + y**3
    fine_x, fine_y, fine = refine_surface(x, y, f, 40)
    assert fine[np.isin(fine_x, x)][:, np.isin(fine_y, y)] == pytest.approx(f)
    assert (len(fine_x), len(fine_y)) == (33, 31)


def test_there_is_no_minimum_without_values_and_none_inside_at_an_edge():
    x = np.arange(4.0)
    f = np.array([[np.nan, 1, 3], [np.nan, 2, 2], [np.nan, 3, 1], [np.nan, 4, np.nan]])
    found = minima(x, f)
    assert [*found.index] == [-1, 0, 2]
    assert [*found.is_inside] == [False, False, False]
    assert found.position == pytest.approx([np.nan, 0, 2], nan_ok=True)


@pytest.mark.parametrize("power", [-1000, 900])
def test_the_unit_of_an_axis_changes_no_digits(power: int) -> None:
    x, f = np.array([1.0, 1.5, 2.5, 3.0]), np.array([[4e9, 1.0], [1.0, 0.5], [3.0, 7.0], [9e9, np.nan]])
    at, factor = np.linspace(1, 3, 17), 2.0**power
    assert np.array_equal(interpolate(x, f, at), interpolate(x * factor, f, at * factor), equal_nan=True)
    near, far = minima(x, f), minima(x * factor, f)
    assert np.array_equal(near.value, far.value) and np.array_equal(near.position * factor, far.position)
