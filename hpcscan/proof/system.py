"""One part of a problem at many points: its predictions, enclosed or in floating point, and its χ²."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np

from hpcscan.arrays import Array, BoolArray, IntArray
from hpcscan.proof.box_problem import BoxProblem
from hpcscan.proof.counts import Factors, deviance
from hpcscan.proof.enclosure import Enclosed, enclosed
from hpcscan.proof.independent import Compared
from hpcscan.proof.intervals import outward
from hpcscan.proof.matrices import Metric, dot, orthonormalised, without
from hpcscan.proof.structure import Part


@dataclass(frozen=True, eq=False)
class System:
    """Parameters x (nonlinear) and z (linear), in this order, with scales S and m rows.

    Attributes
    ----------
    held : mapping of str to array, shape (n_points,)
    base : array, shape (n_points, n_free)
        Values of the parameters of other parts, on which nothing here depends.

    Factors of single data are at their reference wherever anything is predicted.
    """

    problem: BoxProblem
    part: Part
    held: Mapping[str, Array]
    base: Array

    @cached_property
    def free(self) -> tuple[int, ...]:
        """Indices of the parameters, as arrays of boxes have them."""
        return (*self.part.nonlinear, *self.part.linear)

    @cached_property
    def n_rows(self) -> IntArray:
        """Rows that were evaluated in floating point so far, shape (n_points,); counted in place."""
        return np.zeros(len(self.base), int)

    @property
    def n_x(self) -> int:
        """Number of nonlinear parameters."""
        return len(self.part.nonlinear)

    @property
    def n_z(self) -> int:
        """Number of linear parameters."""
        return len(self.part.linear)

    @property
    def n_s(self) -> int:
        """Number of scales."""
        return len(self.part.scales)

    @cached_property
    def target(self) -> Array:
        """Measured values in units of σ, shape (m,)."""
        return self.problem.target[self.part.rows]

    @cached_property
    def group(self) -> IntArray:
        """Scale of every row, counted in this part; n_s where there is none."""
        places = {g: k for k, g in enumerate(self.part.scales)}
        return np.array([places.get(int(g), self.n_s) for g in self.problem.scale_of[self.part.rows]])

    @cached_property
    def is_count(self) -> BoolArray:
        """Rows that are counts, shape (m,)."""
        return self.problem.is_count[self.part.rows]

    @cached_property
    def factors(self) -> Factors | None:
        """Factors of single data; None without any."""
        if not self.part.factors:
            return None
        parameter, rows = (np.array(column) for column in zip(*self.part.factors, strict=True))
        problem = self.problem
        row = np.searchsorted(self.part.rows, rows)
        about = {c.parameter: c for c in problem.constraints}
        mean, sigma = (
            np.array([getattr(about[problem.parameters[j]], name) for j in parameter]) for name in ("mean", "sigma")
        )
        lower, upper = problem.lower[parameter], problem.upper[parameter]
        # In units of a reference value, at which the model is asked: t = 1 is the best guess.
        inside = np.clip(mean, lower, upper)
        reference = np.where(inside > 0, inside, np.where(np.isfinite(upper), 0.5 * upper, 1.0))
        ends = outward(lower / reference, upper / reference)
        return Factors(
            *(parameter, row, reference, mean / reference, sigma / reference),
            *(np.where(lower > 0, ends[0], 0.0), ends[1], self.target[row], self.is_count[row]),
        )

    @cached_property
    def is_curved(self) -> BoolArray:
        """Rows whose loss is no plain square, counts and those with a factor: shape (m,)."""
        curved = self.is_count.copy()
        if self.factors is not None:
            curved[self.factors.row] = True
        return curved

    @cached_property
    def counted_scales(self) -> tuple[int, ...]:
        """Scales of counts; uncorrelated values may share them."""
        return tuple(g for g in range(self.n_s) if self.is_count[self.group == g].any())

    @cached_property
    def is_zero(self) -> BoolArray:
        """Scales that are best at 0, as nothing else shares them and nothing was counted: shape (n_s,)."""
        groups = [self.group == g for g in range(self.n_s)]
        return np.array([(self.is_count | ~mine).all() and not self.target[mine].any() for mine in groups], bool)

    def step(self, expected: Array, target: Array) -> tuple[Array, Array]:
        """Compute inverse standard deviations for a step, 1/√μ for counts, 1 for measured values, and what is missing.

        Parameters
        ----------
        expected, target : array, shape (n, m)
        """
        weight = np.where(self.is_count, 1 / np.sqrt(np.maximum(expected, 1e-3)), 1.0)
        right = np.where(self.group < self.n_s, target, weight * (target - expected))
        if (factors := self.factors) is not None:
            # Rows with a factor step by the derivatives of their minimum over it.
            own = expected[:, factors.row]
            weight[:, factors.row] = factors.weight(own)
            slope = factors.slope(np.where(factors.is_count, np.maximum(own, 1e-3), own))
            right[:, factors.row] = -0.5 * slope / weight[:, factors.row]
        return weight, right

    def scale_of_counts(self, f: Array, g: int) -> Array:
        """Compute the best scale, which is not negative; NaN where nothing is expected of what is seen.

        It is Σn/Σf; where values y share it, the root of S² Σf² + S (Σf − Σf y) = Σn, with sums over values and counts.
        """
        counts, values = (mine & (self.group == g) for mine in (self.is_count, ~self.is_count))
        n, expected = self.target[counts].sum(), np.where(counts, f, 0.0).sum(-1)
        if not values.any():
            return np.where(expected > 0, n / np.where(expected > 0, expected, 1.0), 0.0 if n == 0 else np.nan)
        own = np.ascontiguousarray(f[:, values])
        return shared_scale(dot(own, own), expected - dot(own, np.broadcast_to(self.target[values], own.shape)), n)

    @cached_property
    def metric(self) -> Metric:
        """What χ² is of the residuals of all rows."""
        return Metric(self.problem.correlation(self.part.rows))

    @cached_property
    def is_alone(self) -> BoolArray:
        """Rows that are correlated with no other, shape (m,)."""
        if self.metric.correlation is None:
            return np.ones(len(self.target), bool)
        return np.asarray((self.metric.correlation != 0).sum(1) == 1)

    @cached_property
    def compared(self) -> Compared:
        """With what predictions are compared that are anywhere in ranges."""
        group = np.where(self.group == self.n_s, -1, self.group)
        return Compared(self.target, group, self.is_count, self.metric.correlation)

    def enclose(  # noqa: PLR0913, PLR0917  (what derivatives are wanted)
        self, point: IntArray, lower: Array, upper: Array, by_x: bool, by_z: bool, twice: bool = False
    ) -> Enclosed:
        """Enclose the predictions over boxes, with derivatives: by x under the keys 0, 1, …, by z under −1, −2, ….

        Parameters
        ----------
        point : array of int, shape (n,)
        lower, upper : array, shape (n, n_x + n_z)
        by_x, by_z, twice : bool
            First derivatives, and second ones by two x.
        """
        n = len(point)
        # One row alone may be summed in another order by numpy than in a batch: it gets company.
        row = np.arange(n) if n > 1 else np.zeros(2, int)
        one, base = np.ones((len(row), 1)), self._columns(point[row])
        free: dict[str, Enclosed] = {}
        # What is not free has one value; what is free carries a seed of its derivative.
        for j, name in enumerate(self.problem.parameters):
            if j not in self.free:
                # Enclosed all the same: others may be written into what is made of it.
                free[name] = enclosed(base[:, j][:, None])
                continue
            k = self.free.index(j)
            is_seed, key = (by_x, k) if k < self.n_x else (by_z, self.n_x - 1 - k)
            ends = lower[row, k][:, None], upper[row, k][:, None]
            # One array for both ends says that the value is exact.
            exact = (ends[0], ends[0]) if np.array_equal(*ends) else ends
            free[name] = Enclosed(exact, {key: (one, one)} if is_seed else {})
            if twice and k < self.n_x:
                free[name].mixed[key, key] = 0 * one, 0 * one
        held = {name: value[point[row]] for name, value in self.held.items()}
        rows = self.part.rows
        return self.problem.enclose(held, free).move(lambda a: np.ascontiguousarray(a[:n][:, rows])).detached()

    def evaluate(self, point: IntArray, values: Array) -> Array:
        """Predict in floating point, shape (n, m)."""
        np.add.at(self.n_rows, point, 1)
        columns = self._columns(point)
        columns[:, list(self.free)] = values
        held = {name: value[point] for name, value in self.held.items()}
        free = {name: columns[:, j] for j, name in enumerate(self.problem.parameters)}
        return np.ascontiguousarray(self.problem.evaluate(held, free)[:, self.part.rows])

    def _columns(self, point: IntArray) -> Array:
        columns = self.base[point]
        if self.factors is not None:
            columns[:, self.factors.parameter] = self.factors.reference
        return columns

    def best_factors(self, point: IntArray, values: Array) -> Array:
        """Return the best parameters that are factors, at values of the others: shape (n, n_factors)."""
        assert self.factors is not None
        t = self.factors.best(self.evaluate(point, values)[:, self.factors.row])
        ends = (end[self.factors.parameter] for end in (self.problem.lower, self.problem.upper))
        return np.asarray(np.clip(t * self.factors.reference, *ends))

    def chi2(self, point: IntArray, values: Array) -> Array:
        """Compute χ² with the best scales, in floating point; infinite where a prediction is not finite."""
        return self.chi2_of(self.evaluate(point, values))

    def best_scales(self, f: Array) -> Array:
        """Compute the best scales for predictions of shape (n, m), in floating point: shape (n_s, n).

        Those of counts are Σn/Σf; those of measured values the projection of the data on the prediction.
        """
        scales = np.zeros((self.n_s, len(f)))
        for g in range(self.n_s):
            if g in self.counted_scales:
                scales[g] = self.scale_of_counts(f, g)
                continue
            mine = self.metric.whitened(np.where(self.group == g, f, 0.0))
            scales[g] = dot(mine, self.metric.whitened(np.broadcast_to(self.target, f.shape))) / dot(mine, mine)
        return scales

    def chi2_of(self, f: Array) -> Array:
        """Do the same for predictions of shape (n, m)."""
        with np.errstate(all="ignore"):
            scales = np.concatenate([self.best_scales(f), np.ones((1, len(f)))])
            expected = np.where(self.group < self.n_s, scales[self.group].T * f, f)
            # Squares first; counts and data with a factor add their deviance.
            residual = self.metric.whitened(np.where(self.is_curved, 0.0, expected - self.target))
            chi2 = dot(residual, residual)
            if self.is_curved.any():
                loss = np.where(self.is_count, deviance(expected, self.target), 0.0)
                if self.factors is not None:
                    loss[:, self.factors.row] = self.factors.loss(f[:, self.factors.row])
                chi2 = chi2 + loss.sum(-1)
        return np.where(np.isfinite(chi2), chi2, np.inf)


def shared_scale(a: Array, b: Array, n: float) -> Array:
    """Return the root S ≥ 0 of a S² + b S = n, for a ≥ 0; 0 where n = 0 and b ≥ 0, without cancellation.

    It falls with a and with b; a handful of roundings, relative to itself.
    """
    with np.errstate(all="ignore"):
        root = np.sqrt(b * b + 4 * a * n)
        return np.where(b > 0, 2 * n / (b + root), (root - b) / (2 * a))


@dataclass(frozen=True, eq=False)
class Boxes:
    """Boxes of parameters of a system, each at a point.

    Attributes
    ----------
    point : array of int, shape (n,)
    lower, upper : array, shape (n, n_x + n_z)
    z : array, shape (n, n_z)
        Finite values of the linear parameters within the bounds, from which their best ones are looked for.
    steers : bool array, shape (n, m)
        Rows that take part in this, where enough of them do: those which are bounded over the box.
    floor : array, shape (n,)
        No χ² within the box is below, known from before.
    """

    point: IntArray
    lower: Array
    upper: Array
    z: Array
    steers: BoolArray
    floor: Array

    def __len__(self) -> int:
        return len(self.point)

    def take(self, index: IntArray | BoolArray | slice) -> Boxes:
        """Return some of the boxes."""
        return Boxes(*(getattr(self, f.name)[index] for f in fields(self)))

    @classmethod
    def joined(cls, parts: Sequence[Boxes]) -> Boxes:
        """Return the boxes of several, in this order."""
        return cls(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(cls)))


@dataclass(frozen=True, eq=False)
class Centre:
    """The middle of a box, with the best scales and linear parameters there, in floating point.

    Attributes
    ----------
    x : array, shape (n, n_x)
    scale : array, shape (n_s, n)
    z : array, shape (n, n_z)
    is_active : bool array, shape (n_z, n)
        Linear parameters that rest on a bound.
    """

    x: Array
    scale: Array
    z: Array
    is_active: BoolArray


def centre(system: System, boxes: Boxes) -> Centre:
    """Find scales and linear parameters by least squares in the middle of boxes, within the bounds of z."""
    n, n_x, n_s, n_z = len(boxes), system.n_x, system.n_s, system.n_z
    x = 0.5 * (boxes.lower[:, :n_x] + boxes.upper[:, :n_x])
    f, slope, use = _affine(system, boxes, x)
    target = np.where(use, system.target, 0.0)
    low, high = boxes.lower[:, n_x:], boxes.upper[:, n_x:]
    z, scale, is_active = boxes.z, np.zeros((n_s, n)), np.zeros((n_z, n), bool)
    # A box that has settled stays as it is, however long others take.
    is_busy = np.ones(n, bool)
    is_curved = bool(system.is_curved.any())
    for _ in range(1 + (6 if is_curved else 2) * n_z):
        # Least squares for scales and changes of the linear parameters, weighted for counts.
        here = f + sum((slope[k] * (z - boxes.z)[:, k, None] for k in range(n_z)), np.zeros_like(f))
        weight, missing = system.step(here, target)
        columns = np.zeros((n_s + n_z, *f.shape))
        for g in range(n_s):
            columns[g] = np.where(system.group == g, here, 0.0)
        columns[n_s:] = slope * weight
        columns = system.metric.whitened(columns)
        right = system.metric.whitened(np.where(use, missing, 0.0))
        q, residual = _least_squares(columns, is_active, right)
        scale = np.where(is_busy, q[:n_s], scale)
        # q is S Δz: it is divided by the scale, and stops at the bounds.
        factor = np.concatenate([scale, np.ones((1, n))])[list(system.part.scale_of_linear)]
        moved = z + np.where(factor != 0, q[n_s:] / np.where(factor != 0, factor, 1.0), 0.0).T
        new = np.clip(np.where(np.isfinite(moved), moved, z), low, high)
        hit = (new != moved).T & ~is_active & is_busy
        # A parameter leaves its bound where that lowers χ², once nothing else has to move.
        pull = dot(columns[n_s:], np.broadcast_to(residual, slope.shape)) * factor
        leaves = is_active & np.where((z >= high).T, pull < 0, pull > 0) & (low < high).T & ~hit.any(0) & is_busy
        # Weights of counts and of data with factors change with z.
        moves = is_curved & is_busy & (np.abs(moved - z) > 1e-9 * (1 + np.abs(z))).any(1)
        is_active, z = (is_active | hit) & ~leaves, np.where(is_busy[:, None], new, z)
        is_busy = (hit | leaves).any(0) | moves
        if not is_busy.any():
            break
    for g in system.counted_scales:
        scale[g] = system.scale_of_counts(f, g)
    return Centre(x, np.where(np.isfinite(scale), scale, 0.0), z, is_active)


def _least_squares(columns: Array, is_active: BoolArray, right: Array) -> tuple[Array, Array]:
    """Solve columns · q ≈ right, (n_q, n), without the last columns where they are active; give also what is left."""
    n_s = len(columns) - len(is_active)
    free = columns.copy()
    free[n_s:] = np.where(is_active[..., None], 0.0, free[n_s:])
    vectors, combination = orthonormalised(free)
    q = np.zeros(combination.shape[1:])
    for c in range(len(columns)):
        q = q + combination[c] * dot(vectors[c], right)
    return q, without(vectors, right)


def _affine(system: System, boxes: Boxes, x: Array) -> tuple[Array, Array, BoolArray]:
    """Evaluate the predictions at (x, z), their derivatives by z from differences, and the rows that take part."""
    n, n_z = len(boxes), system.n_z
    # A linear parameter has the same slope everywhere: a long step rounds least.
    step = np.where(boxes.z != 0, np.abs(boxes.z), 1.0)
    shifted = np.stack([boxes.z, *(boxes.z + step * (np.arange(n_z) == k) for k in range(n_z))])
    values = np.concatenate([np.broadcast_to(x, (1 + n_z, *x.shape)), shifted], axis=2).reshape((1 + n_z) * n, -1)
    f = system.evaluate(np.tile(boxes.point, 1 + n_z), values).reshape(1 + n_z, n, -1)
    is_finite = np.isfinite(f).all(0)
    # Rows that the box leaves open are left out as long as the others determine everything.
    is_enough = (is_finite & boxes.steers).sum(1, keepdims=True) >= system.n_s + n_z + 2
    use = is_finite & (boxes.steers | ~is_enough)
    f = np.where(use, f, 0.0)
    slope = np.zeros((n_z, *use.shape))
    for k in range(n_z):
        slope[k] = (f[1 + k] - f[0]) / step[:, k, None]
    return f[0], slope, use
