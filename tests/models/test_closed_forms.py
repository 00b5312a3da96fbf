"""The constants of the closed forms follow from the integrals by exact rational arithmetic."""

from __future__ import annotations

from fractions import Fraction

import pytest

from hpcscan.models.leptons.energy import P_CIRCULATION, P_GRADIENT, P_STABILIZATION, VACUUM_COEFFICIENTS

from .exact import (
    DS5,
    S5,
    add,
    core_integral,
    in_layer,
    layer_integral,
    power_series,
    product,
    scaled,
    times,
    total,
)

ONE, X2 = {0: Fraction(1)}, {2: Fraction(1)}
#: c = (1 − x²)² and its derivative.
C = {0: Fraction(1), 2: Fraction(-2), 4: Fraction(1)}
DC = {1: Fraction(-4), 3: Fraction(4)}
#: Interior field of Hill's vortex: v_r = −U radial cos θ, v_θ = U polar sin θ.
INTERIOR = {
    "stream": ({0: Fraction(3, 2), 2: Fraction(-3, 2)}, {0: Fraction(3, 2), 2: Fraction(-3)}),
    "laboratory": ({0: Fraction(5, 2), 2: Fraction(-3, 2)}, {0: Fraction(5, 2), 2: Fraction(-3)}),
}


def speed_squared(frame: str) -> dict[int, Fraction]:
    """|v|²/U² averaged over the sphere: ⟨cos²θ⟩ = 1/3 and ⟨sin²θ⟩ = 2/3."""
    radial, polar = INTERIOR[frame]
    third = {0: Fraction(1, 3)}
    return total(product(third, radial, radial), product({0: Fraction(2, 3)}, polar, polar))


def test_stabilization_is_the_integral_of_the_squared_deficit() -> None:
    """∫ c² T² x² dx."""
    squared = product(C, C, X2)
    derived = add(core_integral(squared), layer_integral(times(in_layer(squared), times(S5, S5))))
    assert power_series(derived) == P_STABILIZATION


def test_gradient_is_the_integral_of_the_squared_slope() -> None:
    """∫ (d(c T)/dx)² x² dx, where dT/dx = −S₅′(s)/t."""
    slope = add(times(in_layer(DC), S5), scaled(times(in_layer(C), DS5), -1, t_power=-1))
    layer = layer_integral(times(times(slope, slope), in_layer(X2)))
    derived = add(core_integral(product(DC, DC, X2)), layer)
    assert power_series(derived) == P_GRADIENT


@pytest.mark.parametrize("frame", ["stream", "laboratory"])
def test_circulation_is_the_integral_of_the_deficit_in_the_flow(frame: str) -> None:
    """½ · 4π ∫ c T ⟨|v|²⟩ x² dx = π P."""
    integrand = product({0: Fraction(2)}, C, speed_squared(frame), X2)
    derived = add(core_integral(integrand), layer_integral(times(in_layer(integrand), S5)))
    assert power_series(derived) == P_CIRCULATION[frame]


@pytest.mark.parametrize("frame", ["stream", "laboratory"])
def test_vacuum_energy_is_the_integral_of_the_flow(frame: str) -> None:
    """½ · 4π ∫ ⟨|v|²⟩ r² dr = π [a r_max³ + b R³ − R⁶/(3 r_max³)], inside by x, outside by the powers of x."""
    outer, inner = VACUUM_COEFFICIENTS[frame]
    interior = 2 * sum(c / (n + 3) for n, c in speed_squared(frame).items())
    # Outside, the mean of |v|²/U² is 1 + x⁻⁶/2 in the stream, where the terms in x⁻³ cancel, and x⁻⁶/2 without it.
    uniform = Fraction(1) if frame == "stream" else Fraction(0)
    at_infinity = 2 * uniform / 3
    at_surface = 2 * uniform / 3 - 2 * Fraction(1, 2) / 3
    assert outer == at_infinity
    assert inner == interior - at_surface
