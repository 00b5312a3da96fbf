"""Try to refute what is said of the Hessian of χ² around minima: by differences, at random places."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

from hpcscan.proof.counts import deviance
from hpcscan.proof.structure import Part
from hpcscan.proof.system import System
from hpcscan.proof.uniqueness import Minima
from proof.problems import Case

#: Step of second differences, in standard deviations; what they err by, relative to the Hessian and to χ²; and what
#: they cannot tell beside larger ones.
STEP, ROUGH, ROUNDING, LARGEST = 2e-3, 1e-4, 2e-15, 1e4


def system_of(case: Case, x: np.ndarray) -> System:
    """Pose a case as a whole, with all parameters as nonlinear ones."""
    problem = case.problem
    rows, scales = np.arange(len(problem.sigma)), tuple(range(len(problem.scales)))
    return System(problem, Part(tuple(range(len(problem.parameters))), (), rows, scales, ()), case.held, x)


def minima_of(case: Case) -> np.ndarray:
    """Go to the bottom from where a short proof of each point ends: shape (n, n_free)."""
    starts, found = case.prove(300).parameters, []
    for k, start in enumerate(starts):
        system, width = system_of(case, starts), np.maximum(1e-3 * np.abs(start), 1e-4)
        inside = lambda u: np.clip(start + u * width, case.problem.lower, case.problem.upper)  # noqa: B023, E731
        chi2 = lambda u: min(system.chi2(np.array([k]), inside(u)[None])[0], 1e30)  # noqa: B023, E731
        options = {"xatol": 1e-7, "fatol": 1e-10, "maxfev": 3000, "adaptive": True}
        with np.errstate(all="ignore"):
            found.append(inside(minimize(chi2, np.zeros(len(start)), method="Nelder-Mead", options=options).x))
    return np.array(found)


def exceeded(case: Case, x: np.ndarray, size: float, n_places: int, seed: int) -> int:
    """Count the places of neighbourhoods where half the Hessian by t is farther from 1 than is said."""
    system, rng, n_exceeded = system_of(case, x), np.random.default_rng(seed), 0
    with np.errstate(all="ignore"):
        minima = Minima(system)
        said = minima.error(np.arange(case.n), np.ones(minima.q.T.shape, bool), size)[0]
    for point in np.flatnonzero(np.isfinite(said).all((0, 1))):
        matrix, k = minima.matrix[..., point], len(minima.matrix)
        t = rng.normal(size=(n_places, k))
        t *= size * (1 - 1e-3) * rng.random((n_places, 1)) ** 0.2 / np.linalg.norm(t, axis=1, keepdims=True)
        for place in t:
            is_inside = (minima.q[point] + matrix @ place >= minima.low) & (
                minima.q[point] + matrix @ place <= minima.high
            )
            if is_inside.all():
                found, chi2 = _hessian(system, point, minima.q[point], matrix, place)
                there = np.abs(found - np.eye(k))
                margin = ROUGH * (1 + there) + ROUNDING * chi2 / STEP**2
                n_exceeded += int((there > said[..., point] + margin).any() and there.max() < LARGEST)
    return n_exceeded


def _hessian(system: System, point: int, q: np.ndarray, matrix: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, float]:
    """Differentiate half of χ² twice by t, from sums and differences of χ² beside it; give the largest χ², too."""
    k = len(t)
    units = np.eye(k)
    pairs = [(i, j) for i in range(k) for j in range(i, k)]
    sides = [(a, b) for a in (-1, 1) for b in (-1, 1)]
    places = np.array([t + STEP * (a * units[i] + b * units[j]) for i, j in pairs for a, b in sides])
    chi2 = _joint_chi2(system, np.full(len(places), point), q + places @ matrix.T).reshape(-1, 4)
    bend = (chi2[:, 0] - chi2[:, 1] - chi2[:, 2] + chi2[:, 3]) / (8 * STEP**2)
    found = np.zeros((k, k))
    for (i, j), value in zip(pairs, bend, strict=True):
        found[i, j] = found[j, i] = value
    return found, float(chi2.max())


def _joint_chi2(system: System, point: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Compute χ² of scales and parameters, shape (n, k)."""
    n_s = system.n_s
    with np.errstate(all="ignore"):
        f = system.evaluate(point, np.ascontiguousarray(q[:, n_s:]))
        mu = np.concatenate([q[:, :n_s], np.ones((len(q), 1))], axis=1)[:, system.group] * f
        r = system.metric.whitened(np.where(system.is_count, 0.0, mu - system.target))
        return (r**2).sum(1) + np.where(system.is_count, deviance(mu, system.target), 0.0).sum(1)
