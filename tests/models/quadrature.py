"""The energy of a lepton by quadrature of its defining integrals, written down independently of the closed forms."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

NODES, WEIGHTS = np.polynomial.legendre.leggauss(24)


@dataclass(frozen=True)
class Lepton:
    R_c: float
    U: float
    A: float
    w: float
    beta: float
    gradient_coefficient: float
    r_max: float
    frame: str

    @property
    def radius(self) -> float:
        return self.R_c + self.w


def deficit(lepton: Lepton, r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Δρ and its derivative with respect to r."""
    x = r / lepton.radius
    xi = np.clip((r - lepton.R_c) / lepton.w, 0, 1)
    step, slope = 6 * xi**5 - 15 * xi**4 + 10 * xi**3, (30 * xi**4 - 60 * xi**3 + 30 * xi**2) / lepton.w
    c, dc = (1 - x**2) ** 2, -4 * x * (1 - x**2) / lepton.radius
    inside = r <= lepton.radius
    return -lepton.A * c * (1 - step) * inside, -lepton.A * (dc * (1 - step) - c * slope) * inside


def velocity(lepton: Lepton, r: np.ndarray, cos: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    x, sin = r / lepton.radius, np.sqrt(1 - cos**2)
    inner = -1.5 * (1 - x**2) * cos, 1.5 * (1 - 2 * x**2) * sin
    outer = (1 - x**-3) * cos, -(1 + x**-3 / 2) * sin
    radial, polar = (lepton.U * np.where(x < 1, a, b) for a, b in zip(inner, outer, strict=True))
    if lepton.frame == "laboratory":
        radial, polar = radial - lepton.U * cos, polar + lepton.U * sin
    return radial, polar


def energies(lepton: Lepton) -> tuple[float, float, float]:
    """Circulation, stabilization and gradient parts, by Gauss–Legendre on pieces without kinks."""
    edges = [0, lepton.R_c, *np.geomspace(lepton.radius, lepton.r_max, 12)]
    circulation = stabilization = gradient = 0.0
    for low, high in pairwise(edges):
        r, weight = (low + high) / 2 + (high - low) / 2 * NODES, (high - low) / 2 * WEIGHTS
        rho, slope = deficit(lepton, r)
        radial, polar = velocity(lepton, r[:, None], NODES)
        flow = ((radial**2 + polar**2) * WEIGHTS).sum(axis=1)
        circulation += np.sum(weight * 2 * np.pi * r**2 * 0.5 * (1 + rho) * flow)
        stabilization += lepton.beta * np.sum(weight * 4 * np.pi * r**2 * rho**2)
        gradient += lepton.gradient_coefficient * np.sum(weight * 4 * np.pi * r**2 * slope**2)
    return circulation, stabilization, gradient
