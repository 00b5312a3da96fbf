"""Distances with a covariance matrix, and a common scale that the fit profiles."""

import numpy as np

from hpcscan.model import Gaussian, Model, Parameter

Z = np.linspace(0.05, 1.2, 24)
OBSERVED = Z * (1 + 0.5 * (1 - 0.45) * Z) * (1 + 0.01 * np.sin(9 * Z))
COVARIANCE = np.diag((0.02 * OBSERVED) ** 2) + 1e-5 * np.outer(OBSERVED, OBSERVED)


class Distances(Model):
    parameters = (Parameter("omega", 0.0, 1.0), Parameter("bend", -0.5, 0.5))
    data = (Gaussian("distance", OBSERVED, covariance=COVARIANCE, scale="S", x=Z, unit="Gpc"),)

    def predict(self, omega, bend):
        return {"distance": Z * (1 + 0.5 * (1 - 1.5 * omega) * Z + bend * Z**2)}
