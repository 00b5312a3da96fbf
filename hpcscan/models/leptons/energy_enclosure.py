"""Rigorous lower bounds of ±E over a piece of a lepton's box, by a Taylor form with bounded second derivative.

At fixed U the energy is quadratic in A, with coefficients that depend on the outer radius R = R_c + w alone:

    ±E = c k0(R) − A c k1(R) + A² d(R),    c = ±π U²,  k0 = K0/π,  k1 = R³ P1(t),  d = g R P3(t) − b R³ P2(t)

where g = ±4πλ and b = ±4πβ. Where U R is held instead of U (a moment), c is ±π (U R)², and k0 and k1 are divided by R².
With bounds L of their second derivatives on a piece of half-width η around R,

    ±E(R + δ, A) ≥ c k0 + c k0′ δ − ½ L₀ η²  −  A (c k1 + c k1′ δ + ½ L₁ η²)  +  A² (d + d′ δ − ½ L₂ η²)

for every |δ| ≤ η. The minimum over A of the right-hand side is a closed form. It is concave in δ, as a minimum of
functions linear in δ, and so is lowest at δ = −η or δ = +η. Nothing here depends on having found the minimum of E.

Rounding: E is a sum of monomials of R, w, A and U. Neither this module nor `leptons.energy` takes a monomial
through more than 64 rounded operations, so that each of them errs by at most 64 × 2⁻⁵³ times the sum of the absolute
values of the monomials, and both together by 128 × 2⁻⁵³ times that. In the terms with δ and η² a monomial Rⁿ tᵏ has
gained factors up to 8 η/R and 36 (η/R)². Every bound is lowered by that much, and so holds for computed energies too.
A piece that has shrunk to an end of where the energy is monotone stands for all of that: the energies computed there
err by as much as the monomials there allow, and not just those at the end.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hpcscan.arrays import Array
from hpcscan.models.leptons.energy import (
    P_CIRCULATION,
    P_GRADIENT,
    P_STABILIZATION,
    VACUUM_COEFFICIENTS,
    Frame,
    Polynomial,
    values_and_slopes,
)

#: Outward margin, relative to the sum of the absolute values of the monomials of an energy.
ROUNDING = 128 * 2.0**-53
#: By how much the monomials of the terms with δ and η² are larger, by the power of R that divides k0 and k1.
GAINED = {0: (8, 36), 2: (10, 55)}


@dataclass(frozen=True)
class Shape:
    """The function Rⁿ P(t) of the outer radius R, where t = w/R and 0 < t < 1.

    Its second derivative is Rⁿ⁻² W(t).

    Attributes
    ----------
    curvature : (float, float, float)
        (a, b, m) such that |W(t)| ≤ min(a + b t³, m) for 0 ≤ t ≤ 1; a test proves it by exact arithmetic.
    magnitude : (float, float)
        (a, b) such that the absolute values of the terms of P add up to at most a + b t³ for 0 ≤ t ≤ 1.
    """

    curvature: tuple[float, float, float]
    magnitude: tuple[float, float]

    @classmethod
    def of(cls, polynomial: Polynomial, curvature: tuple[float, float, float]) -> Shape:
        """Describe Rⁿ P(w/R)."""
        beyond = sum(abs(coefficient) for power, coefficient in polynomial.items() if power)
        return cls(curvature, (float(polynomial[0]), float(beyond)))

    def curvature_up_to(self, t: Array) -> Array:
        """Bound |W| between 0 and t."""
        a, b, most = self.curvature
        return np.minimum(a + b * (t * t * t), most)

    def magnitude_up_to(self, t: Array) -> Array:
        """Bound the sum of the absolute values of the terms of P between 0 and t."""
        a, b = self.magnitude
        return a + b * (t * t * t)


#: R³ P2, R P3 and R³ P1. The curvatures are rounded up.
STABILIZATION = Shape.of(P_STABILIZATION, (0.222, 0.1, 0.3))
GRADIENT = Shape.of(P_GRADIENT, (0.0, 31.0, 0.7))
CIRCULATION: dict[Frame, Shape] = {
    "stream": Shape.of(P_CIRCULATION["stream"], (0.707, 0.2, 0.9)),
    "laboratory": Shape.of(P_CIRCULATION["laboratory"], (2.84, 0.75, 3.5)),
}
#: R P1, of an energy at given U R. Divided by R², the same terms have the same magnitudes.
CIRCULATION_OVER_SQUARE: dict[Frame, Shape] = {
    "stream": Shape.of(P_CIRCULATION["stream"], (0.0, 4.3, 0.092)),
    "laboratory": Shape.of(P_CIRCULATION["laboratory"], (0.0, 1.9, 0.31)),
}


@dataclass(frozen=True)
class Problems:
    """Minimisations of ±E over A and R at given U; arrays of shape (n,).

    Attributes
    ----------
    r_max : float
        Radius of the domain.
    frame : {"stream", "laboratory"}
    w : array
        Thickness of the boundary layer.
    circulation, stabilization, gradient : array
        ±π U², or ±π (U R)², ±4πβ and ±4πλ.
    A_lower, A_upper : array
        0 ≤ A_lower ≤ A_upper.
    held : {0, 2}
        Whether `circulation` is made of U, or of U R: the power of R that divides k0 and k1.
    """

    r_max: float
    frame: Frame
    w: Array
    circulation: Array
    stabilization: Array
    gradient: Array
    A_lower: Array
    A_upper: Array
    held: Literal[0, 2] = 0

    def take(self, row: NDArray[np.integer]) -> Problems:
        """Select rows."""
        return replace(self, **{name: getattr(self, name)[row] for name in _COLUMNS})

    def least(self, form: Form) -> Array:
        """Minimise a form over A: the least of its values at the ends, and at the vertex where that is between them."""
        # Where the form is not convex the vertex is no minimum, and clipped to an end it does no harm.
        vertex = np.minimum(np.maximum(form.linear / (-2 * form.quadratic), self.A_lower), self.A_upper)
        ends = np.fmin(form.at(self.A_lower), form.at(self.A_upper))
        return np.fmin(ends, form.at(vertex))

    def lowest(self, form: Form) -> Array:
        """Return the A at which a form is least."""
        vertex = np.where(form.quadratic > 0, -form.linear / (2 * form.quadratic), self.A_lower)
        vertex = np.clip(vertex, self.A_lower, self.A_upper)
        end = np.where(form.at(self.A_upper) < form.at(self.A_lower), self.A_upper, self.A_lower)
        return np.where(form.at(vertex) < form.at(end), vertex, end)


_COLUMNS = ("w", "circulation", "stabilization", "gradient", "A_lower", "A_upper")


@dataclass(frozen=True)
class Form:
    """The polynomial constant + A linear + A² quadratic; arrays of shape (n,)."""

    constant: Array
    linear: Array
    quadratic: Array

    def at(self, A: Array) -> Array:
        """Evaluate it."""
        return self.constant + A * (self.linear + A * self.quadratic)

    def times(self, factor: Array | float) -> Form:
        """Multiply it."""
        return Form(factor * self.constant, factor * self.linear, factor * self.quadratic)

    def absolute(self) -> Form:
        """Take the absolute value of every coefficient."""
        return Form(np.abs(self.constant), np.abs(self.linear), np.abs(self.quadratic))

    def plus(self, factor: Array | float, other: Form) -> Form:
        """Add a multiple of another form."""
        return Form(
            self.constant + factor * other.constant,
            self.linear + factor * other.linear,
            self.quadratic + factor * other.quadratic,
        )


@dataclass(frozen=True)
class Enclosure:
    """What is known of min over A of ±E on pieces of R; arrays of shape (n,).

    Attributes
    ----------
    lower : array
        Rigorous lower bound over the piece.
    centre : array
        Value at the middle of the piece, to rounding.
    slope_lower, slope_upper : array
        Enclosure of ∂(±E)/∂R over the piece and all A.
    magnitude : array
        Sum of the absolute values of the monomials of which energies of the piece are made, at most.
    scale : array
        Sum of the absolute values of the terms of `centre`: what it has by A⁰, A and A².
    """

    lower: Array
    centre: Array
    slope_lower: Array
    slope_upper: Array
    magnitude: Array
    scale: Array

    def take(self, piece: NDArray[np.integer]) -> Enclosure:
        """Select pieces."""
        return Enclosure(*(getattr(self, field.name)[piece] for field in fields(self)))


def enclose(problems: Problems, left: Array, right: Array, first: Array, last: Array) -> Enclosure:
    """Enclose ±E over A and left ≤ R ≤ right, row by row, for energies computed at first ≤ R ≤ last."""
    R = 0.5 * (left + right)
    half = np.maximum(R - left, right - R)
    relative = half / left
    first_order, second_order = GAINED[problems.held]
    # E(R) ≥ E(R₀) + E′(R₀)(R − R₀) − ½ max|E″| (R − R₀)², less the rounding of what is computed in the piece.
    value, slope = _value_and_slope(problems, R)
    curvature, magnitude = _curvature(problems, left, right), _magnitude(problems, first, last)
    lowered = value.plus(-0.5 * half * half, curvature).plus(
        -ROUNDING * (1 + relative * (first_order + second_order * relative)), magnitude
    )
    # E′ over the piece is within max|E″| |R − R₀| of E′(R₀).
    slope_error = curvature.times(half).plus(ROUNDING * (first_order + 2 * second_order * relative) / left, magnitude)
    A = problems.lowest(value)
    return Enclosure(
        lower=np.minimum(problems.least(lowered.plus(-half, slope)), problems.least(lowered.plus(half, slope))),
        centre=value.at(A),
        slope_lower=problems.least(slope.plus(-1, slope_error)),
        slope_upper=-problems.least(slope.plus(1, slope_error).times(-1)),
        magnitude=magnitude.at(A),
        scale=value.absolute().at(A),
    )


def _value_and_slope(problems: Problems, R: Array) -> tuple[Form, Form]:
    """Return ±E and ∂(±E)/∂R at R."""
    R2 = R * R
    R3 = R2 * R
    c, g, b = problems.circulation, problems.gradient, problems.stabilization
    r3 = problems.r_max**3
    outer, inner = map(float, VACUUM_COEFFICIENTS[problems.frame])
    P1, P2, P3, Q1, Q2, Q3 = values_and_slopes(problems.frame, problems.w / R)
    density, d_density = g * R * P3 - b * R3 * P2, g * Q3 - b * R2 * Q2
    # At given U R the energy has U² = (U R)²/R²: k0 and k1 are divided by R².
    if problems.held:
        k0 = outer * r3 / R2 + R * (inner - R3 / (3 * r3))
        dk0 = inner - 4 * R3 / (3 * r3) - 2 * outer * r3 / R3
        return Form(c * k0, -c * R * P1, density), Form(c * dk0, -c * (Q1 - 2 * P1), d_density)
    value = Form(c * (outer * r3 + R3 * (inner - R3 / (3 * r3))), -c * R3 * P1, density)
    slope = Form(c * R2 * (3 * inner - 2 * R3 / r3), -c * R2 * Q1, d_density)
    return value, slope


def _curvature(problems: Problems, left: Array, right: Array) -> Form:
    """Bound the absolute second derivatives by R of the coefficients of ±E over the piece."""
    t, R = problems.w / left, right
    r3 = problems.r_max**3
    outer, inner = map(float, VACUUM_COEFFICIENTS[problems.frame])
    c, g, b = (np.abs(factor) for factor in (problems.circulation, problems.gradient, problems.stabilization))
    density = g * GRADIENT.curvature_up_to(t) / left + b * R * STABILIZATION.curvature_up_to(t)
    if problems.held:
        # Every power of R is taken at the end of the piece where it is largest.
        square = left * left
        k0 = 6 * outer * r3 / (square * square) + 4 * R * R / r3
        return Form(c * k0, c / left * CIRCULATION_OVER_SQUARE[problems.frame].curvature_up_to(t), density)
    bend = CIRCULATION[problems.frame].curvature_up_to(t)
    return Form(c * R * (6 * inner + 10 * R * R * R / r3), c * R * bend, density)


def _magnitude(problems: Problems, left: Array, right: Array) -> Form:
    """Bound the sums of the absolute values of the monomials in the coefficients of ±E over the piece."""
    t, R3 = problems.w / left, right * right * right
    r3 = problems.r_max**3
    outer, inner = map(float, VACUUM_COEFFICIENTS[problems.frame])
    c, g, b = (np.abs(factor) for factor in (problems.circulation, problems.gradient, problems.stabilization))
    density = g * right * GRADIENT.magnitude_up_to(t) + b * R3 * STABILIZATION.magnitude_up_to(t)
    terms = CIRCULATION[problems.frame].magnitude_up_to(t)
    if problems.held:
        return Form(c * (outer * r3 / (left * left) + right * (inner + R3 / (3 * r3))), c * right * terms, density)
    return Form(c * (outer * r3 + R3 * (inner + R3 / (3 * r3))), c * R3 * terms, density)
