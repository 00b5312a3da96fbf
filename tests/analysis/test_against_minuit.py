"""On a curved problem, intervals and contours are those of Minuit's MINOS and MNCONTOUR."""

import iminuit
import numpy as np
import pytest

from hpcscan.analysis.interpolation import profile
from hpcscan.analysis.interval import interval
from hpcscan.analysis.planes import contours
from hpcscan.distribution import confidence, delta_chi2_level

X, Y = np.linspace(-2.5, 4.0, 53), np.linspace(-2.5, 7.0, 61)


def banana(x, y):
    """A bent valley: no ellipse, and asymmetric intervals."""
    return ((x - 0.6) / 0.8) ** 2 + ((y - 0.4 * x**2) / 0.5) ** 2 + 0.15 * (x - 0.6) ** 3 / (1 + 0.3 * x**2)


@pytest.fixture(scope="module")
def fit():
    minuit = iminuit.Minuit(banana, x=0.5, y=0.3)
    minuit.errordef = 1
    minuit.tol = 1e-6
    minuit.strategy = 2
    minuit.migrad()
    return minuit


@pytest.fixture(scope="module")
def surface():
    return banana(X[:, None], Y)


def test_minos(fit, surface):
    fit.minos(cl=confidence(1))
    for axis, (name, values) in enumerate((("x", X), ("y", Y))):
        found = interval(values, profile((X, Y), surface, (axis,)) - fit.fval, 1)
        errors = fit.merrors[name]
        assert found.lower.value == pytest.approx(fit.values[name] + errors.lower, abs=2e-3)
        assert found.upper.value == pytest.approx(fit.values[name] + errors.upper, abs=2e-3)
    assert abs(errors.upper) > 1.2 * abs(errors.lower), "the problem is curved"


@pytest.mark.parametrize("n_sigma", [1, 2])
def test_mncontour(fit, surface, n_sigma):
    points = fit.mncontour("x", "y", cl=confidence(n_sigma), size=40)
    level = delta_chi2_level(n_sigma, 2)
    (line,) = contours(X, Y, surface - fit.fval, level)
    assert line.is_closed
    nearest = [np.hypot(*(line.points - point).T).min() for point in points]
    assert max(nearest) < 0.02
    assert banana(*line.points.T) - fit.fval == pytest.approx(level, rel=1e-2)
