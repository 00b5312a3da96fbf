"""Branch and bound in one variable, for many minimisations at once, each row independent of the others."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hpcscan.model.enclosure import Enclosure
from hpcscan.model.interface import Array

IntArray = NDArray[np.integer]

#: A piece is settled when its lower bound is within this of the best value known, relative to the magnitude of E.
TOLERANCE = 2.0**-46
#: A piece is divided into so many.
PARTS = 4
#: Divisions after which a piece is settled as it is, and pieces of one row beyond which all of them are.
MOST_DIVISIONS, MOST_PIECES = 24, 512


def lower_bounds(enclose: Callable[[IntArray, Array, Array], Enclosure], left: Array, right: Array) -> Array:
    """Bound the minimum of each row's function over left ≤ x ≤ right from below.

    A piece on which the function is monotone shrinks to an end; a piece whose bound is as good as the best value known
    is settled; others are divided. The result is the least of the bounds of the settled pieces, which cover the
    interval: it is a lower bound whatever decided that they were settled.

    Parameters
    ----------
    enclose : callable
        From rows and the ends of a piece of each to an `Enclosure`. A row may occur several times.
    left, right : array, shape (n,)

    Returns
    -------
    array, shape (n,)
    """
    row: IntArray = np.arange(len(left))
    best, bound = np.full(len(left), np.inf), np.full(len(left), np.inf)
    for division in range(MOST_DIVISIONS + 1):
        at = enclose(row, left, right)
        np.minimum.at(best, row, at.centre)
        is_last = (division == MOST_DIVISIONS) | (np.bincount(row, minlength=len(best)) > MOST_PIECES)[row]
        is_settled = ~(at.lower < best[row] - TOLERANCE * at.magnitude) | is_last
        np.minimum.at(bound, row[is_settled], at.lower[is_settled])
        if is_settled.all():
            break
        row, left, right = _divide(at, row, left, right, np.flatnonzero(~is_settled))
    return bound


def _divide(at: Enclosure, row: IntArray, left: Array, right: Array, keep: IntArray) -> tuple[IntArray, Array, Array]:
    """Shrink pieces to an end where the function is monotone, and divide them where it is not."""
    row, left, right = row[keep], left[keep], right[keep]
    rises, falls = at.slope_lower[keep] >= 0, at.slope_upper[keep] <= 0
    end = np.where(rises, left, right)[rises | falls]
    wide = np.flatnonzero(~(rises | falls))
    left, right = left[wide], right[wide]
    edges = [left, *(np.minimum(left + k / PARTS * (right - left), right) for k in range(1, PARTS)), right]
    return (
        np.concatenate([row[rises | falls], np.tile(row[wide], PARTS)]),
        np.concatenate([end, *edges[:-1]]),
        np.concatenate([end, *edges[1:]]),
    )
