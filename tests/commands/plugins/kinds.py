"""A model of every kind of term, and one that has only a number."""

import numpy as np

from hpcscan.model import Gaussian, Likelihood, Model, Parameter, Poisson

X = np.linspace(0, 1, 8)
SEEN = 2 * np.exp(-X) + 2 + 0.1 * np.sin(9 * X)
PARAMETERS = (Parameter("a", 0.0, 4.0), Parameter("b", 0.1, 3.0), Parameter("c", -1.0, 1.0, constraint=(0, 0.3)))


def curve(a, b, c):
    return a * np.exp(-b * X) + c * X**2 + 2


class Mixed(Model):
    parameters = PARAMETERS
    data = (
        Poisson("counts", [5, 4, 3, 4, 2, 2, 0, 1], x=X, scale="S"),
        Gaussian("ends", [2.0, 3.0], 0.2, scale="S"),
        Gaussian("curve", SEEN, covariance=0.02 * np.eye(8) + 0.02),
    )

    def predict(self, a, b, c):
        return {"counts": curve(a, b, c), "ends": np.hstack([a, a + b]), "curve": curve(a, b, c)}


class Number(Likelihood):
    parameters = PARAMETERS

    def twice_nll(self, a, b, c):
        return (((curve(a, b, c) - SEEN) / 0.1) ** 2).sum(axis=1)
