"""The linear unknowns and the steps of a box, bounded through a few vectors.

For any vector v, χ² ≥ (v·r)²/|v|² where v·r > 0 in the whole box. For two vectors whose cosine is γ,
(v·r)²/|v|² + (w·r)²/|w|² ≤ (1 + |γ|) χ². Nothing else is used: the vectors come from plain floating point, and only
what is said of v·r has to be rigorous. Norm and cosine are those of the metric of χ².

The unknowns e = q − q_c are replaced by p, e = F p with an invertible triangular F, so that Q F has columns that are
orthonormal up to rounding: p is in units of the data, whatever the units and correlations of the parameters.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hpcscan.arrays import Array
from hpcscan.proof.expansion import Ball, Expansion
from hpcscan.proof.intervals import ULP, Pair, add, divide_exact, multiply, outward
from hpcscan.proof.matrices import Metric, dot, least_squares_in_box, orthonormalised, raised, solved, without
from hpcscan.proof.system import Boxes, Centre, System

#: A column that changes by more than this share of itself in a box says nothing of its unknown.
HOPELESS = 0.95
#: How often p is bounded with the bound of χ² that follows from p.
ROUNDS = 2


@dataclass(frozen=True, eq=False)
class VectorProducts:
    """Products of one vector v, shape (n, m), with everything in the expansion: |v·A − mid| ≤ rad.

    Attributes
    ----------
    v : array, shape (n, m)
    norm : array, shape (n,)
        |v|, rounded up.
    residual : Ball, shape (n,)
    columns : Ball, shape (n_q, n)
    slopes : Ball, shape (n_x, n)
    cross : Ball, shape (n_x, n_q, n)
    """

    metric: Metric
    v: Array
    norm: Array
    residual: Ball
    columns: Ball
    slopes: Ball
    cross: Ball

    @classmethod
    def of(cls, v: Array, expansion: Expansion, metric: Metric) -> VectorProducts:
        """Multiply out, for v in whitened rows; a sum of m products errs by less than (m + 4) 2⁻⁵³ Σ |v A|."""
        v = np.where(expansion.is_used, metric.dual(v), 0.0)
        m, size = v.shape[-1], np.abs(v)

        def product(ball: Ball) -> Ball:
            spread = ball.rad + (m + 4) * ULP * np.abs(ball.mid)
            return Ball(dot(ball.mid, np.broadcast_to(v, ball.mid.shape)), raised(dot(spread, size), m))

        slopes = product(expansion.slopes)
        if expansion.bends is not None:
            at, bends = (product(part) for part in expansion.bends)
            slopes = _narrower(slopes, at, bends, expansion.half)
        columns, cross = product(expansion.columns), product(expansion.cross)
        return cls(metric, v, metric.norm(v), product(expansion.residual), columns, slopes, cross)

    def lower(self, half: Array, p: Pair) -> Array:
        """Bound v·r from below over |d| ≤ half and p: shape (n,), possibly −∞."""
        # What it is in the middle, less what slopes can take away in the box.
        terms = [self.residual.mid, -self.residual.rad, -self.slope_reach(half)]
        # Less what scales and linear parameters can take away, each in its own interval.
        reach = (self.columns.rad + self.cross_reach(half)) * (1 + 4 * ULP)
        coefficient = outward(self.columns.mid - reach, self.columns.mid + reach)
        for k in range(len(reach)):
            terms.append(multiply((coefficient[0][k], coefficient[1][k]), (p[0][k], p[1][k]))[0])
        # The sum errs by a rounding of every term.
        size = sum((np.abs(term) for term in terms), np.zeros_like(self.norm))
        low = sum(terms, np.zeros_like(self.norm)) - (len(terms) + 4) * ULP * size
        return np.where(np.isnan(low), -np.inf, low)

    def cross_reach(self, half: Array) -> Array:
        """Bound |Σ_j d_j v·D_j F| in every column: shape (n_q, n)."""
        total = np.zeros_like(self.columns.mid)
        for j, h in enumerate(half):
            total = total + h * (np.abs(self.cross.mid[j]) + self.cross.rad[j])
        return raised(total, len(half))

    def slope_reach(self, half: Array) -> Array:
        """Bound |Σ_j d_j v·G_j|: shape (n,)."""
        total = np.zeros_like(self.norm)
        for j, h in enumerate(half):
            total = total + h * (np.abs(self.slopes.mid[j]) + self.slopes.rad[j])
        return raised(total, len(half))

    def squared(self, half: Array, p: Pair) -> Array:
        """Bound χ² from below."""
        # χ² ≥ (v·r)²/|v|², see `Metric`.
        low = np.maximum(self.lower(half, p), 0.0)
        share = np.where((self.norm > 0) & (low > 0), low / np.where(self.norm > 0, self.norm, 1.0), 0.0)
        return np.asarray(share * share * (1 - 8 * ULP))


@dataclass(frozen=True, eq=False)
class Reduction:
    """An expansion in the unknowns p, and the vectors that are made for it.

    Attributes
    ----------
    half : array, shape (n_x, n)
    combination : array, shape (n_q, n_q, n)
        F by columns.
    columns : tuple of VectorProducts
        Unit vectors along the columns of Q F; 0 for those that depend on others.
    slopes : tuple of VectorProducts
        Vectors y_j, orthogonal to the columns, with y_j·G_i = δ_ij.
    outside : VectorProducts
        What is left of the residual outside columns and slopes.
    nearest : VectorProducts
        The least residual outside the columns with d in the box.
    step : array, shape (n_x, n)
        The d of it.
    scales : pair of arrays, shape (n_s, n)
        Where the best scales are.
    """

    system: System
    boxes: Boxes
    middle: Centre
    half: Array
    combination: Array
    columns: tuple[VectorProducts, ...]
    slopes: tuple[VectorProducts, ...]
    outside: VectorProducts
    nearest: VectorProducts
    step: Array
    scales: Pair

    @classmethod
    def of(cls, system: System, boxes: Boxes, middle: Centre, expansion: Expansion) -> Reduction:
        """Choose F and the vectors."""
        n_x, half = system.n_x, expansion.half
        # F orthonormalises the columns, those last that are no freedom.
        is_zero = np.repeat(system.is_zero[:, None], len(boxes), axis=1)
        is_last = np.concatenate([is_zero, middle.is_active])
        metric = system.metric
        vectors, combination = orthonormalised(metric.whitened(expansion.columns.mid), is_last)
        expansion = _in_p(expansion, combination)
        # Columns of parameters and scales that rest on a bound are no way out for the residual.
        free = np.where(is_last[..., None], 0.0, vectors)
        residual = without(free, metric.whitened(expansion.residual.mid))
        slopes = np.zeros_like(expansion.slopes.mid)
        for j in range(n_x):
            slopes[j] = without(free, metric.whitened(expansion.slopes.mid[j]))
        # The step within the box that lowers the linearised residual most.
        along, mixture = orthonormalised(slopes)
        gram = np.stack([dot(slopes, np.broadcast_to(g, slopes.shape)) for g in slopes]) if n_x else np.zeros((0, 0, 1))
        step = least_squares_in_box(gram, dot(slopes, np.broadcast_to(residual, slopes.shape)), half)
        # What the step leaves, and the dual vectors of the slopes.
        nearest, dual = residual, np.zeros_like(slopes)
        for j in range(n_x):
            nearest = nearest + step[j][:, None] * slopes[j]
            for k in range(n_x):
                dual[j] = dual[j] + mixture[k, j][:, None] * along[k]
        return cls(
            system,
            boxes,
            middle,
            half,
            combination,
            tuple(VectorProducts.of(v, expansion, metric) for v in vectors),
            tuple(VectorProducts.of(v, expansion, metric) for v in dual),
            VectorProducts.of(without(along, without(free, residual)), expansion, metric),
            VectorProducts.of(nearest, expansion, metric),
            step,
            expansion.scales,
        )

    def bounded(self, budget: Array) -> tuple[Array, Pair, Pair, Array]:
        """Bound χ², d and e from χ² ≤ budget².

        Returns
        -------
        least : array, shape (n,)
            χ² is not below, wherever χ² ≤ budget².
        d : pair of arrays, shape (n_x, n)
        e : pair of arrays, shape (n_q, n)
        trial : array, shape (n, n_x + n_z)
            Where the linearised χ² is least: an estimate.
        """
        # Bounds of p, of e and of χ² sharpen each other.
        p = self._p_of(self._prior(None))
        nearest, outside = np.zeros_like(budget), np.zeros_like(budget)
        for _ in range(ROUNDS):
            p = self._solved(p, budget, nearest)
            e = self._e_of(p)
            p = _meet(p, self._p_of(self._prior(e)))
            nearest = np.maximum(nearest, self.nearest.squared(self.half, p))
            outside = np.maximum(outside, self.outside.squared(self.half, p))
        # Last the nonlinear parameters, from all that is known of the others.
        d = [self._d(j, p, budget, outside) for j in range(len(self.half))]
        ends = tuple(np.stack([pair[k] for pair in d]) if d else self.half for k in (0, 1))
        return np.maximum(nearest, outside), (ends[0], ends[1]), self._e_of(p), self._trial()

    def _prior(self, e: Pair | None) -> Pair:
        """Enclose e from the bounds of z (and of S, where e is known): u = S (z − z_c); and from those of S."""
        system, n = self.system, len(self.boxes)
        lower, upper = np.full((system.n_s + system.n_z, n), -np.inf), np.full((system.n_s + system.n_z, n), np.inf)
        least, most = outward(self.scales[0] - self.middle.scale, self.scales[1] - self.middle.scale)
        lower[: system.n_s], upper[: system.n_s] = least, most
        # A linear parameter under a free scale is bounded only where the scale is.
        for k, g in enumerate(system.part.scale_of_linear):
            z = self.middle.z[:, k]
            u = outward(self.boxes.lower[:, system.n_x + k] - z, self.boxes.upper[:, system.n_x + k] - z)
            if g < system.n_s:
                if e is None:
                    continue
                u = multiply(outward(self.middle.scale[g] + e[0][g], self.middle.scale[g] + e[1][g]), u)
            lower[system.n_s + k], upper[system.n_s + k] = u
        return (lower, upper) if e is None else _meet((lower, upper), e)

    def _p_of(self, e: Pair) -> Pair:
        """Enclose p = F⁻¹ e by substitution from the last one."""
        lower, upper = e[0].copy(), e[1].copy()
        n_q = len(lower)
        for k in reversed(range(n_q)):
            # F is triangular, with a diagonal that is never 0.
            right = e[0][k], e[1][k]
            for c in range(k + 1, n_q):
                factor = self.combination[c, k]
                right = add(right, multiply((lower[c], upper[c]), (-factor, -factor)))
            lower[k], upper[k] = divide_exact(right, self.combination[k, k])
        return lower, upper

    def _e_of(self, p: Pair) -> Pair:
        """Enclose e = F p."""
        lower, upper = np.zeros_like(p[0]), np.zeros_like(p[1])
        for q in range(len(lower)):
            for c in range(q, len(lower)):
                factor = self.combination[c, q]
                term = multiply((p[0][c], p[1][c]), (factor, factor))
                lower[q], upper[q] = add((lower[q], upper[q]), term)
        return lower, upper

    def _solved(self, p: Pair, budget: Array, square: Array) -> Pair:
        """Bound p by the equations of the vectors along the columns.

        v_k·r = v_k·r_c + Σ_l (v_k·Q F + Σ_j d_j v_k·D_j F)_l p_l + Σ_j d_j v_k·G_j gives |p| ≤ w + M |p|, M ≥ 0. Then
        |p| ≤ e for every e > 0 with w + M e ≤ e and w > 0: M e < e means that M has a spectral radius below 1, so that
        (1 − M)⁻¹ exists, is not negative, and is applied to |p| − M |p| ≤ w ≤ e − M e.
        """
        size = np.maximum(np.abs(p[0]), np.abs(p[1]))
        n_q = len(size)
        if not n_q:
            return p
        # Row k: the equation of v_k, with everything but p_k on the right.
        w, matrix = np.zeros_like(size), np.zeros((n_q, n_q, size.shape[1]))
        for k, table in enumerate(self.columns):
            left = _left(table, self.nearest, budget, square)
            unit = (np.arange(n_q) == k).astype(float)[:, None]
            row = raised(np.abs(table.columns.mid - unit) + table.columns.rad + table.cross_reach(self.half), 4)
            is_none = (table.norm == 0) | ((row[k] > HOPELESS) & np.isfinite(size[k]))
            given = np.abs(table.residual.mid) + table.residual.rad + table.slope_reach(self.half) + table.norm * left
            # A column without a vector of its own, or that changes too much in the box, keeps the bound that it has.
            matrix[k] = np.where(is_none, 0.0, row)
            w[k] = np.where(is_none, size[k], raised(given, 8)) + 1e-300
        # The solution is an estimate; that it solves the inequality is verified with rounding.
        e = solved(matrix, w) * (1 + 1e-6)
        again = raised(w + sum((matrix[:, c] * e[c] for c in range(n_q)), np.zeros_like(w)), n_q + 4)
        is_bound = (np.isfinite(e) & (e > 0) & (again <= e)).all(0)
        bound = np.where(is_bound, e, np.inf)
        for _ in range(2):
            # What is bounded helps the columns without a vector, too.
            size = np.minimum(size, bound)
            spread = sum(
                (np.where(matrix[:, c] > 0, matrix[:, c] * size[c], 0.0) for c in range(n_q)), np.zeros_like(w)
            )
            bound = np.fmin(size, raised(w + spread, n_q + 4))
        return _meet(p, (-bound, bound))

    def _d(self, j: int, p: Pair, budget: Array, square: Array) -> Pair:
        """Enclose d_j from y_j·r = y_j·r_c + d_j + (what should be 0)."""
        table, n_q = self.slopes[j], len(p[0])
        unit = (np.arange(len(self.half)) == j).astype(float)[:, None]
        slack = table.norm * _left(table, self.outside, budget, square) + table.residual.rad
        for i, h in enumerate(self.half):
            slack = slack + h * (np.abs(table.slopes.mid[i] - unit[i]) + table.slopes.rad[i])
        # What y_j leaves of the columns, which in exact arithmetic is nothing.
        size = np.maximum(np.abs(p[0]), np.abs(p[1]))
        reach = np.abs(table.columns.mid) + table.columns.rad + table.cross_reach(self.half)
        for k in range(n_q):
            slack = slack + np.where(reach[k] > 0, reach[k] * size[k], 0.0)
        slack = raised(slack, n_q + len(self.half) + 8)
        centre = -table.residual.mid
        lower, upper = outward(centre - slack, centre + slack)
        lower, upper = np.where(np.isnan(lower), -np.inf, lower), np.where(np.isnan(upper), np.inf, upper)
        return np.maximum(lower, -self.half[j]), np.minimum(upper, self.half[j])

    def _trial(self) -> Array:
        """Estimate where χ² is least, within the box."""
        system, n_x, n_s = self.system, self.system.n_x, self.system.n_s
        x = self.middle.x + self.step.T
        # Scales and linear parameters follow the step.
        e = np.zeros((n_s + system.n_z, len(x)))
        for c, table in enumerate(self.columns):
            slope = sum((self.step[j] * table.slopes.mid[j] for j in range(n_x)), np.zeros(len(x)))
            e = e - self.combination[c] * (table.residual.mid + slope)
        e[n_s:] = np.where(self.middle.is_active, 0.0, e[n_s:])
        scale = np.concatenate([self.middle.scale + e[:n_s], np.ones((1, len(x)))])[list(system.part.scale_of_linear)]
        z = self.middle.z + np.where(scale != 0, e[n_s:] / np.where(scale != 0, scale, 1.0), 0.0).T
        trial = np.concatenate([x, np.where(np.isfinite(z), z, self.middle.z)], axis=1)
        inside: Array = np.clip(trial, self.boxes.lower, self.boxes.upper)
        return inside


def _narrower(slopes: Ball, at: Ball, bends: Ball, half: Array) -> Ball:
    """Return what v·G_j is over the box, or in the middle with half of what it changes by: what errs less."""
    # From the middle the slopes change by half of what their derivatives allow over the box.
    spread = at.rad.copy()
    for k, h in enumerate(half):
        spread = spread + 0.5 * h * (np.abs(bends.mid[:, k]) + bends.rad[:, k])
    spread = raised(spread, len(half) + 2)
    is_less = spread < slopes.rad
    return Ball(np.where(is_less, at.mid, slopes.mid), np.where(is_less, spread, slopes.rad))


def _in_p(expansion: Expansion, combination: Array) -> Expansion:
    """Multiply Q and D_j by F."""
    columns = [expansion.columns.combined(factors) for factors in combination]
    cross = [
        [Ball(expansion.cross.mid[j], expansion.cross.rad[j]).combined(factors) for factors in combination]
        for j in range(len(expansion.half))
    ]
    mid, rad = (
        np.array([[getattr(ball, name) for ball in row] for row in cross]).reshape(expansion.cross.mid.shape)
        for name in ("mid", "rad")
    )
    q = Ball(*(np.array([getattr(b, n) for b in columns]).reshape(expansion.columns.mid.shape) for n in ("mid", "rad")))
    return replace(expansion, columns=q, cross=Ball(mid, rad))


def _left(table: VectorProducts, other: VectorProducts, budget: Array, square: Array) -> Array:
    """Bound |v·r|/|v| from χ² ≤ budget² and (w·r)²/|w|² ≥ square."""
    norms = table.norm * other.norm
    # The norms are rounded up by less than the last term.
    margin = 4 * (table.v.shape[1] + 16) * ULP
    cosine = table.metric.inner(table.v, other.v) / np.where(norms > 0, norms, 1.0) + margin
    left = np.maximum(budget * budget * (1 + cosine) * (1 + 4 * ULP) - square, 0.0)
    left = np.where(square > 0, np.sqrt(left) * (1 + 4 * ULP), np.inf)
    bound: Array = np.minimum(budget, left)
    return bound


def _meet(a: Pair, b: Pair) -> Pair:
    return np.maximum(a[0], b[0]), np.minimum(a[1], b[1])
