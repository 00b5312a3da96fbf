"""Magnetic moment and radius of one lepton in closed form, with the same density deficit as its energy.

A pure Hill vortex is poloidal, and its own dipole moment is exactly zero: each kind of moment assumes a charge that
rotates, on top of the flow. With R = R_c + w, t = w/R and unit charge:

    uniform     uniformly charged ball in rigid rotation, of equatorial speed U           R U/5
    deficit     charge density like the deficit, in rigid rotation                        R U I₄(t)/(3 I₂(t))
    vorticity   current like the vorticity, weighted with the density ρ                   2π U R³ (1 − 5 A I₄(t))

The last is the impulse of Hill's vortex at A = 0: Lamb, Hydrodynamics, §165.
"""

from __future__ import annotations

from math import pi
from typing import Literal

import numpy as np

from hpcscan.arrays import Array
from hpcscan.models.leptons.energy import P_STABILIZATION
from hpcscan.models.leptons.polynomial import evaluate, polynomial, radius_derivative, together

#: How the charge moves.
Rotation = Literal["uniform", "deficit", "vorticity"]

#: ∫ x² c T dx, for c = (1 − x²)².
I2 = polynomial({0: "8/105", 3: "-5/21", 4: "5/14", 5: "-13/60", 6: "2/33", 7: "-1/154"})
#: ∫ x⁴ c T dx.
I4 = polynomial({
    0: "8/315", 3: "-5/21", 4: "25/42", 5: "-41/60", 6: "4/9", 7: "-13/77", 8: "5/143", 9: "-5/1638",
})  # fmt: skip
#: ∫ x⁴ c² T² dx.
J4 = polynomial({
    0: "128/15015", 5: "-2224/5005", 6: "152/91", 7: "-4402/1547", 8: "675/238", 9: "-6955/3876", 10: "237/323",
    11: "-14074/74613", 12: "122/4389", 13: "-785/437437",
})  # fmt: skip

#: More than the relative rounding of a moment; I₂ and I₄ lose two bits at most.
ROUNDING = 2.0**-44

#: I₂, I₄ and the Q of `radius_derivative` for I₂, R I₄ and R³ I₄.
_MOMENTS = together(I2, I4, radius_derivative(I2, 0), radius_derivative(I4, 1), radius_derivative(I4, 3))
_SQUARES = together(J4, P_STABILIZATION)


def magnetic_moment(rotation: Rotation, w: Array, R_c: Array, U: Array, A: Array) -> Array:
    """Magnetic moment of leptons for unit charge, of the shape of R_c."""
    R = R_c + w
    if rotation == "uniform":
        return np.asarray(R * U / 5)
    second, fourth = evaluate(_MOMENTS, w / R)[:2]
    if rotation == "deficit":
        return np.asarray(R * U * fourth / (3 * second))
    return np.asarray((2 * pi) * U * (R * R * R) * (1 - 5 * A * fourth))


def moment_derivatives(rotation: Rotation, w: Array, R_c: Array, U: Array, A: Array) -> tuple[Array, Array, Array]:
    """∂μ/∂R_c, ∂μ/∂U and ∂μ/∂A, from the same closed forms."""
    R, none = R_c + w, np.zeros_like(R_c)
    if rotation == "uniform":
        return U / 5, R / 5, none
    second, fourth, d_second, d_fourth, d_cube = evaluate(_MOMENTS, w / R)
    if rotation == "deficit":
        arm = fourth / (3 * second)
        return U * (d_fourth / (3 * second) - arm * d_second / second), R * arm, none
    cube, turn = R * R * R, 1 - 5 * A * fourth
    d_radius = (2 * pi) * U * (R * R) * (3 - 5 * A * d_cube)
    return d_radius, (2 * pi) * cube * turn, (-10 * pi) * U * cube * fourth


def rms_radius(w: Array, R_c: Array) -> Array:
    """Root-mean-square radius of the squared deficit, R √(J₄/P₂): √(3/13) R without a boundary layer."""
    R = R_c + w
    fourth, second = evaluate(_SQUARES, w / R)
    return np.asarray(R * np.sqrt(fourth / second))


def moment_ranges(rotation: Rotation, w: Array, lower: Array, upper: Array) -> tuple[Array, Array]:
    """Enclose the moments of leptons within bounds of R_c, U and A.

    A moment is U times what is not negative and rises with R_c (a test proves it), and falls with A or does not change.

    Parameters
    ----------
    w : array, shape (n, 1)
    lower, upper : array, shape (3, n_leptons)

    Returns
    -------
    lower, upper : array, shape (n, n_leptons)
        Every moment lies between them, also as computed with rounding.
    """
    one = np.ones_like(lower[0])
    least = magnetic_moment(rotation, w, lower[0] + 0 * w, one, upper[2])
    most = magnetic_moment(rotation, w, upper[0] + 0 * w, one, lower[2])
    low, high = (np.minimum(U * least, U * most) for U in (lower[1], -upper[1]))
    return low - ROUNDING * np.abs(low), -high + ROUNDING * np.abs(high)
