"""Where starts of toys lead: seen from the curvature of minima that are known, before they have arrived.

Most starts of a toy only have to show that they lead to where its fit has ended anyhow.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from hpcscan.arrays import Array, BoolArray
from hpcscan.fitting.guided import Guide
from hpcscan.fitting.quadratic import NormalEquations
from hpcscan.fitting.tries import Standing
from hpcscan.likelihood.linear import products
from hpcscan.likelihood.objective import Evaluation, Given, Objective
from hpcscan.tolerance import TIE_ABSOLUTE

#: What is no more than this above a known minimum, and that about as much as the quadratic model around it has it,
#: belongs to the minimum: the two may differ by this share, and by this besides.
BESIDE, SHARE, SLACK = 4.0, 0.5, 0.05


@dataclass(frozen=True)
class Basins(Guide):
    """What is known of minima and of the curvature there, by which more starts are seen to lead there.

    Attributes
    ----------
    hessian : array, shape (n_parameters, n_parameters, n_points)
        Half that of χ², in units of the box's widths; NaN where it is not known.
    """

    hessian: Array = field(default_factory=lambda: np.empty((0, 0, 0)))

    def after(
        self, place: Standing, equations: NormalEquations, is_fresh: BoolArray
    ) -> tuple[BoolArray, BoolArray, Array]:
        """Return the same; rows beside a known minimum lead there, too."""
        has_reached, is_lost, known = super().after(place, equations, is_fresh)
        point, width = self.owner[place.row], self.objective.box.width
        is_beside = beside((place.x - self.x[:, point]) / width, self.hessian[:, :, point], place.chi2 - known)
        return has_reached | is_beside, is_lost & ~is_beside, known


def beside(apart: Array, hessian: Array, above: Array) -> BoolArray:
    """Return what belongs to a minimum: χ² rises from there to here about as its quadratic model has it.

    Parameters
    ----------
    apart : array, shape (p, n)
        The way from the minimum, in units of the box's widths.
    hessian : array, shape (p, p, n)
    above : array, shape (n,)
        χ² above that of the minimum.
    """
    expected = np.add.reduce(apart * products(hessian, apart), axis=0)
    is_low = (above >= -TIE_ABSOLUTE) & (np.maximum(above, expected) <= BESIDE)
    is_beside: BoolArray = is_low & (np.abs(above - expected) <= SHARE * np.minimum(above, expected) + SLACK)
    return is_beside


class Forward(Objective):
    """Differentiates forward, however few derivatives are had otherwise: half the rows, and no step without them."""

    def slopes(self, given: Given, x: Array, at: Evaluation) -> Array:
        """Do the same as `Objective.slopes`."""
        return self.forward_slopes(given, x, at)

    def needs_differences(self, given: Given, x: Array) -> bool:
        """Return that steps are those of derivatives found anew."""
        return False
