"""The surface between the grid points is exact for cubics, profiles as fits would, and stays beside holes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcscan.analysis.surface import Surface, coordinates

number = st.floats(-3, 3)
steps = st.lists(st.floats(0.2, 1.5), min_size=3, max_size=6)


def made(axes, f, *slopes):
    places = np.meshgrid(*axes, indexing="ij")
    return Surface(tuple(axes), f(*places), tuple(slope(*places) for slope in slopes))


@given(st.tuples(*[number] * 6), steps, steps)
def test_a_cubic_is_reproduced_on_any_grid(c, along, across):
    x, y = (np.cumsum([0.0, *widths]) / sum(widths) for widths in (along, across))
    surface = made(
        [x, y],
        lambda x, y: c[0] * x**3 + c[1] * x**2 * y + c[2] * x * y**2 + c[3] * y**3 + c[4] * x + c[5] * y**2,
        lambda x, y: 3 * c[0] * x**2 + 2 * c[1] * x * y + c[2] * y**2 + c[4],
        lambda x, y: c[1] * x**2 + 2 * c[2] * x * y + 3 * c[3] * y**2 + 2 * c[5] * y,
    )
    u, v = (places[0] + (places[-1] - places[0]) * np.linspace(0, 1, 17) for places in (x, y))
    a, b = np.meshgrid(u, v, indexing="ij")
    right = c[0] * a**3 + c[1] * a**2 * b + c[2] * a * b**2 + c[3] * b**3 + c[4] * a + c[5] * b**2
    assert surface.at(u, v) == pytest.approx(right, abs=1e-10)


@given(st.floats(-0.6, 0.6), st.floats(-0.6, 0.6), st.floats(-0.5, 0.5))
def test_the_profile_of_a_parabola_is_its_own_formula_between_the_nodes(r, s, t):
    """Minimised over y, x² + y² + z² + 2 r x y + 2 s y z + 2 t x z is (1 − r²) x² + (1 − s²) z² + 2 (t − r s) x z."""
    axes = np.linspace(-1, 1, 5), np.linspace(-3, 3, 4), np.linspace(-1, 1, 6)
    surface = made(
        axes,
        lambda x, y, z: x**2 + y**2 + z**2 + 2 * r * x * y + 2 * s * y * z + 2 * t * x * z,
        lambda x, y, z: 2 * (x + r * y + t * z),
        lambda x, y, z: 2 * (y + r * x + s * z),
        lambda x, y, z: 2 * (z + s * y + t * x),
    ).profiled((0, 2))
    u, v = np.linspace(-1, 1, 9), np.linspace(-1, 1, 7)
    a, b = np.meshgrid(u, v, indexing="ij")
    right = (1 - r**2) * a**2 + (1 - s**2) * b**2 + 2 * (t - r * s) * a * b
    assert surface.at(u, v) == pytest.approx(right, abs=1e-12)


def test_a_hole_leaves_the_cells_around_it_empty_and_a_profile_passes_by_it():
    axes = np.arange(5.0), np.arange(6.0)
    surface = made(axes, lambda x, y: (x - 2) ** 2 + (y - 3) ** 2, lambda x, y: 2 * (x - 2), lambda x, y: 2 * (y - 3))
    surface.values[2, 2] = np.nan
    found = surface.at(np.array([0.5, 1.5, 2.5, 3.5]), np.array([0.5, 1.5, 2.5, 3.5]))
    assert (np.isnan(found) == np.outer([0, 1, 1, 0], [0, 1, 1, 0])).all()
    assert surface.profiled((0,)).values == pytest.approx((np.arange(5) - 2.0) ** 2)


def test_even_ratios_make_a_log_axis():
    assert coordinates(np.geomspace(1, 100, 5)) == pytest.approx(np.log(np.geomspace(1, 100, 5)))
    assert (coordinates(np.linspace(1, 100, 5)) == np.linspace(1, 100, 5)).all()
