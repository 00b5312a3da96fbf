"""What no χ² in a box is below, and where in the box a χ² below the incumbent U can be.

Rows that a box leaves open are left out, which only lowers χ²; those without scale and correlation still count with
the distance of y from their range.

A model that is enclosed by its own function has no expansion: every prediction is taken to be anywhere in its range.

Counts take part as parabolas below their deviance: χ² is at least a sum of squares and their constants.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hpcscan.arrays import Array, BoolArray
from hpcscan.proof.certificate import lowered_chi2, minimise_over_scale
from hpcscan.proof.counts import least_deviance
from hpcscan.proof.expansion import Expansion, expand
from hpcscan.proof.intervals import ULP, Pair, add, multiply, negate, outward, reciprocal
from hpcscan.proof.matrices import dot
from hpcscan.proof.reduction import Reduction
from hpcscan.proof.system import Boxes, Centre, System, centre

#: How often every linear parameter is bounded with the bounds of the others.
SWEEPS = 2
#: The values of a scale are taken together over their ranges where there are no more.
MOST_VALUES = 12


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


@dataclass(frozen=True, eq=False)
class BoxBounds:
    """What was found for n boxes.

    Attributes
    ----------
    bound : array, shape (n,)
        Every χ² in the box is at least this, or above the incumbent; infinite where none is below the incumbent.
    boxes : Boxes
        The same boxes without parts where no χ² is below the incumbent.
    trial : array, shape (n, n_x + n_z)
        Where the linearised χ² is least: an estimate.
    spread : array, shape (n, n_x + n_z)
        How much the expansion errs for each parameter, linear ones by the deviance of counts alone: an estimate.
    told : pair of arrays, shape (n, m), optional
        Where the model's own function says that the predictions are.
    """

    bound: Array
    boxes: Boxes
    trial: Array
    spread: Array
    told: Pair | None = None


def bound(system: System, boxes: Boxes, incumbent: Array, twice: bool = False) -> BoxBounds:
    """Bound χ² over boxes from below.

    Parameters
    ----------
    incumbent : array, shape (n,)
        U: what is above need not be told apart.
    twice : bool
        With second derivatives, which are worth their cost where a box is near a minimum.

    Returns
    -------
    BoxBounds
        A box has the same bits whatever other boxes are bounded with it.
    """
    if system.problem.own is not None:
        return _bound_of_ranges(system, boxes, incumbent)
    with np.errstate(all="ignore"):
        middle = centre(system, boxes)
        expansion = expand(system, boxes, middle, twice)
        floor = _distance(system, expansion)
        if len(system.target) <= system.n_x + system.n_z + system.n_s:
            floor = (floor + _distance_of_scales(system, expansion)) * (1 - 4 * ULP)
        rest = _distance(system, expansion, ~expansion.is_used)
        # What the rows that are used may add up to: two roundings, and one for the root.
        rest = rest + expansion.constant - 4 * ULP * (rest + np.abs(expansion.constant))
        budget = np.sqrt(np.maximum(incumbent * (1 + 4 * ULP) - rest, 0.0)) * (1 + 4 * ULP)
        boxes, is_gone = consistent(system, boxes, middle, expansion, np.sqrt(incumbent) * (1 + 4 * ULP))
        least, d, q, trial = Reduction.of(system, boxes, middle, expansion).bounded(budget)
        total = rest + least - 4 * ULP * (np.abs(rest) + least)
        lowest = np.maximum(np.maximum(floor, total), boxes.floor)
        shrunk, vanishes = _shrunk(system, boxes, middle, d, q)
        is_gone |= vanishes | expansion.is_empty | (rest > incumbent * (1 + 4 * ULP))
        return BoxBounds(
            np.where(is_gone, np.inf, lowest),
            Boxes(boxes.point, *shrunk, middle.z, np.isfinite(expansion.inner[0] - expansion.inner[1]), lowest),
            trial,
            _spread(system, boxes, expansion, incumbent),
        )


def _bound_of_ranges(system: System, boxes: Boxes, incumbent: Array) -> BoxBounds:
    """Do the same for a model that is enclosed by its own function."""
    low, high = system.enclose(boxes.point, boxes.lower, boxes.upper, False, False).value
    lowest = np.maximum(system.compared.least_chi2(low, high), boxes.floor)
    middle = 0.5 * (boxes.lower + boxes.upper)
    # How wide the predictions are where one parameter has its whole range and the others are in the middle.
    spread, most = np.zeros_like(middle), (3 * np.sqrt(incumbent) + 10)[:, None]
    for j in range(system.n_x if system.n_x > 1 else 0):
        start, stop = (np.where(np.arange(system.n_x) == j, end, middle) for end in (boxes.lower, boxes.upper))
        first, last = system.enclose(boxes.point, start, stop, False, False).value
        width = np.where(np.isfinite(last - first), np.minimum(last - first, most), most)
        spread[:, j] = dot(width, width)
    steers = np.isfinite(high - low)
    return BoxBounds(
        lowest, Boxes(boxes.point, boxes.lower, boxes.upper, boxes.z, steers, lowest), middle, spread, (low, high)
    )


def _distance(system: System, expansion: Expansion, among: BoolArray | None = None) -> Array:
    """Sum the squared distances of the measured values from the ranges, of rows without scale and correlation.

    For counts, also those with a scale, the least deviance over the range.
    """
    lower, upper = expansion.range
    gap = np.maximum(np.maximum(lower - system.target, system.target - upper), 0.0)
    # y/σ is rounded, and so is the difference.
    gap = np.maximum(gap - 2 * ULP * (np.abs(system.target) + gap), 0.0)
    square = gap * gap
    if system.is_count.any():
        square = np.where(system.is_count, least_deviance(lower, upper, system.target), square)
    if (factors := system.factors) is not None:
        square[:, factors.row] = factors.least((lower[:, factors.row], upper[:, factors.row]))
    takes_part = ((system.group == system.n_s) | system.is_count) & system.is_alone & np.isfinite(square)
    square = np.where(takes_part if among is None else takes_part & among, square, 0.0)
    return np.asarray(square.sum(-1) * (1 - (gap.shape[1] + 4) * ULP))


def _distance_of_scales(system: System, expansion: Expansion) -> Array:
    """Sum the least χ² of the few values of each scale, with predictions anywhere in their ranges.

    Where there are no more data than unknowns nothing but bounds holds χ² up, and scales may have none, as all their
    predictions may vanish: so nothing is left of residuals once they are projected.
    """
    least = np.zeros(len(expansion.half.T))
    for g in range(system.n_s):
        mine = (system.group == g) & system.is_alone
        if g in system.counted_scales or not mine.any() or mine.sum() > MOST_VALUES:
            continue
        target = np.repeat(system.target[mine][:, None], len(least), axis=1)
        lower, upper = expansion.range[0][:, mine].T, expansion.range[1][:, mine].T
        found = lowered_chi2(minimise_over_scale(target, lower, upper).distance, target)
        least = least + np.where(np.isfinite(found), found, 0.0)
    return least * (1 - (system.n_s + 4) * ULP)


def _spread(system: System, boxes: Boxes, expansion: Expansion, incumbent: Array) -> Array:
    """Estimate what each parameter adds to the error of the expansion; rows beyond anything all count the same."""
    cap = 3 * np.sqrt(incumbent)[:, None] + 10
    reach = expansion.slopes.rad * expansion.half[..., None]
    reach = np.where(expansion.is_used, np.minimum(reach, cap), cap)
    width = 0.5 * (boxes.upper - boxes.lower).T[system.n_x :, :, None]
    moved = (
        np.abs(expansion.slopes.mid) * expansion.half[..., None],
        np.abs(expansion.columns.mid[system.n_s :]) * width,
    )
    by_x, by_z = (dot(expansion.loss, np.where(expansion.loss > 0, np.minimum(size, cap), 0.0) ** 2) for size in moved)
    return np.concatenate([dot(reach, reach) + by_x, by_z]).T


def _shrunk(system: System, boxes: Boxes, middle: Centre, d: Pair, q: Pair) -> tuple[tuple[Array, Array], BoolArray]:
    """Cut boxes down to where the unknowns can be; tell which vanish."""
    n_s = system.n_s
    whole = -np.inf, np.inf
    x = outward(middle.x.T + d[0], middle.x.T + d[1])
    z = [np.full((system.n_z, len(boxes)), end) for end in whole]
    for k, g in enumerate(system.part.scale_of_linear):
        u = q[0][n_s + k], q[1][n_s + k]
        if g < n_s:
            s = outward(middle.scale[g] + q[0][g], middle.scale[g] + q[1][g])
            u = multiply(u, reciprocal(s))
        z[0][k], z[1][k] = outward(middle.z[:, k] + u[0], middle.z[:, k] + u[1])
    lower = np.maximum(boxes.lower, np.concatenate([x[0], z[0]]).T)
    upper = np.minimum(boxes.upper, np.concatenate([x[1], z[1]]).T)
    is_gone = (lower > upper).any(1) | (q[0] > q[1]).any(0)
    keep = is_gone[:, None]
    return (np.where(keep, boxes.lower, lower), np.where(keep, boxes.upper, upper)), is_gone
