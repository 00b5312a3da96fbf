"""The functions Rⁿ P(w/R) of which a lepton's energy is made, with proven bounds of their second derivatives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hpcscan.arrays import Array
from hpcscan.models.leptons.energy import P_CIRCULATION, P_GRADIENT, P_STABILIZATION, Frame
from hpcscan.models.leptons.polynomial import Polynomial


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
