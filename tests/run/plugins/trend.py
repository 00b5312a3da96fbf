"""A model whose profile is known in closed form: a line with an offset is fitted to data that also hold a parabola."""

import numpy as np

from hpcscan.model import Axis, Derived, Model, Observable, Parameter

TIMES = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
DATA = np.array([3.0, -1.0, 0.5, 2.0, 4.0])
SIGMA = np.array([0.5, 0.25, 0.5, 1.0, 0.25])
REFERENCE, REFERENCE_SIGMA = 2.0, 0.01


class Trend(Model):
    """y(t) = sinh(a) + b t + curvature t² + ripple cos(3 t), and a reference seen through an amplifier of unknown gain.

    The offset sinh(a) is free, the slope b has bounds that it never reaches.
    """

    title = "a trend"
    axes = (Axis("curvature"), Axis("ripple"), Axis("drive", "V"))
    parameters = (Parameter("a", start=(-2.0, 2.0)), Parameter("b", -50.0, 50.0, start=(-3.0, 3.0)))
    observables = (
        *(Observable(f"y.{k}", y, sigma) for k, (y, sigma) in enumerate(zip(DATA, SIGMA, strict=True))),
        Observable("reference", REFERENCE, REFERENCE_SIGMA, scale="gain", unit="V"),
    )
    derived = (Derived("offset", description="offset of the line"),)

    def predict(self, points, parameters):
        """Shape (n_rows, 6)."""
        curvature, ripple, drive = points.T[:, :, None]
        a, b = parameters.T[:, :, None]
        line = np.sinh(a) + b * TIMES + curvature * TIMES**2 + ripple * np.cos(3 * TIMES)
        return np.hstack([line, 1 + drive**2])

    def derive(self, points, parameters, scales):
        """The offset."""
        return {"offset": np.sinh(parameters[:, 0])}


class TrendWithJacobian(Trend):
    """The same with its derivatives."""

    def jacobian(self, points, parameters):
        """Shape (n_rows, 6, 2)."""
        result = np.zeros((len(points), 6, 2))
        result[:, :5, 0] = np.cosh(parameters[:, :1])
        result[:, :5, 1] = TIMES
        return result


def exact_minimum(curvature, ripple, drive):
    """Weighted linear regression of what is left of the data: χ², offset, slope and gain."""
    left = (DATA - curvature * TIMES**2 - ripple * np.cos(3 * TIMES)) / SIGMA
    design = np.stack([1 / SIGMA, TIMES / SIGMA], axis=1)
    (offset, slope), (chi2,), *_ = np.linalg.lstsq(design, left, rcond=None)
    return chi2, offset, slope, REFERENCE / (1 + drive**2)
