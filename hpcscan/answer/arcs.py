"""Arcs between two points of a contour, in the metric of the covariance: never chords.

All arrays here are in units of the widths of two coordinates, and n arcs are worked on at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hpcscan.arrays import Array

#: Points that stand for an arc where it is drawn, its end left out.
N_DRAWN = 8


@dataclass(frozen=True)
class Arcs:
    """Curves from p to q that are perpendicular to the gradients there, as seen in units of the errors.

    Attributes
    ----------
    p, q : array, shape (n, 2)
    leaving, arriving : array, shape (n, 2)
        Tangents at the ends, as for a cubic over a unit of time.
    turn : array, shape (n,)
        Angle between them, in units of the errors.
    """

    p: Array
    q: Array
    leaving: Array
    arriving: Array
    turn: Array

    @classmethod
    def between(cls, ends: tuple[Array, Array], slopes: tuple[Array, Array], whitening: Array) -> Arcs:
        """Make arcs of ends, gradients (n, 2), and matrices (n, 2, 2) for which |W d| = 1 at one standard deviation."""
        p, q = ends
        chord = np.einsum("nij,nj->ni", whitening, q - p)
        back = np.asarray(np.linalg.inv(whitening), np.float64)
        leaving, arriving = _tangent(slopes[0], back), _tangent(slopes[1], back)

        # The level lies on one side all along: both tangents are turned by one sign, the one that leads from p to q.
        forward = ((leaving + arriving) * chord).sum(axis=1)
        sign = np.where(forward < 0, -1.0, 1.0)[:, None]
        leaving, arriving = leaving * sign, arriving * sign
        turn = np.arccos(np.clip((leaving * arriving).sum(axis=1), -1, 1))
        # For the arc of a circle this length makes the cubic's middle lie on it.
        length = np.sqrt((chord**2).sum(axis=1)) / np.cos(turn / 4) ** 2
        out, inward = (np.einsum("nij,nj->ni", back, tangent * length[:, None]) for tangent in (leaving, arriving))
        return cls(p, q, out, inward, turn)

    def at(self, t: float) -> Array:
        """Give the points at a time between 0 and 1, shape (n, 2)."""
        left, right = (1 + 2 * t) * (1 - t) ** 2 * self.p, t * t * (3 - 2 * t) * self.q
        result: Array = left + right + t * (1 - t) * ((1 - t) * self.leaving - t * self.arriving)
        return result

    def drawn(self) -> Array:
        """Give the points that stand for each arc, without its end: shape (n, N_DRAWN, 2)."""
        return np.stack([self.at(k / N_DRAWN) for k in range(N_DRAWN)], axis=1)


def _tangent(slope: Array, back: Array) -> Array:
    """Turn gradients by a right angle, and bring them to unit length, in units of the errors."""
    along = np.einsum("nji,nj->ni", back, slope)
    turned = np.stack([-along[:, 1], along[:, 0]], axis=1)
    length = np.sqrt((turned**2).sum(axis=1))
    return np.asarray(turned / np.where(length > 0, length, 1.0)[:, None])
