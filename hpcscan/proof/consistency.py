"""Where linear parameters can be, row by row: |f − y| ≤ √χ² in units of σ, where there is no scale and no count."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hpcscan.arrays import Array, BoolArray
from hpcscan.proof.expansion import Expansion
from hpcscan.proof.intervals import ULP, Pair, add, multiply, negate, outward, reciprocal
from hpcscan.proof.system import Boxes, Centre, System

#: How often every linear parameter is bounded with the bounds of the others.
SWEEPS = 2


def consistent(
    system: System, boxes: Boxes, middle: Centre, expansion: Expansion, root: Array
) -> tuple[Boxes, BoolArray]:
    """Cut the bounds of linear parameters down to where no row alone exceeds √U; tell which boxes vanish.

    In row i, f = f(x, z_c) + Σ_l B_l(x) (z_l − z_c,l): so B_l (z_l − z_c,l) is what the row needs less what the others
    give. A correlated row is bounded like others, as its σ² is its variance. Rows that the box leaves open take part,
    too: so it is all of χ² that bounds a row.
    """
    n_x, n_z = system.n_x, system.n_z
    rows = np.flatnonzero((system.group == system.n_s) & ~system.is_curved)
    if not n_z or not len(rows):
        return boxes, np.zeros(len(boxes), bool)
    target, reach = system.target[rows], root[:, None]
    # y/σ is rounded; the sums are rounded outward.
    margin = 4 * ULP * (np.abs(target) + reach)
    wanted = outward(target - reach - margin, target + reach + margin)
    need = add(wanted, negate((expansion.inner[0][:, rows], expansion.inner[1][:, rows])))
    slope = [(expansion.linear[0][k][:, rows], expansion.linear[1][k][:, rows]) for k in range(n_z)]
    ends = [(boxes.lower[:, n_x + k] - middle.z[:, k], boxes.upper[:, n_x + k] - middle.z[:, k]) for k in range(n_z)]
    apart = [outward(*pair) for pair in ends]
    for _ in range(SWEEPS):
        for k in range(n_z):
            left = need
            for other in range(n_z):
                if other != k:
                    left = add(left, negate(multiply(slope[other], _column(apart[other]))))
            apart[k] = _met(apart[k], _quotient(left, slope[k]))
    lower, upper = boxes.lower.copy(), boxes.upper.copy()
    for k in range(n_z):
        low, high = outward(middle.z[:, k] + apart[k][0], middle.z[:, k] + apart[k][1])
        lower[:, n_x + k] = np.maximum(lower[:, n_x + k], low)
        upper[:, n_x + k] = np.minimum(upper[:, n_x + k], high)
    is_gone: BoolArray = np.asarray((lower > upper).any(1))
    keep = is_gone[:, None]
    return replace(boxes, lower=np.where(keep, boxes.lower, lower), upper=np.where(keep, boxes.upper, upper)), is_gone


def _column(pair: Pair) -> Pair:
    return pair[0][:, None], pair[1][:, None]


def _quotient(left: Pair, slope: Pair) -> Pair:
    """Divide; a slope that may be 0 says nothing."""
    lower, upper = multiply(left, reciprocal(slope))
    is_open = (slope[0] <= 0) & (slope[1] >= 0)
    return np.where(is_open, -np.inf, lower), np.where(is_open, np.inf, upper)


def _met(one: Pair, rows: Pair) -> Pair:
    """Intersect an interval with those of all rows."""
    return np.maximum(one[0], rows[0].max(1)), np.minimum(one[1], rows[1].min(1))
