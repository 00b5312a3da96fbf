"""Energy of one lepton in closed form: Hill's spherical vortex with a density deficit and a boundary layer.

The density deficit is Δρ = −A (1 − x²)² T inside the outer radius R = R_c + w, with x = r/R and T falling smoothly
from 1 at R_c to 0 at R. On each piece every integrand is a polynomial in x, so each integral is a polynomial in t = w/R
with rational coefficients; a test derives them again, exactly, from the integrals.

Hill's vortex: Lamb, Hydrodynamics, §165.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import pi
from typing import Literal

import numpy as np

from hpcscan.model.interface import Array

Frame = Literal["stream", "laboratory"]
#: Coefficient by power of t.
Polynomial = dict[int, Fraction]
#: Coefficients in double precision, highest power first.
Coefficients = tuple[float, ...]


def _polynomial(terms: dict[int, str]) -> Polynomial:
    return {power: Fraction(coefficient) for power, coefficient in terms.items()}


#: 4π ∫ Δρ² r² dr = 4π A² R³ P_STABILIZATION(t).
P_STABILIZATION = _polynomial({
    0: "128/3465", 5: "-2224/5005", 6: "304/273", 7: "-142/119", 8: "165/238", 9: "-2665/11628", 10: "79/1938",
    11: "-227/74613",
})  # fmt: skip
#: 4π ∫ |∇ρ|² r² dr = 4π A² R P_GRADIENT(t).
P_GRADIENT = _polynomial({
    0: "128/315", 3: "6560/1287", 4: "-2560/143", 5: "123496/5005", 6: "-4828/273", 7: "10862/1547", 8: "-25/17",
    9: "370/2907",
})  # fmt: skip
#: ∫ ½ Δρ |v|² d³r = −A U² π R³ P_CIRCULATION(t).
P_CIRCULATION: dict[Frame, Polynomial] = {
    "stream": _polynomial({
        0: "136/1155", 3: "-5/7", 4: "55/14", 5: "-197/20", 6: "446/33", 7: "-1707/154", 8: "1605/286", 9: "-145/84",
        10: "27/91", 11: "-27/1232",
    }),
    "laboratory": _polynomial({
        0: "328/693", 3: "-5/21", 4: "5/6", 5: "-19/4", 6: "86/9", 7: "-1455/154", 8: "1505/286", 9: "-5555/3276",
        10: "27/91", 11: "-27/1232",
    }),
}  # fmt: skip
#: ∫ ½ |v|² d³r = U² π [a r_max³ + b R³ − R⁶/(3 r_max³)], as (a, b).
VACUUM_COEFFICIENTS: dict[Frame, tuple[Fraction, Fraction]] = {
    "stream": (Fraction(2, 3), Fraction(2, 21)),
    "laboratory": (Fraction(0), Fraction(10, 7)),
}


def horner(coefficients: Coefficients, t: Array) -> Array:
    """Evaluate a polynomial elementwise by Horner's rule: + and × alone, so a row has the same bits in any batch."""
    value = np.full_like(t, coefficients[0])
    for coefficient in coefficients[1:]:
        value *= t
        if coefficient:
            value += coefficient
    return value


def _coefficients(polynomial: Polynomial) -> Coefficients:
    """Round the coefficients to doubles, highest power first."""
    return tuple(float(polynomial.get(power, 0)) for power in range(max(polynomial), -1, -1))


def _radius_derivative(polynomial: Polynomial, n: int) -> Coefficients:
    """Give Q with d/dR_c [Rⁿ P(w/R)] = Rⁿ⁻¹ Q(w/R), where R = R_c + w: Q = n P − t P′."""
    return _coefficients({power: (n - power) * coefficient for power, coefficient in polynomial.items()})


_STABILIZATION, _GRADIENT = _coefficients(P_STABILIZATION), _coefficients(P_GRADIENT)
_CIRCULATION = {frame: _coefficients(polynomial) for frame, polynomial in P_CIRCULATION.items()}
_D_STABILIZATION, _D_GRADIENT = _radius_derivative(P_STABILIZATION, 3), _radius_derivative(P_GRADIENT, 1)
_D_CIRCULATION = {frame: _radius_derivative(polynomial, 3) for frame, polynomial in P_CIRCULATION.items()}
_VACUUM = {frame: (float(outer), float(inner)) for frame, (outer, inner) in VACUUM_COEFFICIENTS.items()}


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


def circulation_prefactor(vacuum: Vacuum, R_c: Array, A: Array) -> Array:
    """E_circ / U² = K0 − A K1, in model length³."""
    R = R_c + vacuum.w
    cube = R * R * R
    outer, inner = _VACUUM[vacuum.frame]
    r3 = vacuum.r_max**3
    K0 = pi * (outer * r3 + cube * (inner - cube / (3 * r3)))
    K1 = pi * cube * horner(_CIRCULATION[vacuum.frame], vacuum.w / R)
    return K0 - A * K1


def energy_parts(vacuum: Vacuum, R_c: Array, U: Array, A: Array) -> EnergyParts:
    """Energy of leptons with core radius R_c, circulation velocity U and amplitude A (arrays of one shape)."""
    R = R_c + vacuum.w
    t = vacuum.w / R
    A2 = A * A
    stabilization = (4 * pi) * vacuum.beta * A2 * (R * R * R) * horner(_STABILIZATION, t)
    gradient = (4 * pi) * vacuum.gradient_coefficient * A2 * R * horner(_GRADIENT, t)
    return EnergyParts(U * U * circulation_prefactor(vacuum, R_c, A), stabilization, gradient)


def energy_derivatives(vacuum: Vacuum, R_c: Array, U: Array, A: Array) -> tuple[Array, Array, Array]:
    """∂E/∂R_c, ∂E/∂U and ∂E/∂A, from the same closed forms."""
    R = R_c + vacuum.w
    t = vacuum.w / R
    R2 = R * R
    cube = R2 * R
    r3 = vacuum.r_max**3
    inner = _VACUUM[vacuum.frame][1]
    four_pi_beta, four_pi_lambda = 4 * pi * vacuum.beta, 4 * pi * vacuum.gradient_coefficient
    K1 = pi * cube * horner(_CIRCULATION[vacuum.frame], t)
    density = four_pi_lambda * R * horner(_GRADIENT, t) - four_pi_beta * cube * horner(_STABILIZATION, t)
    d_density = four_pi_lambda * horner(_D_GRADIENT, t) - four_pi_beta * R2 * horner(_D_STABILIZATION, t)
    d_K0 = pi * R2 * (3 * inner - 2 * cube / r3)
    d_K1 = pi * R2 * horner(_D_CIRCULATION[vacuum.frame], t)
    d_radius = U * U * (d_K0 - A * d_K1) + A * A * d_density
    d_velocity = 2 * U * circulation_prefactor(vacuum, R_c, A)
    d_amplitude = 2 * A * density - U * U * K1
    return d_radius, d_velocity, d_amplitude
