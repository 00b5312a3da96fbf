from pathlib import Path
from typing import Literal

import numpy as np

from hpcscan.model import Gaussian, Likelihood, Model, Parameter, Poisson

BINS = np.arange(8.0)
SHAPE = 15 * np.exp(-0.5 * (BINS - 4) ** 2)
Z = np.linspace(0.05, 1.2, 24)
OBSERVED = Z * (1 + 0.5 * (1 - 0.45) * Z) * (1 + 0.01 * np.sin(9 * Z))
COVARIANCE = np.diag((0.02 * OBSERVED) ** 2) + 1e-5 * np.outer(OBSERVED, OBSERVED)
RNG = np.random.default_rng(1)
EVENTS = np.concatenate([RNG.normal(1.5, 0.2, 100), RNG.exponential(1.0, 400)])


class Counts(Model):  # a signal of unknown strength over a background that is known to 10 %
    parameters = (Parameter("strength", 0.0, 5.0), Parameter("background", 0.5, 1.5, constraint=(1.0, 0.1)))
    data = (Poisson("counts", [12, 9, 14, 21, 30, 22, 11, 10], x=BINS),)

    def predict(self, strength, background):
        return {"counts": strength * SHAPE + background * 11}


class Distances(Model):  # a covariance matrix, and a common scale that the fit profiles
    parameters = (Parameter("omega", 0.0, 1.0), Parameter("bend", -0.5, 0.5))
    data = (Gaussian("distance", OBSERVED, covariance=COVARIANCE, scale="S", x=Z, unit="Gpc"),)

    def predict(self, omega, bend):
        return {"distance": Z * (1 + 0.5 * (1 - 1.5 * omega) * Z + bend * Z**2)}


class Unbinned(Likelihood):  # −2 ln L is all that the model gives; its goodness of fit is not judged
    parameters = (
        Parameter("fraction", 0.0, 1.0),
        Parameter("lifetime", 0.3, 3.0),
        Parameter("mean", 1.0, 2.0),
        Parameter("width", 0.05, 0.5, constraint=(0.2, 0.02)),
    )

    def twice_nll(self, fraction, lifetime, mean, width):
        peak = np.exp(-0.5 * ((EVENTS - mean) / width) ** 2) / (width * np.sqrt(2 * np.pi))
        decay = np.exp(-EVENTS / lifetime) / lifetime * (EVENTS > 0)
        return -2 * np.log(fraction * peak + (1 - fraction) * decay).sum(axis=1)


class Line(Model):  # options, and a data file; both are named in the configuration
    parameters = (Parameter("slope", -5.0, 5.0), Parameter("offset", -5.0, 5.0), Parameter("bend", -1.0, 1.0))

    def __init__(self, file: Path, sigma: float = 0.1, through: Literal["origin", "anywhere"] = "anywhere"):
        self.t, values = np.loadtxt(file, unpack=True)
        self.is_free = through == "anywhere"
        self.data = (Gaussian("y", values, sigma, x=self.t, unit="V"),)

    def predict(self, slope, offset, bend):
        return {"y": offset * self.is_free + slope * self.t + bend * self.t**2}
