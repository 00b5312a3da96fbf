"""On a correlated Gaussian, ellipse and widths are known: they come out to 1e-3 from a coarse grid."""

import numpy as np
import pytest

from analysis.gaussian import Gaussian
from hpcscan.analysis.interpolation import minima, profile
from hpcscan.analysis.interval import interval
from hpcscan.analysis.planes import contours
from hpcscan.distribution import delta_chi2_level

BETA, W = np.linspace(2.95, 3.25, 16), np.geomspace(0.005, 0.05, 10)


@pytest.fixture(params=[-0.9, 0.0, 0.6])
def gaussian(request) -> Gaussian:
    """Its centre lies between the points of the grid."""
    return Gaussian.correlated((3.103, 0.0223), (0.03, 0.005), request.param)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("n_sigma", [1, 2])
def test_the_profiled_interval_has_the_width_of_the_gaussian(gaussian, axis, n_sigma):
    """Profiled over the other axis, not sliced: the width is σ, whatever the correlation."""
    x = (BETA, W)[axis]
    curve = profile((BETA, W), gaussian.on(BETA, W), (axis,))
    found = interval(x, curve, delta_chi2_level(n_sigma, 1))
    assert found is not None
    half_width = (found.upper.value - found.lower.value) / 2
    assert half_width == pytest.approx(n_sigma * gaussian.sigma(axis), rel=1e-3)
    assert (found.upper.value + found.lower.value) / 2 == pytest.approx(gaussian.centre[axis], rel=1e-4)
    assert found.lower.error < 1e-6 * half_width


@pytest.mark.parametrize("axis", [0, 1])
def test_the_minimum_is_found_between_the_points(gaussian, axis):
    x = (BETA, W)[axis]
    found = minima(x, profile((BETA, W), gaussian.on(BETA, W), (axis,))[:, None])
    assert found.position[0] == pytest.approx(gaussian.centre[axis], rel=1e-9)
    assert found.value[0] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("n_sigma", [1, 2])
def test_the_contour_is_the_ellipse(gaussian, n_sigma):
    level = delta_chi2_level(n_sigma, 2)
    (line,) = contours(BETA, W, gaussian.on(BETA, W), level)
    assert line.is_closed
    assert gaussian.chi2(*line.points.T) == pytest.approx(level, rel=1e-3)
    for axis in (0, 1):
        extent = np.ptp(line.points[:, axis]) / 2
        assert extent == pytest.approx(np.sqrt(level) * gaussian.sigma(axis), rel=1e-3)


def test_three_axes_are_profiled_one_after_the_other():
    root = np.array([[1.0, 0.0, 0.0], [0.5, 0.8, 0.0], [-0.4, 0.3, 0.6]])
    gaussian = Gaussian((0.21, -0.33, 0.12), root @ root.T)
    axes = tuple(np.linspace(-4, 4, n) for n in (21, 17, 19))
    for keep in range(3):
        curve = profile(axes, gaussian.on(*axes), (keep,))
        exact = (axes[keep] - gaussian.centre[keep]) ** 2 / gaussian.covariance[keep, keep]
        near = exact < 4
        assert curve[near] == pytest.approx(exact[near], abs=1e-9)
