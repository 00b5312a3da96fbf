"""Leptons as any user would write them: energies of vortices, without ranges and derivatives of the model's own."""

from __future__ import annotations

import numpy as np

from hpcscan import Gaussian, Model, Parameter
from hpcscan.models.leptons.energy import P_CIRCULATION, P_GRADIENT, P_STABILIZATION
from hpcscan.models.leptons.model import BOXES, MASSES


def polynomial(coefficients, t):
    total = 0.0
    for power in range(max(coefficients), -1, -1):
        total = total * t + float(coefficients.get(power, 0))
    return total


def energy(beta, w, core, velocity, amplitude):
    radius = core + w
    t, cube = w / radius, radius**3
    circulation = np.pi * (2000 / 3 + cube * (2 / 21 - cube / 3000))
    circulation = circulation - amplitude * np.pi * cube * polynomial(P_CIRCULATION["stream"], t)
    stabilization = cube * polynomial(P_STABILIZATION, t)
    gradient = 0.03 * 0.88**2 / 11 * radius * polynomial(P_GRADIENT, t)
    return velocity**2 * circulation + 4 * np.pi * beta * amplitude**2 * (gradient - stabilization)


class Vortices(Model):
    """Nine parameters, three masses and one scale."""

    def __init__(self, *, box: str = "widened") -> None:
        names = (Parameter(name.replace(".", "_"), *ends) for name, ends in BOXES[box].items())
        self.parameters = (Parameter("beta"), Parameter("w"), *names)
        self.data = tuple(Gaussian(lepton, mass, 1e-4 * mass, scale="S") for lepton, mass in MASSES.items())

    def predict(self, beta, w, **p):
        return {one: energy(beta, w, p[f"{one}_R_c"], p[f"{one}_U"], p[f"{one}_A"]) for one in MASSES}
