"""Rigorous ranges of the lepton energies over the boxes of their parameters.

E_circ = ∫ ½ ρ |v|² is U² times a factor that is not negative, because ρ = 1 − A c T is not: so E is lowest at the
smallest U² and highest at the largest, whatever R_c and A; so is the computed E, since rounding keeps the order of what
is rounded. Over R_c and A it is minimised rigorously.
"""

from __future__ import annotations

from collections.abc import Callable
from math import pi

import numpy as np

from hpcscan.arrays import Array, IntArray
from hpcscan.models.leptons.energy import Vacuum
from hpcscan.models.leptons.energy_enclosure import Enclosure, Problems, enclose

#: A piece is settled when its lower bound is within this of the best value, relative to the magnitude of E in it, …
TOLERANCE = 2.0**-45
#: … and within this, relative to the terms of the best value: E may be a thousand times larger in the same piece.
TOLERANCE_OF_BEST = 2.0**-37
#: An interval is divided into so many pieces at first, and a piece into so many.
FIRST_PARTS, PARTS = 2, 5
#: Divisions after which a piece is settled as it is, and pieces of one row beyond which all of them are.
MOST_DIVISIONS, MOST_PIECES = 24, 512


def lower_bounds(
    enclose: Callable[[IntArray, Array, Array, Array, Array], Enclosure], left: Array, right: Array
) -> Array:
    """Bound the minimum of each row's function over left ≤ x ≤ right from below.

    A piece on which the function is monotone shrinks to an end, which stands for all of it; a piece whose bound is as
    good as the best value known is settled; others are divided, and so is what an end stands for, where that is too
    much. The result is the least of the bounds of the settled pieces, which cover the interval: it is a lower bound
    whatever decided that they were settled.

    Parameters
    ----------
    enclose : callable
        From rows, the ends of a piece of each, and the ends of what it stands for, to an `Enclosure`. A row may occur
        several times.
    left, right : array, shape (n,)

    Returns
    -------
    array, shape (n,)
    """
    row: IntArray = np.tile(np.arange(len(left)), FIRST_PARTS)
    best, bound, scale = (np.full(len(left), np.inf) for _ in range(3))
    left, right = _parts(left, right, FIRST_PARTS)
    first, last = left, right
    for division in range(MOST_DIVISIONS + 1):
        at = enclose(row, left, right, first, last)
        np.minimum.at(best, row, at.centre)
        is_best = at.centre == best[row]
        scale[row[is_best]] = at.scale[is_best]
        is_last = (division == MOST_DIVISIONS) | (np.bincount(row, minlength=len(best)) > MOST_PIECES)[row]
        slack = np.minimum(TOLERANCE * at.magnitude, TOLERANCE_OF_BEST * scale[row])
        is_settled = ~(at.lower < best[row] - slack) | (first == last) | is_last
        np.minimum.at(bound, row[is_settled], at.lower[is_settled])
        if is_settled.all():
            break
        keep = np.flatnonzero(~is_settled)
        ends = (column[keep] for column in (left, right, first, last))
        row, left, right, first, last = _divide(at.take(keep), row[keep], *ends)
    return bound


def _divide(  # noqa: PLR0913, PLR0917  (pieces, as columns)
    at: Enclosure, row: IntArray, left: Array, right: Array, first: Array, last: Array
) -> tuple[IntArray, Array, Array, Array, Array]:
    """Shrink pieces to an end where the function is monotone; divide them, and what ends stand for, elsewhere."""
    stands = left == right
    rises = np.where(stands, left == first, at.slope_lower >= 0)
    falls = np.where(stands, left == last, at.slope_upper <= 0)
    ends = np.flatnonzero((rises | falls) & ~stands)
    end = np.where(rises, left, right)[ends]
    wide = np.flatnonzero(~(rises | falls))
    left_of_wide, right_of_wide = _parts(left[wide], right[wide], PARTS)
    # An end is lower than all that it stands for, and so is the end of every part of that, towards the same side.
    wide_ends = np.flatnonzero(stands)
    first_of_ends, last_of_ends = _parts(first[wide_ends], last[wide_ends], PARTS)
    end_of_part = np.where(np.tile(rises[wide_ends], PARTS), first_of_ends, last_of_ends)
    return (
        np.concatenate([row[ends], np.tile(row[wide], PARTS), np.tile(row[wide_ends], PARTS)]),
        np.concatenate([end, left_of_wide, end_of_part]),
        np.concatenate([end, right_of_wide, end_of_part]),
        np.concatenate([first[ends], left_of_wide, first_of_ends]),
        np.concatenate([last[ends], right_of_wide, last_of_ends]),
    )


def _parts(left: Array, right: Array, n: int) -> tuple[Array, Array]:
    """Cut intervals into n equal parts: the first part of all, the second of all, and so on."""
    edges = [left, *(np.minimum(left + k / n * (right - left), right) for k in range(1, n)), right]
    return np.concatenate(edges[:-1]), np.concatenate(edges[1:])


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
    """Return the smallest and the largest square of what lies between two bounds."""
    low, high = lower * lower, upper * upper
    return np.where((lower <= 0) & (upper >= 0), 0.0, np.minimum(low, high)), np.maximum(low, high)
