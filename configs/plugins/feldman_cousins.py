"""The two examples of Feldman and Cousins, Phys. Rev. D 57, 3873 (1998)."""

import numpy as np

from hpcscan.model import Gaussian, Model, Parameter, Poisson


class Counting(Model):
    """A count, over a background that is known."""

    parameters = (Parameter("signal", 0.0, np.inf, start=(0.0, 15.0)),)

    def __init__(self, n: int = 5, background: float = 3.0):
        self.data, self.background = (Poisson("n", n),), background

    def predict(self, signal):
        """Add signal and background."""
        return {"n": signal + self.background}


class BoundedMean(Model):
    """A measurement with unit error of a mean that cannot be negative."""

    parameters = (Parameter("mu", 0.0, np.inf, start=(0.0, 8.0)),)

    def __init__(self, x: float = 0.0):
        self.data = (Gaussian("x", x, 1.0),)

    def predict(self, mu):
        """Return the mean itself."""
        return {"x": mu}
