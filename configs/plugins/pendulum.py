"""A damped pendulum seen by a sensor of unknown gain, and a ruler."""

import numpy as np

from hpcscan.model import Gaussian, Model, Parameter

TIMES = np.arange(0.0, 6.0, 0.75)
VOLTS = (2.50, -1.90, 0.97, 0.95, -1.44, 1.63, -0.29, -0.35)


class Pendulum(Model):
    """V(t) = gain · (exp(−damping · t) · cos(ω t + phase) + offset), with ω² = gravity/length − damping²."""

    title = "a damped pendulum"
    parameters = (
        Parameter("gravity", 9.0, 11.0, unit="m s-2", label=r"$g$"),
        Parameter("length", 0.9, 1.1, unit="m"),
        Parameter("damping", 0.0, 1.0, unit="s-1"),
        Parameter("phase", -np.pi, np.pi, start=(-1.5, 1.5), unit="rad"),
        Parameter("offset", -5.0, 5.0, start=(-0.5, 0.5)),
    )
    data = (
        Gaussian("volts", VOLTS, 0.02, scale="gain", unit="V", x=TIMES, x_label="time", x_unit="s"),  # one term
        Gaussian("ruler", 1.003, 0.005, unit="m"),  # no scale: compared as it is
    )
    scale_unit = "V"

    def predict(self, gravity, length, damping, phase, offset):
        """Arrays of shape (n, 1), one for each parameter, by name; gives (n, size) for each term of `data`."""
        frequency = np.sqrt(gravity / length - damping**2)
        swing = np.exp(-damping * TIMES) * np.cos(frequency * TIMES + phase) + offset
        return {"volts": swing, "ruler": length}
