"""Random lepton models, and what can be known of them without the certificate."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import strategies as st

from hpcscan.model.problem import Problem
from hpcscan.models.leptons.energy import (
    P_CIRCULATION,
    P_GRADIENT,
    P_STABILIZATION,
    VACUUM_COEFFICIENTS,
    EnergyParts,
    Vacuum,
    energy_parts,
)
from hpcscan.models.leptons.model import LEPTONS

#: Intervals from which the bounds of a parameter are drawn.
WIDEST = {"R_c": (0.01, 2.0), "U": (-0.2, 0.3), "A": (0.0, 1.0)}


@st.composite
def intervals(draw: st.DrawFn, symbol: str) -> tuple[float, float]:
    """Any interval of a parameter, of values whose squares do not underflow; often the widest, or one of no width."""
    end = st.floats(*WIDEST[symbol]).map(lambda value: round(value, 9))
    kind = draw(st.sampled_from(["widest", "fixed", "any", "any", "from the lowest"]))
    if kind == "widest":
        return WIDEST[symbol]
    low, high = sorted((draw(end), draw(end)))
    return {"fixed": (low, low), "any": (low, high)}.get(kind, (WIDEST[symbol][0], high))


@st.composite
def options(draw: st.DrawFn, **fixed: Any) -> dict[str, Any]:
    """Options of a lepton model with a random box."""
    bounds = {f"{lepton}.{symbol}": draw(intervals(symbol)) for lepton in LEPTONS for symbol in WIDEST}
    chosen = {
        "frame": draw(st.sampled_from(["stream", "laboratory"])),
        "mapping": draw(st.sampled_from(["global_scale", "electron_anchor"])),
        "eta": draw(st.sampled_from([0.0, 0.03, 1.0])),
        "r_max": draw(st.sampled_from([2.5, 10.0])),
        "masses": {lepton: draw(st.floats(0.1, 2000.0)) for lepton in LEPTONS},
        "sigma": {lepton: draw(st.sampled_from([1e-6, 1e-4, 0.1])) for lepton in LEPTONS},
        "bounds": bounds,
    }
    return chosen | fixed


#: Coordinates (β, w).
points = st.tuples(st.sampled_from([0.0, 0.5, 3.0, 20.0]), st.floats(0.001, 0.3)).map(lambda point: np.array([point]))


def bounds(model: Problem) -> np.ndarray:
    """Lower and upper bounds, shape (2, 9)."""
    return np.array([(p.lower, p.upper) for p in model.parameters]).T


def sample(model: Problem, n: int, seed: int) -> np.ndarray:
    """Parameters within the bounds, many of them on some: shape (n, 9)."""
    low, high = bounds(model)
    position = np.clip(np.random.default_rng(seed).uniform(-0.25, 1.25, (n, 9)), 0, 1)
    return np.clip(low + (high - low) * position, low, high)


def energies(model: Problem, point: np.ndarray, parameters: np.ndarray) -> EnergyParts:
    """Energies of the three leptons, whatever the mapping: parts of shape (n, 3)."""
    return energy_parts(vacuum(model, point), parameters[:, 0::3], parameters[:, 1::3], parameters[:, 2::3])


def magnitude(parts: EnergyParts) -> np.ndarray:
    """Sum of the absolute values of the parts."""
    return np.abs(parts.circulation) + np.abs(parts.stabilization) + np.abs(parts.gradient)


def vacuum(model: Problem, point: np.ndarray) -> Vacuum:
    """What the leptons share at one point."""
    return model.model._vacuum(point[:, :1], point[:, 1:])


def exact_energy(model: Problem, point: np.ndarray, triple: np.ndarray) -> Fraction:
    """E/π of one lepton in rational arithmetic, for the parameters as the doubles that they are."""
    beta, w, R_c, U, A, r_max = map(Fraction, (*map(float, point[0]), *map(float, triple), model.model.r_max))
    gradient = Fraction(float(vacuum(model, point).gradient_coefficient[0, 0]))
    R = R_c + w
    P1, P2, P3 = (
        sum(c * (w / R) ** k for k, c in polynomial.items())
        for polynomial in (P_CIRCULATION[model.model.frame], P_STABILIZATION, P_GRADIENT)
    )
    outer, inner = VACUUM_COEFFICIENTS[model.model.frame]
    at_rest = outer * r_max**3 + inner * R**3 - R**6 / (3 * r_max**3)
    return U**2 * (at_rest - A * R**3 * P1) + 4 * A**2 * (gradient * R * P3 - beta * R**3 * P2)
