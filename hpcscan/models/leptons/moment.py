"""Magnetic moment and radius of one lepton in closed form, and ranges of its energy where the moment is known.

The density deficit is that of the energy. A pure Hill vortex is poloidal, and its own dipole moment is exactly zero:
each kind of moment assumes a charge that rotates, on top of the flow. With R = R_c + w, t = w/R and unit charge:

    uniform     uniformly charged ball in rigid rotation, of equatorial speed U           R U/5
    deficit     charge density like the deficit, in rigid rotation                        R U I₄(t)/(3 I₂(t))
    vorticity   current like the vorticity, weighted with the density ρ                   2π U R³ (1 − 5 A I₄(t))

The last is the impulse of Hill's vortex at A = 0: Lamb, Hydrodynamics, §165.

For the uniformly charged ball the moment bounds U at given R, and E rises with U² (`leptons.energy_ranges`):

    max(U_lower, 5 μ_lower/R) ≤ U ≤ min(U_upper, 5 μ_upper/R)

E is lowest at the first and highest at the second, each of which is constant on one side of some R and falls as 1/R on
the other. Both sides are minimised over R and A by branch and bound, as the ranges without moments are. Ends are moved
outward by more than the rounding of a moment that was computed from R and U.

Beside the energy the ratio μ/E is no narrow function of the moment, but one of the energy, among the moments that go
with it. Those are found from outside: a part of their range is left out whose energies are all others.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import pi
from typing import Literal

import numpy as np

from hpcscan.arrays import Array, IntArray
from hpcscan.model.interface import Together
from hpcscan.models.leptons.energy import P_STABILIZATION, Vacuum, evaluate, polynomial, radius_derivative, together
from hpcscan.models.leptons.energy_enclosure import Problems, enclose
from hpcscan.models.leptons.energy_ranges import lower_bounds

#: How the charge moves.
Rotation = Literal["uniform", "deficit", "vorticity"]

#: More than the relative rounding of a moment, or of a radius that follows from one.
OUTWARD = 2.0**-49
#: U R over the moment of the uniformly charged ball.
BALL = 5.0
#: Energies are known for so many parts of the range of moments, of which so many smaller ones are tried at either end.
PARTS, TRIES = 1024, 6

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


@dataclass(frozen=True)
class ByMoment:
    """The energies of one lepton by its moment.

    Attributes
    ----------
    vacuum : Vacuum
        n grid points: arrays of shape (n, 1).
    lower, upper : array, shape (3,)
        Bounds of R_c, U and A, with 0 < U.
    """

    vacuum: Vacuum
    lower: Array
    upper: Array

    @property
    def moments(self) -> tuple[Array, Array]:
        """The range of the moment at every grid point, shape (n, 1)."""
        low, high = ((end[0] + self.vacuum.w) * end[1] / BALL for end in (self.lower, self.upper))
        return low * (1 - OUTWARD), high * (1 + OUTWARD)

    def together(self, terms: tuple[str, str], energies: tuple[Array, Array] | None) -> Together:
        """Follow energy and moment along the moment; energy and moment over energy along the energy, in this range."""
        if energies is not None:
            return Together(terms, *energies, self.enclose_ratio)
        low, high = self.moments
        return Together(terms, low[:, 0], high[:, 0], self.enclose)

    def enclose(self, point: IntArray, lower: Array, upper: Array) -> tuple[Array, Array]:
        """Enclose energy and moment for moments between these ends: two arrays of shape (m, 2)."""
        energies, moments = self.energies(point, lower, upper), (lower * (1 - OUTWARD), upper * (1 + OUTWARD))
        low, high = (np.stack(sides, axis=1) for sides in zip(energies, moments, strict=True))
        return low, high

    def enclose_ratio(self, point: IntArray, lower: Array, upper: Array) -> tuple[Array, Array]:
        """Enclose energy and moment over energy for energies between these ends: two arrays of shape (m, 2)."""
        left_out = [self._left_out(point, lower, upper, is_upper=is_upper) for is_upper in (False, True)]
        moments = (
            self._moment_at(point, left_out[0]) * (1 - OUTWARD),
            self._moment_at(point, 1 - left_out[1]) * (1 + OUTWARD),
        )
        ratios = quotient(moments, (lower, upper))
        low, high = (np.stack(sides, axis=1) for sides in zip((lower, upper), ratios, strict=True))
        is_impossible = left_out[0] + left_out[1] >= 1
        return np.where(is_impossible[:, None], np.inf, low), np.where(is_impossible[:, None], -np.inf, high)

    def _moment_at(self, point: IntArray, share: Array) -> Array:
        """Moment at a share of the logarithm of their range."""
        low, high = (end[point, 0] for end in self.moments)
        return np.asarray(np.clip(low * (high / low) ** share, low, high))

    @cached_property
    def _energies_of_parts(self) -> tuple[Array, Array]:
        """Enclose the energies in every part of the range of moments, at every grid point: shape (n, PARTS) each."""
        n = len(self.vacuum.w)
        point, part = np.repeat(np.arange(n), PARTS), np.tile(np.arange(PARTS), n)
        ends = (self._moment_at(point, (part + k) / PARTS) for k in (0, 1))
        least, most = (side.reshape(n, PARTS) for side in self.energies(point, *ends))
        return least, most

    def _left_out(self, point: IntArray, lower: Array, upper: Array, *, is_upper: bool) -> Array:
        """Share of the range of moments, from an end of it, whose leptons have no energy between these; shape (m,)."""
        least, most = (side[point] for side in self._energies_of_parts)
        is_other = (most < lower[:, None]) | (least > upper[:, None])
        is_other = is_other[:, ::-1] if is_upper else is_other
        share = np.where(is_other.all(axis=1), PARTS, (~is_other).argmax(axis=1)) / PARTS
        step = np.full(len(point), 0.5 / PARTS)
        for _ in range(TRIES):
            more = np.minimum(share + step, 1.0)
            ends = (1 - more, 1 - share) if is_upper else (share, more)
            low, high = self.energies(point, *(self._moment_at(point, end) for end in ends))
            share = np.where((high < lower) | (low > upper), more, share)
            step *= 0.5
        return share

    def energies(self, point: IntArray, lower: Array, upper: Array) -> tuple[Array, Array]:
        """Enclose the energies at some of the points, for moments between these ends; all of shape (m,)."""
        slow, fast = self.lower[1], self.upper[1]
        product_low, product_high = lower * BALL * (1 - OUTWARD), upper * BALL * (1 + OUTWARD)
        w = self.vacuum.w[point, 0]
        left = np.clip(product_low / fast * (1 - OUTWARD), self.lower[0] + w, self.upper[0] + w)
        right = np.clip(product_high / slow * (1 + OUTWARD), left, self.upper[0] + w)
        with np.errstate(all="ignore"):
            lowest = np.minimum(
                self._least(point, 1.0, product_low, 2, left, np.minimum(right, product_low / slow * (1 + OUTWARD))),
                self._least(point, 1.0, slow, 0, np.maximum(left, product_low / slow * (1 - OUTWARD)), right),
            )
            minus_highest = np.minimum(
                self._least(point, -1.0, fast, 0, left, np.minimum(right, product_high / fast * (1 + OUTWARD))),
                self._least(point, -1.0, product_high, 2, np.maximum(left, product_high / fast * (1 - OUTWARD)), right),
            )
        return lowest, -minus_highest

    def _least(  # noqa: PLR0913, PLR0917  (sign, velocity or its product with R, and an interval of R)
        self, point: IntArray, sign: float, moving: Array | float, held: Literal[0, 2], left: Array, right: Array
    ) -> Array:
        """Bound ±E from below over A and left ≤ R ≤ right, at given U or U R; infinite where there is no such R."""
        result = np.full(len(point), np.inf)
        row = np.flatnonzero(left <= right)
        column = np.broadcast_to(moving, len(point))[row]
        beta, w, gradient = (
            np.broadcast_to(values, (len(self.vacuum.w), 1))[point[row], 0]
            for values in (self.vacuum.beta, self.vacuum.w, self.vacuum.gradient_coefficient)
        )
        problems = Problems(
            self.vacuum.r_max,
            self.vacuum.frame,
            w=w,
            circulation=sign * pi * column * column,
            stabilization=4 * pi * sign * beta,
            gradient=4 * pi * sign * gradient,
            A_lower=np.full(len(row), self.lower[2]),
            A_upper=np.full(len(row), self.upper[2]),
            held=held,
        )
        if len(row):
            ends = left[row], right[row]
            result[row] = lower_bounds(lambda some, *piece: enclose(problems.take(some), *piece), *ends)
        return result


def quotient(numerator: tuple[Array, Array], denominator: tuple[Array, Array]) -> tuple[Array, Array]:
    """Enclose what is between two ends over what is between two others; anything where the latter may be zero."""
    (low, high), (least, most) = numerator, denominator
    with np.errstate(all="ignore"):
        ends = np.stack([low / least, low / most, high / least, high / most])
    is_open = ~((least > 0) | (most < 0))
    margin = OUTWARD * np.abs(ends).max(axis=0)
    lower, upper = ends.min(axis=0) - margin, ends.max(axis=0) + margin
    return np.where(is_open, -np.inf, lower), np.where(is_open, np.inf, upper)
