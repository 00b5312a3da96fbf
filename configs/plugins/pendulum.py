"""A damped pendulum seen by a sensor of unknown gain, and a ruler."""

import numpy as np

from hpcscan.model import Axis, Model, Observable, Parameter

TIMES = np.arange(0.0, 6.0, 0.75)
VOLTS = (2.50, -1.90, 0.97, 0.95, -1.44, 1.63, -0.29, -0.35)


class Pendulum(Model):
    """V(t) = gain · (exp(−damping · t) · cos(ω t + phase) + offset), with ω² = gravity/length − damping²."""

    title = "a damped pendulum"
    axes = (Axis("gravity", "m s-2"), Axis("length", "m"), Axis("damping", "s-1"))
    parameters = (
        Parameter("phase", start=(-1.5, 1.5), unit="rad"),  # without bounds: (-inf, inf)
        Parameter("offset", start=(-0.5, 0.5)),
    )
    observables = (
        *(Observable(f"volts.{k}", volts, 0.02, scale="gain", unit="V") for k, volts in enumerate(VOLTS)),
        Observable("ruler", 1.003, 0.005, unit="m"),  # no scale: compared as it is
    )
    scale_unit = "V"

    def predict(self, points, parameters):
        """Give (n_rows, 9) predictions for (n_rows, 3) points and (n_rows, 2) parameters."""
        gravity, length, damping = points.T[:, :, np.newaxis]
        phase, offset = parameters.T[:, :, np.newaxis]
        frequency = np.sqrt(gravity / length - damping**2)
        swing = np.exp(-damping * TIMES) * np.cos(frequency * TIMES + phase) + offset
        return np.hstack([swing, length])
