"""Energy of one lepton in closed form: Hill's spherical vortex with a density deficit and a boundary layer.

The density, 1 outside, has the deficit Δρ = −A (1 − x²)² T inside the outer radius R = R_c + w, with x = r/R, T = 1 up
to R_c and 1 − (6ξ⁵ − 15ξ⁴ + 10ξ³) from there, ξ = (r − R_c)/w. The energy is

    E = ∫ ½ (1 + Δρ) v² d³r  −  β ∫ Δρ² d³r  +  λ ∫ |∇ρ|² d³r,     λ = η β R_ref²/11,  over r ≤ r_max.

On each piece every integrand is a polynomial in x, so each integral is a polynomial in t = w/R with rational
coefficients; a test derives them again, exactly, from the integrals.

Hill's vortex: Lamb, Hydrodynamics, §165.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import pi
from typing import Any, Literal

import numpy as np

from hpcscan.arrays import Array

#: Coefficient by power of t.
Polynomial = dict[int, Fraction]

#: Numbers beyond these mean nothing here, and the powers that are made of them would not be doubles.
SMALLEST, LARGEST = 1e-12, 1e12
Frame = Literal["stream", "laboratory"]


def polynomial(terms: dict[int, str]) -> Polynomial:
    """Read the coefficients."""
    return {power: Fraction(coefficient) for power, coefficient in terms.items()}


def together(*polynomials: Polynomial) -> Array:
    """Round the coefficients to doubles: shape (n, 2, n_polynomials), highest power first, even powers beside odd ones.

    An even power and the odd one above it are the entries of a pair.
    """
    most = max(max(polynomial) for polynomial in polynomials) // 2
    pairs = [(2 * half, 2 * half + 1) for half in range(most, -1, -1)]
    return np.array([[[float(p.get(power, 0)) for p in polynomials] for power in pair] for pair in pairs])


def evaluate(coefficients: Array, t: Array) -> Array:
    """Evaluate polynomials together by Horner's rule in t²: shape (n_polynomials, *t.shape).

    Only + and × are used, elementwise, so that a row has the same bits in any batch.
    """
    square = t * t
    first, *others = coefficients.reshape(*coefficients.shape, *(1,) * t.ndim)
    halves: Array = first * square
    for coefficient in others[:-1]:
        halves += coefficient
        halves *= square
    halves += others[-1]
    values: Array = halves[1]
    values *= t
    values += halves[0]
    return values


def radius_derivative(polynomial: Polynomial, n: int) -> Polynomial:
    """Return Q with d/dR_c [Rⁿ P(w/R)] = Rⁿ⁻¹ Q(w/R), where R = R_c + w: Q = n P − t P′."""
    return {power: (n - power) * coefficient for power, coefficient in polynomial.items()}


#: 4π ∫ Δρ² r² dr = 4π A² R³ P_STABILIZATION(t).
P_STABILIZATION = polynomial({
    0: "128/3465", 5: "-2224/5005", 6: "304/273", 7: "-142/119", 8: "165/238", 9: "-2665/11628", 10: "79/1938",
    11: "-227/74613",
})  # fmt: skip
#: 4π ∫ |∇ρ|² r² dr = 4π A² R P_GRADIENT(t).
P_GRADIENT = polynomial({
    0: "128/315", 3: "6560/1287", 4: "-2560/143", 5: "123496/5005", 6: "-4828/273", 7: "10862/1547", 8: "-25/17",
    9: "370/2907",
})  # fmt: skip
#: ∫ ½ Δρ |v|² d³r = −A U² π R³ P_CIRCULATION(t).
P_CIRCULATION: dict[Frame, Polynomial] = {
    "stream": polynomial({
        0: "136/1155", 3: "-5/7", 4: "55/14", 5: "-197/20", 6: "446/33", 7: "-1707/154", 8: "1605/286", 9: "-145/84",
        10: "27/91", 11: "-27/1232",
    }),
    "laboratory": polynomial({
        0: "328/693", 3: "-5/21", 4: "5/6", 5: "-19/4", 6: "86/9", 7: "-1455/154", 8: "1505/286", 9: "-5555/3276",
        10: "27/91", 11: "-27/1232",
    }),
}  # fmt: skip
#: ∫ ½ |v|² d³r = U² π [a r_max³ + b R³ − R⁶/(3 r_max³)], as (a, b).
VACUUM_COEFFICIENTS: dict[Frame, tuple[Fraction, Fraction]] = {
    "stream": (Fraction(2, 3), Fraction(2, 21)),
    "laboratory": (Fraction(0), Fraction(10, 7)),
}


#: P_CIRCULATION, P_STABILIZATION and P_GRADIENT; and these with their derivatives by R_c.
_VALUES = {frame: together(P, P_STABILIZATION, P_GRADIENT) for frame, P in P_CIRCULATION.items()}
_VALUES_AND_SLOPES = {
    frame: together(
        *(P, P_STABILIZATION, P_GRADIENT),
        *(radius_derivative(P, 3), radius_derivative(P_STABILIZATION, 3), radius_derivative(P_GRADIENT, 1)),
    )
    for frame, P in P_CIRCULATION.items()
}
_VACUUM = {frame: (float(outer), float(inner)) for frame, (outer, inner) in VACUUM_COEFFICIENTS.items()}


def values_and_slopes(frame: Frame, t: Array) -> Array:
    """Evaluate P_CIRCULATION, P_STABILIZATION, P_GRADIENT and their Q of `radius_derivative`: shape (6, *t.shape).

    A monomial goes through fewer than 24 rounded operations.
    """
    return evaluate(_VALUES_AND_SLOPES[frame], t)


@dataclass(frozen=True)
class Vacuum:
    """What all leptons share at a grid point: β, w and λ, arrays that broadcast against R_c."""

    beta: Array
    w: Array
    gradient_coefficient: Array
    r_max: float
    frame: Frame


@dataclass(frozen=True)
class EnergyParts:
    """The three parts of E = circulation − stabilization + gradient, in energy units of the model."""

    circulation: Array
    stabilization: Array
    gradient: Array

    @property
    def total(self) -> Array:
        """E."""
        return self.circulation - self.stabilization + self.gradient


def energy_parts(vacuum: Vacuum, R_c: Array, U: Array, A: Array) -> EnergyParts:
    """Energy of leptons with core radius R_c, circulation velocity U and amplitude A (arrays of one shape)."""
    R = R_c + vacuum.w
    cube = R * R * R
    P1, P2, P3 = evaluate(_VALUES[vacuum.frame], vacuum.w / R)
    A2 = A * A
    stabilization = (4 * pi) * vacuum.beta * A2 * cube * P2
    gradient = (4 * pi) * vacuum.gradient_coefficient * A2 * R * P3
    return EnergyParts(U * U * _circulation_prefactor(vacuum, cube, A, P1), stabilization, gradient)


def circulation_prefactor(vacuum: Vacuum, R_c: Array, A: Array) -> Array:
    """E_circ / U² = K0 − A K1, in model length³."""
    R = R_c + vacuum.w
    P1 = evaluate(_VALUES[vacuum.frame], vacuum.w / R)[0]
    return _circulation_prefactor(vacuum, R * R * R, A, P1)


def _circulation_prefactor(vacuum: Vacuum, cube: Array, A: Array, P1: Array) -> Array:
    """Return K0 − A K1 for R³ and P_CIRCULATION."""
    outer, inner = _VACUUM[vacuum.frame]
    r3 = vacuum.r_max**3
    return pi * (outer * r3 + cube * (inner - cube / (3 * r3))) - A * (pi * cube * P1)


def energy_derivatives(vacuum: Vacuum, R_c: Array, U: Array, A: Array) -> tuple[Array, Array, Array]:
    """∂E/∂R_c, ∂E/∂U and ∂E/∂A, from the same closed forms."""
    R = R_c + vacuum.w
    R2 = R * R
    cube, r3 = R2 * R, vacuum.r_max**3
    P1, P2, P3, Q1, Q2, Q3 = values_and_slopes(vacuum.frame, vacuum.w / R)
    inner = _VACUUM[vacuum.frame][1]
    four_pi_beta, four_pi_lambda = 4 * pi * vacuum.beta, 4 * pi * vacuum.gradient_coefficient
    density = four_pi_lambda * R * P3 - four_pi_beta * cube * P2
    d_density = four_pi_lambda * Q3 - four_pi_beta * R2 * Q2
    d_prefactor = pi * R2 * (3 * inner - 2 * cube / r3 - A * Q1)
    d_radius = U * U * d_prefactor + A * A * d_density
    d_velocity = 2 * U * _circulation_prefactor(vacuum, cube, A, P1)
    d_amplitude = 2 * A * density - U * U * (pi * cube * P1)
    return d_radius, d_velocity, d_amplitude


def out_of_range(path: tuple[str, ...], values: Mapping[Any, float]) -> list[tuple[tuple[str, ...], str]]:
    """Describe every number that is not positive, or too small or too large; by the path to it."""
    return [
        ((*path, name) if name else path, f"is {value:g}; expected a positive number, {SMALLEST:g} to {LARGEST:g}")
        for name, value in values.items()
        if not SMALLEST <= value <= LARGEST
    ]


def outside_physics(name: str, interval: tuple[float, float], r_max: float) -> str | None:
    """Describe why an interval of R_c, U or A cannot be; None where it can."""
    lower, upper = interval
    message = None
    if not (abs(lower) <= LARGEST and abs(upper) <= LARGEST):
        message = f"bounds are numbers from {-LARGEST:g} to {LARGEST:g}"
    elif lower > upper:
        message = "the lower bound is above the upper; swap them"
    elif name.endswith(".R_c") and not SMALLEST <= lower <= upper < r_max:
        message = f"a core radius lies above 0, at {SMALLEST:g} or more, and below r_max = {r_max:g}"
    elif name.endswith(".A") and not 0 <= lower <= upper <= 1:
        message = "an amplitude lies between 0 and 1"
    return f"({lower:g}, {upper:g}): {message}" if message else None
