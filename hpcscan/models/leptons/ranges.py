"""Rigorous ranges of the lepton energies over the boxes of their parameters.

E_circ = ∫ ½ ρ |v|² is U² times a factor that is not negative, because ρ = 1 − A c T is not: so E is lowest at the
smallest U² and highest at the largest, whatever R_c and A; so is the computed E, since rounding keeps the order of what
is rounded. Over R_c and A it is minimised rigorously.
"""

from __future__ import annotations

from math import pi

import numpy as np

from hpcscan.arrays import Array
from hpcscan.models.leptons.branching import lower_bounds
from hpcscan.models.leptons.enclosure import Problems, enclose
from hpcscan.models.leptons.energy import Vacuum


def energy_ranges(vacuum: Vacuum, lower: Array, upper: Array) -> tuple[Array, Array]:
    """Enclose the energies that leptons can have.

    Parameters
    ----------
    vacuum : Vacuum
        n grid points: arrays of shape (n, 1).
    lower, upper : array, shape (3, n_leptons)
        Bounds of R_c, U and A: 0 < R_c, R_c + w < r_max and 0 ≤ A ≤ 1. Equal ones fix a parameter.

    Returns
    -------
    lower, upper : array, shape (n, n_leptons)
        Every energy in the box, computed or exact, lies between them.
    """
    problems, left, right = _minimisations(vacuum, lower, upper)
    with np.errstate(all="ignore"):
        bound = lower_bounds(lambda row, *piece: enclose(problems.take(row), *piece), left.ravel(), right.ravel())
    lowest, minus_highest = bound.reshape(left.shape)
    return lowest, -minus_highest


def _minimisations(vacuum: Vacuum, lower: Array, upper: Array) -> tuple[Problems, Array, Array]:
    """Pose the minimisations of E, then those of −E, with the interval of R; shape (2, n, n_leptons)."""
    shape = (2, *np.broadcast_shapes(vacuum.w.shape, lower[0].shape))
    sign = np.array([1.0, -1.0]).reshape(2, 1, 1)
    slowest, fastest = _squares(lower[1], upper[1])

    def rows(values: Array) -> Array:
        return np.broadcast_to(values, shape).ravel()

    problems = Problems(
        vacuum.r_max,
        vacuum.frame,
        w=rows(vacuum.w),
        circulation=rows(pi * sign * np.stack([slowest, fastest])[:, None]),
        stabilization=rows(4 * pi * sign * vacuum.beta),
        gradient=rows(4 * pi * sign * vacuum.gradient_coefficient),
        A_lower=rows(lower[2]),
        A_upper=rows(upper[2]),
    )
    left, right = (np.broadcast_to(R_c + vacuum.w, shape) for R_c in (lower[0], upper[0]))
    return problems, left, right


def _squares(lower: Array, upper: Array) -> tuple[Array, Array]:
    """Give the smallest and the largest square of what lies between two bounds."""
    low, high = lower * lower, upper * upper
    return np.where((lower <= 0) & (upper >= 0), 0.0, np.minimum(low, high)), np.maximum(low, high)
