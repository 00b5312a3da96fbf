"""The residuals of a box, expanded about its middle, with a radius for everything that is not known exactly.

In units of σ, with q = (S, u), u = S (z − z_c) (without a scale z − z_c), e = q − q_c and d = x − x_c,

    r = r_c + Q e + Σ_j d_j (G_j + D_j e)

holds exactly for some values within mid ± rad of r_c = r(x_c, q_c), Q = (f | df/dz) at x_c, G_j = S_c df/dx_j and
D_j = dQ/dx_j, the latter two over the box (mean value theorem). The model is affine in z, so nothing is left out. Rows
of counts are in units in which a parabola below their deviance is a square; see `proof.counts`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hpcscan.arrays import Array, BoolArray
from hpcscan.proof.counts import LARGEST, Parabola, is_impossible, parabola
from hpcscan.proof.enclosure import Enclosed
from hpcscan.proof.intervals import TINY, ULP, Pair, add, multiply, negate, outward, square, total
from hpcscan.proof.system import Boxes, Centre, System, shared_scale


@dataclass(frozen=True, eq=False)
class Ball:
    """Real numbers within mid ± rad."""

    mid: Array
    rad: Array

    @classmethod
    def of(cls, pair: Pair) -> Ball:
        """Return the ball that contains an interval: the difference of two doubles is rounded by less than an ulp."""
        mid = 0.5 * (pair[0] + pair[1])
        rad = np.maximum(pair[1] - mid, mid - pair[0]) * (1 + 2 * ULP) + TINY
        return cls(mid, rad)

    def where(self, condition: BoolArray) -> Ball:
        """Return 0 elsewhere."""
        return Ball(np.where(condition, self.mid, 0.0), np.where(condition, self.rad, 0.0))

    def times(self, factor: Array) -> Ball:
        """Multiply by plain numbers: the product is rounded by half an ulp, and so is its radius."""
        mid = self.mid * factor
        return Ball(mid, (np.abs(factor) * self.rad) * (1 + 4 * ULP) + ULP * np.abs(mid) + TINY)

    def combined(self, factors: Array) -> Ball:
        """Sum k balls, on the first axis, times factors: shape (k, ..., n, m) and (k, ..., n) give (..., n, m).

        k products and k − 1 sums are each rounded by 2⁻⁵³ of at most Σ |factor mid|.
        """
        mid = np.zeros(np.broadcast_shapes(self.mid.shape[1:], (*factors.shape[1:], 1)))
        size, rad = np.zeros_like(mid), np.zeros_like(mid)
        for k in range(len(factors)):
            term = factors[k][..., None] * self.mid[k]
            mid, size = mid + term, size + np.abs(term)
            rad = rad + np.abs(factors[k])[..., None] * self.rad[k]
        n = len(factors) + 2
        return Ball(mid, (rad + n * ULP * size) * (1 + n * ULP) + TINY)


@dataclass(frozen=True, eq=False)
class Expansion:
    """The expansion for n boxes; rows that are left open (`is_used` False) are 0 in it.

    Attributes
    ----------
    half : array, shape (n_x, n)
        |d_j| is at most this.
    is_used : bool array, shape (n, m)
    is_empty : bool array, shape (n,)
        Some prediction is undefined in the whole box: no value in it is a fit.
    residual : Ball, shape (n, m)
    columns : Ball, shape (n_q, n, m)
    slopes : Ball, shape (n_x, n, m)
    bends : pair of Ball, shapes (n_x, n, m) and (n_x, n_x, n, m), optional
        G_j at x_c and its derivatives by x over the box, where these are bounded: then Σ_j d_j G_j is the former and
        ½ Σ_jk d_j d_k of the latter. Elsewhere G_j as above and 0.
    cross : Ball, shape (n_x, n_q, n, m)
        D_j.
    range : pair of arrays, shape (n, m)
        Predictions f over the whole box, z included; of counts S f with their best scale.
    scales : pair of arrays, shape (n_s, n)
        Where the best scales are; endless for those of measured values.
    inner : pair of arrays, shape (n, m)
        The same over x alone, at z_c.
    linear : pair of arrays, shape (n_z, n, m)
        df/dz over x.
    constant : array, shape (n,)
        χ² of the rows that are used is at least that of the residuals and this.
    loss : array, shape (n, m)
        By how much the curvature of the deviance of counts exceeds that of its parabola, relative to the latter.
    """

    half: Array
    is_used: BoolArray
    is_empty: BoolArray
    residual: Ball
    columns: Ball
    slopes: Ball
    cross: Ball
    range: Pair
    scales: Pair
    inner: Pair
    linear: Pair
    constant: Array
    loss: Array
    bends: tuple[Ball, Ball] | None = None


def expand(system: System, boxes: Boxes, middle: Centre, twice: bool = False) -> Expansion:
    """Expand the residuals of boxes; two enclosures of the model each, with second derivatives or without."""
    n_x, n_z = system.n_x, system.n_z
    # The model over the box, and at its middle.
    lower, upper = boxes.lower[:, :n_x], boxes.upper[:, :n_x]
    half = (np.maximum(upper - middle.x, middle.x - lower) * (1 + 2 * ULP) + TINY * (upper > lower)).T
    ends = [np.concatenate([x, middle.z], axis=1) for x in (lower, upper, middle.x)]
    box = system.enclose(boxes.point, ends[0], ends[1], by_x=True, by_z=True, twice=twice)
    spot = system.enclose(boxes.point, ends[2], ends[2], by_x=twice, by_z=True)
    zero = np.zeros(box.shape), np.zeros(box.shape)
    value, slope_x = Ball.of(spot.value), [Ball.of(box.first.get(j, zero)) for j in range(n_x)]
    span, inner, linear = _range(system, boxes, middle, box, (value, slope_x, half))
    scales = _scale_ranges(system, span)
    scale = np.concatenate([middle.scale, np.ones((1, len(boxes)))])[system.group].T
    slope_z = [Ball.of(spot.first.get(-1 - k, zero)) for k in range(n_z)]
    mixed = [[Ball.of(box.mixed.get((j, -1 - k), zero)) for k in range(n_z)] for j in range(n_x)]
    # A row takes part where everything about it is finite, and defined in the whole box.
    is_used = np.ones(box.shape, bool)
    for ball in (value, *slope_x, *slope_z, *(b for row in mixed for b in row)):
        is_used &= np.isfinite(ball.mid) & np.isfinite(ball.rad)
    is_used &= (box.undefined == 0 if box.undefined is not None else True) & np.isfinite(system.target)
    is_empty = np.zeros(len(boxes), bool) if box.undefined is None else (box.undefined == 2).any(1)
    target, constant, loss = np.broadcast_to(system.target, box.shape), np.zeros(len(boxes)), np.zeros(box.shape)
    factor = np.ones(box.shape)
    # Counts and data with a factor become squares, by a factor, a target and a constant of their own.
    if system.is_curved.any():
        span = _scaled(system, span, scales)
        counted = _counted(system, span, scale * value.mid)
        value, slope_x = value.times(counted.factor), [ball.times(counted.factor) for ball in slope_x]
        slope_z = [ball.times(counted.factor) for ball in slope_z]
        mixed = [[ball.times(counted.factor) for ball in row] for row in mixed]
        is_used &= counted.is_valid
        is_empty |= (system.is_count & is_impossible(span[1], system.target)).any(1)
        factor = counted.factor
        target, constant, loss = counted.target, _summed(np.where(is_used, counted.constant, 0.0)), counted.loss
    # One column for every scale, then one for every linear parameter.
    groups = [(system.group == g) & is_used for g in range(system.n_s)]
    columns = [value.where(mine) for mine in groups] + [b.where(is_used) for b in slope_z]
    cross = [[slope_x[j].where(mine) for mine in groups] + [b.where(is_used) for b in mixed[j]] for j in range(n_x)]
    slopes = [ball.times(scale).where(is_used) for ball in slope_x]
    product = value.times(scale)
    # y/σ is itself rounded, and so is the difference.
    margin = product.rad + ULP * (np.abs(product.mid) + 2 * np.abs(target))
    return Expansion(
        half,
        is_used,
        is_empty,
        Ball(product.mid - target, margin * (1 + 2 * ULP)).where(is_used),
        _stacked(columns, box.shape),
        _stacked(slopes, box.shape),
        Ball(*(_table(cross, name, box.shape) for name in ("mid", "rad"))),
        span,
        scales,
        inner,
        linear,
        constant,
        loss,
        _bends(system, spot, box, ((factor, scale), is_used, slopes)) if twice else None,
    )


def _bends(
    system: System, spot: Enclosed, box: Enclosed, of_rows: tuple[tuple[Array, Array], BoolArray, list[Ball]]
) -> tuple[Ball, Ball]:
    """Return slopes in the middle and their derivatives over the box, row by row where these are bounded."""
    factors, is_used, slope = of_rows
    zero = np.zeros(box.shape), np.zeros(box.shape)
    n_x = system.n_x
    at = [Ball.of(spot.first.get(j, zero)) for j in range(n_x)]
    second = [[Ball.of(box.mixed.get((min(j, k), max(j, k)), zero)) for k in range(n_x)] for j in range(n_x)]
    # What was lost on the way is not known to be 0.
    is_bent = is_used & all((j, j) in box.mixed for j in box.first if j >= 0)
    for ball in (*at, *(ball for row in second for ball in row)):
        is_bent &= np.isfinite(ball.mid) & np.isfinite(ball.rad)
    slopes = [ball.where(is_bent).times(factors[0]).times(factors[1]) for ball in at]
    others = [ball.where(is_used & ~is_bent) for ball in slope]
    both = [Ball(a.mid + b.mid, a.rad + b.rad) for a, b in zip(slopes, others, strict=True)]
    curves = [[ball.where(is_bent).times(factors[0]).times(factors[1]) for ball in row] for row in second]
    return _stacked(both, box.shape), Ball(*(_table(curves, name, box.shape) for name in ("mid", "rad")))


def _counted(system: System, span: Pair, middle: Array) -> Parabola:
    """Replace the rows of counts and of data with a factor by parabolas; others stay as they are."""
    found, mine = parabola(span, middle, system.target), system.is_count
    replaced = Parabola(
        np.where(mine, found.factor, 1.0),
        np.where(mine, found.target, system.target),
        np.where(mine, found.constant, 0.0),
        np.where(mine, found.loss, 0.0),
        found.is_valid | ~mine,
    )
    if (factors := system.factors) is not None:
        row = factors.row
        found = factors.parabola((span[0][:, row], span[1][:, row]), middle[:, row])
        for name in ("factor", "target", "constant", "loss", "is_valid"):
            getattr(replaced, name)[:, row] = getattr(found, name)
    return replaced


def _scale_ranges(system: System, span: Pair) -> Pair:
    """Enclose the best scales of counts over a box from the ranges of f; see `System.scale_of_counts`.

    Where f < 0, nothing is a fit; but for S = 0, where nothing was counted.
    """
    ends = np.full((system.n_s, len(span[0])), -np.inf), np.full((system.n_s, len(span[0])), np.inf)
    for g in system.counted_scales:
        mine, values = (system.group == g) & system.is_count, (system.group == g) & ~system.is_count
        n = system.target[mine].sum()
        expected = total((np.maximum(span[0][:, mine], 0.0), np.maximum(span[1][:, mine], 0.0)), (1,))
        if values.any():
            own, y = (span[0][:, values], span[1][:, values]), system.target[values]
            # y/σ is rounded.
            product = multiply(own, outward(y, y, 2.0))
            a, b = total(square(own), (1,)), add(expected, negate(total(product, (1,))))
            least, most = outward(shared_scale(a[1], b[1], n), shared_scale(np.maximum(a[0], 0.0), b[0], n), 32.0)
            is_zero = (n == 0) & (span[0][:, mine] < 0).any(1)
            # Nothing overflows on the way.
            is_known = np.maximum(a[1], np.maximum(np.abs(b[0]), np.abs(b[1]))) < LARGEST
            ends[0][g] = np.where(is_known & ~is_zero & (least > 0), least, 0.0)
            ends[1][g] = np.where(is_known & ~np.isnan(most), np.maximum(most, 0.0), np.inf)
            continue
        # A sum of counts is rounded; without any, the best scale is 0.
        least, most = outward(n / expected[1], n / np.maximum(expected[0], 0.0), mine.sum() + 4.0)
        ends[0][g], ends[1][g] = np.maximum(least, 0.0), most if n else 0.0
    return ends


def _scaled(system: System, span: Pair, scales: Pair) -> Pair:
    """Multiply the ranges of counts by those of their scales."""
    one = np.ones((1, len(span[0])))
    factor = [np.concatenate([end, one])[system.group].T for end in scales]
    product = multiply((factor[0], factor[1]), span)
    has_scale = system.is_count & (system.group < system.n_s)
    return np.where(has_scale, product[0], span[0]), np.where(has_scale, product[1], span[1])


def _summed(constants: Array) -> Array:
    """Sum over the last axis, rounded down."""
    return np.asarray(constants.sum(-1) - (constants.shape[-1] + 4) * ULP * np.abs(constants).sum(-1))


def _stacked(balls: list[Ball], shape: tuple[int, ...]) -> Ball:
    if not balls:
        return Ball(np.zeros((0, *shape)), np.zeros((0, *shape)))
    return Ball(np.stack([b.mid for b in balls]), np.stack([b.rad for b in balls]))


def _table(cross: list[list[Ball]], name: str, shape: tuple[int, ...]) -> Array:
    n_q = len(cross[0]) if cross else 0
    table = np.zeros((len(cross), n_q, *shape))
    for j, row in enumerate(cross):
        for k, ball in enumerate(row):
            table[j, k] = getattr(ball, name)
    return table


def _range(
    system: System, boxes: Boxes, middle: Centre, box: Enclosed, parts: tuple[Ball, list[Ball], Array]
) -> tuple[Pair, Pair, Pair]:
    """Enclose the predictions over x, as computed and by the mean value theorem; then add z."""
    value, slope_x, half = parts
    # Mean value theorem: |f(x) − f(x_c)| ≤ Σ |∂f| h. The narrower of both enclosures counts.
    reach = value.rad.copy()
    for ball, h in zip(slope_x, half, strict=True):
        reach = reach + (np.abs(ball.mid) + ball.rad) * h[:, None]
    reach = reach * (1 + (len(half) + 4) * ULP) + 4 * ULP * np.abs(value.mid)
    reach = np.where(np.isfinite(reach) & np.isfinite(value.mid), reach, np.inf)
    mid = np.where(np.isfinite(reach), value.mid, 0.0)
    total = np.maximum(box.value[0], mid - reach), np.minimum(box.value[1], mid + reach)
    inner, linear = total, (np.zeros((system.n_z, *mid.shape)), np.zeros((system.n_z, *mid.shape)))
    for k in range(system.n_z):
        z = middle.z[:, k]
        apart = outward(boxes.lower[:, system.n_x + k] - z, boxes.upper[:, system.n_x + k] - z)
        if (slope := box.first.get(-1 - k)) is not None:
            linear[0][k], linear[1][k] = slope
            total = add(total, multiply(slope, (apart[0][:, None], apart[1][:, None])))
    return total, inner, linear
