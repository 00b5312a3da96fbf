"""The methods of fitting, by the name that `fit.method` has; what each asks for is in `hpcscan.settings`.

Multistart begins as many starts as a point needs. The published fitter is one run of differential evolution per grid
point, for comparison: R. Storn, K. Price, J. Global Optim. 11, 341 (1997), as in scipy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np

from hpcscan.arrays import Array, BoolArray, IntArray
from hpcscan.fitting import quadratic, quasi_newton
from hpcscan.fitting.approach import approach, can_approach
from hpcscan.fitting.descent import descend
from hpcscan.fitting.ends import MOVING, Launch, Minima
from hpcscan.fitting.evidence import LEAST_FRESH, agreement, is_agreed
from hpcscan.fitting.records import UNKNOWN, Status
from hpcscan.fitting.starts import draw_starts
from hpcscan.likelihood.objective import Given
from hpcscan.likelihood.rows import never_alone
from hpcscan.likelihood.scalar import AnyObjective, ScalarObjective
from hpcscan.settings import FitSettings
from hpcscan.tolerance import is_gap_closed, tie_tolerance

#: A point that needs more starts gets at least so many: a batch of few rows costs as much as one of more.
LEAST_MORE = 3

#: The published settings; everything else is scipy's default (best1bin, 15 members per parameter, L-BFGS-B at the end).
TOLERANCE = 1e-8

#: From an objective, points of shape (n, n_axes), settings and proven lower bounds of χ², shape (n,), to the end of
#: every run: n × `FitSettings.n_starts` rows, those of a point in succession.
Run: TypeAlias = Callable[[AnyObjective, Array, FitSettings, Array], Minima]


def multistart(objective: AnyObjective, points: Array, settings: FitSettings, lower_bound: Array) -> Minima:
    """Fit the starts of every point.

    Every point runs the least number of starts. A point whose best start has not converged, or to a minimum that is
    neither proven nor agreed on by its own starts, then doubles them, or adds three where that is more, again and
    again, up to the largest number. When one of those added has reached a proven minimum, the others of its point are
    left, with the status `not_run`. Starts that take long are left where the others of their point agree without them:
    they have not converged, and count as starts that ended elsewhere.

    Parameters
    ----------
    points : array, shape (n_points, n_axes)
    lower_bound : array, shape (n_points,)
        Proven lower bound of χ²; NaN where there is none.

    Returns
    -------
    Minima
        n_points × settings.n_starts rows, the starts of a point in succession; status `not_run` for those not needed.
    """
    ends = Minima.not_run(len(objective.box.start), len(points) * settings.n_starts)
    descend(objective, ends, _Starts(objective, points, settings, lower_bound), settings.max_iter)
    return ends


class _Starts:
    """Which starts of a block's points are begun when: a point does not wait for the others."""

    def __init__(self, objective: AnyObjective, points: Array, settings: FitSettings, lower_bound: Array) -> None:
        self._objective = objective
        self._points, self._settings, self._precision = points, settings, objective.precision
        limits = settings.start_range
        # Where nothing is free, one start is the minimum.
        self._least, self._most = (limits.min, limits.max) if objective.box.has_freedom else (1, 1)
        self._box = objective.box
        self._bound = lower_bound[:, None]
        self._n_begun: IntArray = np.zeros(len(points), np.int64)
        self._is_done = np.zeros(len(points), bool)

    def more(self, ends: Minima) -> Launch | None:
        """Begin more starts of the points whose starts have all ended, and are not enough."""
        status = ends.status.reshape(len(self._points), -1)[:, : self._n_begun.max()]
        is_idle = ~(self._is_done | (status == MOVING).any(axis=1))
        if not is_idle.any():
            return None
        idle = np.flatnonzero(is_idle)
        self._is_done[idle] = self._is_enough(ends, idle)
        point = idle[~self._is_done[idle]]
        return self._launch(point) if len(point) else None

    def needless(self, ends: Minima) -> BoolArray:
        """Return which starts need not end: beyond the least number, where another one of the point has the proof."""
        limits = self._settings.start_range
        is_needless = np.zeros(len(self._points), bool)
        point = np.flatnonzero((self._n_begun > self._least) & ~self._is_done)
        if len(point):
            is_needless[point] = self._has_proof(ends, point)
        return np.repeat(is_needless, limits.max)

    def dispensable_above(self, ends: Minima) -> Array:
        """Return χ² above which starts need not end if they take long: the minimum on which others of a point agree.

        What is below it is about to end lower.
        """
        agreed = np.full(len(self._points), np.inf)
        point = np.flatnonzero(~self._is_done & (self._n_begun >= LEAST_FRESH))
        point = point[self._is_agreed(ends, point)] if len(point) else point
        if len(point):
            agreed[point] = np.fmin.reduce(self._starts_of(ends, point)[0], axis=1)
        return np.repeat(agreed, self._settings.start_range.max)

    def _launch(self, point: IntArray) -> Launch:
        limits, begun = self._settings.start_range, self._n_begun[point]
        stop = np.where(begun == 0, self._least, np.minimum(begun + np.maximum(begun, LEAST_MORE), self._most))
        self._n_begun[point] = stop
        drawn = draw_starts(self._box, self._points[point], self._settings.seed, int(stop.max()))
        which = np.repeat(np.arange(len(point)), stop - begun)
        start = np.concatenate([np.arange(*pair) for pair in zip(begun.tolist(), stop.tolist(), strict=True)])
        of_point = point[which]
        given = Given(self._points[of_point].T, owner=of_point)
        row, begins = of_point * limits.max + start, drawn[:, which, start]
        if not can_approach(self._objective, given, begins):
            return Launch(row, given, begins)
        # The others go their own ways: those that approach may all end at one minimum, and it need not be the lowest.
        n_steps, half = np.zeros(len(row), np.int64), never_alone(np.flatnonzero(start % 2))
        if len(half):
            # At least half of the steps are left to the fit.
            most_steps, far = self._settings.max_iter // 2, begins.take(half, axis=-1)
            begins[:, half], n_steps[half] = approach(self._objective, given.take(half), far, most_steps)
        return Launch(row, given, begins, n_steps)

    def _starts_of(self, ends: Minima, point: IntArray) -> tuple[Array, IntArray]:
        """Return χ² and status of the starts of points, shape (n, as many as any of them has begun, at least one)."""
        shape, n = (len(self._points), -1), max(1, self._n_begun[point].max())
        return ends.chi2.reshape(shape)[point, :n], ends.status.reshape(shape)[point, :n]

    def _has_proof(self, ends: Minima, point: IntArray) -> BoolArray:
        """Return for which points the lowest start, or one equal to it, has converged and is proven."""
        chi2, status = self._starts_of(ends, point)
        lowest = np.fmin.reduce(chi2, axis=1)[:, None]
        is_proven = (status == Status.CONVERGED) & is_gap_closed(chi2, self._bound[point], self._precision)
        return np.asarray((is_proven & (chi2 <= lowest + tie_tolerance(lowest, self._precision))).any(axis=1))

    def _is_enough(self, ends: Minima, point: IntArray) -> BoolArray:
        """Return which points need no more starts, or cannot have more."""
        is_enough: BoolArray = (self._n_begun[point] == self._most) | self._has_proof(ends, point)
        others = np.flatnonzero(~is_enough & (self._n_begun[point] > 0))
        if len(others):
            is_enough[others] = self._is_agreed(ends, point[others])
        return is_enough

    def _is_agreed(self, ends: Minima, point: IntArray) -> BoolArray:
        chi2, status = self._starts_of(ends, point)
        together = agreement(chi2, status, self._precision)
        has_converged = status[np.arange(len(point)), together.best] == Status.CONVERGED
        return np.asarray(has_converged & is_agreed(together.n_run, together.n_at_minimum))


