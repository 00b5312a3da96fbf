"""Rigorous ranges of a lepton's energy where its magnetic moment is known to lie in an interval.

For the uniformly charged ball the moment is U R/5. So at given R it bounds U, and E rises with U² (`leptons.ranges`):

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
from hpcscan.models.leptons.branching import lower_bounds
from hpcscan.models.leptons.enclosure import Problems, enclose
from hpcscan.models.leptons.energy import Vacuum

#: More than the relative rounding of a moment, or of a radius that follows from one.
OUTWARD = 2.0**-49
#: U R over the moment of the uniformly charged ball.
BALL = 5.0
#: Energies are known for so many parts of the range of moments, of which so many smaller ones are tried at either end.
PARTS, TRIES = 1024, 6


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
