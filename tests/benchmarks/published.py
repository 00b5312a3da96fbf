"""The published algorithm as a baseline for its cost: quadrature on a radial and an angular grid.

Twenty angles, about 870 radii, finite-difference gradient, Simpson's rule; energies, scale and χ² as published. It is
here for its time per call alone: the integrals of the closed forms are tested elsewhere.
"""

from __future__ import annotations

import numpy as np
from scipy.integrate import simpson

#: Calls that the published fitter makes at a point: 15 × 9 members, 200 generations, and the polish.
CALLS_PER_POINT = 27_618
N_RADII, N_ANGLES = 870, 20
MASSES, SIGMA = np.array([0.511, 105.7, 1776.8]), 1e-4


def chi2(parameters: np.ndarray, beta: float, w: float, r_max: float = 10.0) -> float:
    """χ² of the profiled scale for three triples (R_c, U, A)."""
    energies = np.array([_energy(*triple, beta, w, r_max) for triple in parameters.reshape(3, 3)])
    weights = 1 / (SIGMA * MASSES) ** 2
    scale = np.sum(MASSES * energies * weights) / np.sum(energies**2 * weights)
    return float(np.sum(((scale * energies - MASSES) / (SIGMA * MASSES)) ** 2))


def _energy(R_c: float, U: float, A: float, beta: float, w: float, r_max: float) -> float:
    radius = R_c + w
    r = np.unique(np.concatenate([np.linspace(1e-3, radius, N_RADII // 2), np.linspace(radius, r_max, N_RADII // 2)]))
    theta = np.linspace(0.01, np.pi - 0.01, N_ANGLES)
    density = 1.0 - A * _profile(r, R_c, w, radius)
    circulation = _circulation(r, theta, density, U, radius)
    stabilization = beta * simpson((density - 1) ** 2 * 4 * np.pi * r**2, x=r)
    slope = np.gradient(density, r)
    gradient = 0.03 * beta * 0.88**2 / 11 * simpson(slope**2 * 4 * np.pi * r**2, x=r)
    return circulation - stabilization + gradient


def _profile(r: np.ndarray, R_c: float, w: float, radius: float) -> np.ndarray:
    x, xi = r / radius, np.clip((r - R_c) / w, 0, 1)
    return np.where(r <= radius, (1 - x**2) ** 2 * (1 - (6 * xi**5 - 15 * xi**4 + 10 * xi**3)), 0.0)


def _circulation(r: np.ndarray, theta: np.ndarray, density: np.ndarray, U: float, radius: float) -> float:
    """Integrate over the radii for each of the angles in turn."""
    step, total = theta[1] - theta[0], 0.0
    x = r / radius
    for angle in theta:
        inside = r < radius
        radial = U * np.where(inside, -1.5 * (1 - x**2), 1 - x**-3) * np.cos(angle)
        polar = U * np.where(inside, 1.5 * (1 - 2 * x**2), -(1 + x**-3 / 2)) * np.sin(angle)
        energy = 0.5 * density * (radial**2 + polar**2) * 2 * np.pi * r**2 * np.sin(angle)
        total += simpson(energy, x=r) * step
    return total