def evolve(objective: AnyObjective, given: Given, settings: FitSettings) -> Minima:
    """Run scipy's differential evolution once at every row of what is given."""
    runs = [_evolve_point(objective, given.take(np.array([row])), settings) for row in range(given.points.shape[1])]
    x, counts = np.stack([run[0] for run in runs], axis=1), np.array([run[1:] for run in runs], np.int64)
    chi2, edm = _assess(objective, given, x)
    n_iterations, n_evaluations, has_converged = counts.T
    status = np.where(has_converged, Status.CONVERGED, Status.NOT_CONVERGED)
    status = np.where(np.isfinite(chi2), status, Status.FAILED).astype(np.int8)
    return Minima(
        x,
        np.where(np.isfinite(chi2), chi2, np.nan),
        edm,
        status,
        n_iterations,
        n_evaluations,
        np.full_like(n_iterations, UNKNOWN),
    )


def _assess(objective: AnyObjective, given: Given, x: Array) -> tuple[Array, Array]:
    """χ² and estimated distance to the minimum where the runs ended."""
    rows = never_alone(np.arange(x.shape[1]))
    given, x, n = given.take(rows), x.take(rows, axis=-1), x.shape[1]
    at = objective.evaluate(given, x)
    with np.errstate(all="ignore"):
        if isinstance(objective, ScalarObjective):
            return at.chi2[:n], quasi_newton.estimated_distance(objective, given, x, at)[:n]
        return at.chi2[:n], quadratic.estimated_distance(objective, given, x, at)[:n]


def _seed(seed: int) -> int | np.random.Generator:
    """Return the seed for scipy, as the published runs do, or a generator where it takes no number so large."""
    return seed if seed < 2**32 else np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed)))


def _evolve_point(objective: AnyObjective, point: Given, settings: FitSettings) -> tuple[Array, int, int, bool]:
    """Fit one point; give the parameters, the generations, the evaluations and scipy's own verdict."""
    from scipy.optimize import differential_evolution  # noqa: PLC0415  (half a second, which the default fit never pays)

    def chi2(x: Array) -> float:
        value = float(objective.evaluate(point, x[:, None]).chi2[0])
        return value if np.isfinite(value) else np.inf

    box = objective.box
    lower = np.where(np.isfinite(box.lower), box.lower, box.start)[:, 0]
    upper = np.where(np.isfinite(box.upper), box.upper, box.start + box.width)[:, 0]
    bounds = [(float(low), float(high)) for low, high in zip(lower, upper, strict=True)]
    with np.errstate(all="ignore"):
        run = differential_evolution(
            chi2, bounds, seed=_seed(settings.seed), maxiter=settings.max_iter, tol=TOLERANCE, atol=TOLERANCE
        )
    return np.clip(run.x, box.lower[:, 0], box.upper[:, 0]), run.nit, run.nfev, bool(run.success)


def _evolution(objective: AnyObjective, points: Array, settings: FitSettings, _lower_bound: Array) -> Minima:
    """Run the published fitter, which knows no bounds from elsewhere."""
    return evolve(objective, Given(np.ascontiguousarray(points.T), owner=np.arange(len(points))), settings)


RUNS: Mapping[str, Run] = {"multistart": multistart, "differential_evolution": _evolution}
