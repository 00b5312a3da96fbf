"""Intervals end where Δχ² crosses the level, or say that it does not."""

import numpy as np
import pytest

from hpcscan.analysis.interval import interval, intervals
from hpcscan.analysis.planes import contours

X = np.linspace(0, 10, 11)


def test_a_closed_interval():
    found = interval(X, (X - 4.3) ** 2, 4)
    assert (found.lower.value, found.upper.value) == pytest.approx((2.3, 6.3))
    assert not found.lower.is_open
    assert found.n_others == 0


def test_an_interval_is_open_towards_the_edge():
    found = interval(X, (X - 9) ** 2, 4)
    assert found.upper.reason == "edge"
    assert np.isnan(found.upper.value)
    assert found.lower.value == pytest.approx(7)


def test_a_flat_line_is_open_on_both_sides():
    found = interval(X, np.zeros(11), 1)
    assert (found.lower.reason, found.upper.reason) == ("edge", "edge")


def test_a_missing_point_ends_an_interval_as_a_hole():
    delta = np.where(X == 6, np.nan, (X - 4.3) ** 2)
    assert interval(X, delta, 4).upper.reason == "hole"


def test_a_second_valley_is_counted_and_not_joined():
    delta = np.minimum((X - 2) ** 2, (X - 8) ** 2 + 0.5)
    found = interval(X, delta, 1)
    assert found.upper.value == pytest.approx(3, abs=0.2)
    assert found.n_others == 1


def test_there_is_no_interval_below_the_lowest_value():
    assert interval(X, (X - 4) ** 2 + 2, 1) is None
    assert interval(X, np.full(11, np.nan), 1) is None


def test_the_numerical_error_covers_the_truth():
    """A curve that no parabola fits, on a coarse grid."""
    exact = np.cosh((X - 4.4) / 1.5) - 1
    found = interval(X, exact, 4)
    truth = 1.5 * np.arccosh(5)
    assert abs(found.upper.value - (4.4 + truth)) <= found.upper.error
    assert abs(found.lower.value - (4.4 - truth)) <= found.lower.error
    assert found.upper.error < 0.2


@pytest.mark.parametrize("holes", [(2,), (2, 3), (-1, 2)])
def test_the_error_covers_the_truth_beside_holes(holes):
    """At nine of ten skew curves of any place and width; the holes are counted outward from the last node inside."""
    x, n_covered, n = np.linspace(0, 1, 13), 0, 0
    for middle in np.linspace(0.35, 0.5, 4):
        for width in np.linspace(0.05, 0.3, 4):
            for skew in (-0.8, 0.8):
                truth = np.array(_roots(middle, width, skew))
                delta = ((x - middle) / width * (1 + skew * (x - middle))) ** 2
                last = int(np.flatnonzero(x < truth[1])[-1])
                beside = [last + k for k in holes if 0 <= last + k < len(x)]
                delta[beside] = np.nan
                found = intervals(x, delta, 1.0)[-1].upper
                n += 1
                n_covered += abs(found.value - truth[1]) <= found.error
    assert n_covered >= 0.9 * n


def _roots(middle: float, width: float, skew: float) -> tuple[float, float]:
    """Where (x − middle)(1 + skew (x − middle)) = ∓ width."""
    lower, upper = (2 * s * width / (1 + np.sqrt(1 + 4 * s * skew * width)) for s in (-1, 1))
    return middle + lower, middle + upper


def test_noise_in_chi2_widens_the_error_by_what_it_can_do():
    quiet, noisy = (interval(X, (X - 4) ** 2 + 1e-12, 4, noise) for noise in (0.0, 0.5))
    assert noisy.lower.error - quiet.lower.error == pytest.approx(0.5 / 3)


def test_two_values_know_half_a_cell():
    found = interval(np.array([0.0, 1.0]), np.array([0.0, 4.0]), 1)
    assert (found.upper.value, found.upper.error) == pytest.approx((0.25, 0.5))


def ring(x, y):
    return np.hypot(x[:, None], y) - 3


def test_a_ring_has_two_closed_lines():
    x = y = np.linspace(-5, 5, 31)
    lines = contours(x, y, ring(x, y) ** 2, 1)
    assert [line.is_closed for line in lines] == [True, True]
    radii = sorted(np.hypot(*line.points.T).mean() for line in lines)
    assert radii == pytest.approx([2, 4], abs=0.01)


def test_a_line_ends_at_a_hole_and_at_the_edge():
    x = y = np.linspace(-2, 2, 21)
    f = x[:, None] ** 2 + y**2
    f[np.ix_(x > 0.9, np.abs(y) < 0.3)] = np.nan
    (broken,) = contours(x, y, f, 1.0)
    assert not broken.is_closed
    corners = contours(x, y, x[:, None] ** 2 + y**2, 5.0)
    assert len(corners) == 4
    assert not any(line.is_closed for line in corners)


def test_a_saddle_is_cut_into_two_lines():
    x = y = np.linspace(-1, 1, 11)
    assert len(contours(x, y, x[:, None] * y + 0.0, 0.05)) == 2


@pytest.mark.parametrize("n", [0, 1])
def test_a_plane_without_width_has_no_contour(n):
    assert contours(np.arange(float(n)), np.arange(3.0), np.zeros((n, 3)), 1) == ()
