"""A model whose profile is known in closed form: a line with an offset is fitted to data that also hold a parabola."""

import numpy as np

from hpcscan.model import Derived, Gaussian, Model, Parameter

TIMES = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
DATA = np.array([3.0, -1.0, 0.5, 2.0, 4.0])
SIGMA = np.array([0.5, 0.25, 0.5, 1.0, 0.25])
REFERENCE, REFERENCE_SIGMA = 2.0, 0.01


class Trend(Model):
    """y(t) = sinh(a) + b t + curvature t² + ripple cos(3 t), and a reference seen through an amplifier of unknown gain.

    The offset sinh(a) is free, the slope b has bounds that it never reaches.
    """

    title = "a trend"
    parameters = (
        Parameter("curvature"),
        Parameter("ripple"),
        Parameter("drive", unit="V"),
        Parameter("a", start=(-2.0, 2.0)),
        Parameter("b", -50.0, 50.0, start=(-3.0, 3.0)),
    )
    data = (
        Gaussian("y", DATA, SIGMA),
        Gaussian("reference", REFERENCE, REFERENCE_SIGMA, scale="gain", unit="V"),
    )
    derived = (Derived("offset", description="offset of the line"),)

    def predict(self, curvature, ripple, drive, a, b):
        """Five values of the line, and the reference."""
        line = np.sinh(a) + b * TIMES + curvature * TIMES**2 + ripple * np.cos(3 * TIMES)
        return {"y": line, "reference": 1 + drive**2}

    def derive(self, scales, curvature, ripple, drive, a, b):  # noqa: PLR0917
        """The offset."""
        return {"offset": np.sinh(a[:, 0])}


class TrendWithJacobian(Trend):
    """The same with its derivatives."""

    def jacobian(self, curvature, ripple, drive, a, b):
        """By the parameters that are profiled."""
        zero = 0 * drive
        return {
            "y": {"a": np.cosh(a) + 0 * TIMES, "b": 0 * a + TIMES},
            "reference": {"a": zero, "b": zero},
        }


def exact_minimum(curvature, ripple, drive):
    """Weighted linear regression of what is left of the data: χ², offset, slope and gain."""
    left = (DATA - curvature * TIMES**2 - ripple * np.cos(3 * TIMES)) / SIGMA
    design = np.stack([1 / SIGMA, TIMES / SIGMA], axis=1)
    (offset, slope), (chi2,), *_ = np.linalg.lstsq(design, left, rcond=None)
    return chi2, offset, slope, REFERENCE / (1 + drive**2)
