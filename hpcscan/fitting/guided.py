"""The fit of grid points in a wave: from minima of others, from fresh starts of their own, and by a proof.

What is known of a point guides what is asked of the model. A start is left as soon as it is seen where it leads: into
the known minimum, or to a higher one; only what promises to be lower is followed to its end. Warm starts come from
other points' minima, and so confirm nothing: what is recorded of starts is about the fresh ones alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hpcscan.arrays import Array, BoolArray, IntArray
from hpcscan.fitting.descent import Once, descend
from hpcscan.fitting.describe import Minimum, describe
from hpcscan.fitting.ends import Launch, Minima
from hpcscan.fitting.evidence import agreement, judge, n_starts_at, ranks_of_starts
from hpcscan.fitting.quadratic import NormalEquations
from hpcscan.fitting.records import UNKNOWN, PointResults, Status
from hpcscan.fitting.refit import arrive, look_around, prove_block
from hpcscan.fitting.saddle import leave_saddles
from hpcscan.fitting.starts import draw_starts, is_turned
from hpcscan.fitting.tries import Leaving, Place, Standing
from hpcscan.likelihood.objective import Given, Objective
from hpcscan.likelihood.rows import never_alone
from hpcscan.likelihood.scalar import AnyObjective, objective_of
from hpcscan.model.problem import Problem
from hpcscan.proof.posed import pose_proof
from hpcscan.settings import FitSettings
from hpcscan.tolerance import Precision, is_gap_closed, tie_tolerance

#: A start leads to a known minimum where its quadratic model ends within this of its χ², absolute and relative, …
SAME, SAME_RELATIVE = 1e-2, 1e-6
#: … from no farther above it than this.
NEAR = 0.1
#: It leads to a higher one where its model offers no more than this share of what it is above the known one.
HIGHER = 1e-6
#: A row is little above a known minimum, absolute and relative: χ² is looked at on the way there, at these shares. It
#: is in the same bowl where that is a parabola, within this; what only passes by would be kept from a lower minimum.
LITTLE, LITTLE_RELATIVE, WAY, BOWL = 10.0, 0.1, (0.35, 0.7), 0.1
#: With fewer free parameters derivatives cost no more than that.
LEAST_FREE = 6
#: Where nothing is known yet, it waits at this estimated distance to its minimum for what the others find.
LOOSE = 1e-5
#: A minimum that promises to be lower than the known one by this is followed.
WORTH = 1e-3
#: Two candidates for a start differ where a parameter does by this share of its width.
FAR = 0.1


@dataclass(frozen=True)
class Guide(Leaving):
    """What is known of the points to which rows belong.

    Attributes
    ----------
    owner : int array, shape (n_rows,)
        The point of every row.
    chi2 : array, shape (n_points,)
        Known minima; infinite where there is none.
    x : array, shape (n_parameters, n_points)
        Where they are.
    same : float
        What ends within this of a known minimum, beside the relative share, ends there.
    """

    objective: AnyObjective
    owner: IntArray
    chi2: Array
    x: Array
    same: float = SAME

    def before(self, place: Place) -> tuple[BoolArray, Array]:
        """See rows that are little above a known minimum, and from which χ² falls there as in a bowl."""
        point = self.owner[place.row]
        known, is_there = self.chi2[point], np.zeros(len(point), bool)
        if self.objective.box.n_free < LEAST_FREE:
            return is_there, known
        above = place.chi2 - known
        rows = never_alone(np.flatnonzero(np.isfinite(known) & (above <= LITTLE + LITTLE_RELATIVE * np.abs(known))))
        if len(rows):
            begin, end = place.x[:, rows], self.x[:, point[rows]]
            in_bowl = above[rows] >= 0
            for share in WAY:
                # Only where it has been a parabola so far.
                some = never_alone(np.flatnonzero(in_bowl))
                if not len(some):
                    break
                x = np.ascontiguousarray(begin[:, some] + share * (end - begin)[:, some])
                chi2 = self.objective.evaluate(place.given.take(rows[some]), x).chi2
                expected = above[rows[some]] * (1 - share) ** 2
                missed = np.abs(chi2 - known[rows[some]] - expected)
                in_bowl[some] = missed <= BOWL * expected + self.same
            is_there[rows] = in_bowl
        return is_there, known

    def after(
        self, place: Standing, equations: NormalEquations, is_fresh: BoolArray
    ) -> tuple[BoolArray, BoolArray, Array]:
        """Return which rows lead to a known minimum, which elsewhere, and χ² of the known one."""
        known = self.chi2[self.owner[place.row]]
        edm, promised = equations.decrement, place.chi2 - equations.decrement
        has_reached = _is_same(promised, known, self.same) & (edm <= NEAR)
        is_higher = (promised > known + WORTH) & (edm <= HIGHER * (place.chi2 - known))
        waits = np.isinf(known) & (edm <= LOOSE)
        return has_reached, (is_higher | waits) & is_fresh & ~has_reached, known


def _is_same(promised: Array, known: Array, same: float = SAME) -> BoolArray:
    """Whether the χ² that a model promises is that of a known minimum."""
    finite = np.where(np.isfinite(known), known, np.nan)
    return np.asarray(np.abs(promised - finite) <= same + SAME_RELATIVE * np.abs(finite))


def fit_guided(  # noqa: PLR0913, PLR0917  (what is known of points, and what is asked)
    problem: Problem, points: Array, current: PointResults, warm: Array, n_fresh: IntArray, settings: FitSettings
) -> PointResults:
    """Continue the fit of some points.

    Parameters
    ----------
    points : array, shape (n, n_axes)
    current : PointResults
        What is known of them; possibly nothing.
    warm : array, shape (n, n_candidates, n_parameters)
        Where starts from other points' minima may begin; NaN where there is none.
    n_fresh : int array, shape (n,)
        Fresh starts that each shall have more.

    Returns
    -------
    PointResults
        The same points. Their evidence is that of a proof alone: agreement is judged over the whole grid.
    """
    fit = _GuidedFit(
        objective_of(problem, settings.precision, floor=settings.precision_floor, n_points=len(points)),
        points,
        current,
        settings,
    )
    fit.try_candidates(warm)
    fit.run_fresh(n_fresh)
    result = fit.described()
    if settings.proof is not None and settings.is_enclosable:
        _prove(problem, points, settings, result, fit.is_changed)
        arrive(problem, points, settings, result)
    rows = np.flatnonzero(fit.is_changed)
    leave_saddles(fit.objective, points, settings, result, rows, fit.slopes_at(result.profiled_parameter))
    changed = result.take(rows)
    look_around(problem, fit.objective, points[rows], settings, changed)
    result.put_rows(rows, changed)
    result.n_model_rows[:] += fit.objective.tally.n_rows
    judge(result, np.zeros(len(points), bool), fit.objective.precision)
    return result


def joined_starts(before: PointResults, parts: PointResults, precision: Precision) -> PointResults:
    """Put together what has come of starts of the same points that were run apart.

    Parameters
    ----------
    before : PointResults
        With what all of them began, each point once and in order.
    parts : PointResults
        Rows of these points, in any order, each with starts of its own.
    """
    # In the order of points, and of their starts; a start that was not run changes nothing.
    is_new = (parts.start_status != Status.NOT_RUN) & (
        before.start_status[np.searchsorted(before.point_index, parts.point_index)] == Status.NOT_RUN
    )
    order = np.lexsort((np.where(is_new.any(axis=1), is_new.argmax(axis=1), is_new.shape[1]), parts.point_index))
    parts, is_new = parts.take(order), is_new[order]
    place = np.searchsorted(before.point_index, parts.point_index)
    # The lowest minimum stands for the point: one part after another, as they would have found it together.
    known = np.where(np.isfinite(parts.chi2), parts.chi2, np.inf)
    tie = np.where(np.isfinite(parts.chi2), tie_tolerance(parts.chi2, precision), 0.0)
    is_firm = parts.edm <= tie
    first = np.searchsorted(place, np.arange(len(before.chi2)))
    chosen, n_parts = first.copy(), np.diff(np.append(first, len(place)))
    for k in range(1, int(n_parts.max())):
        point = np.flatnonzero(n_parts > k)
        old, new = chosen[point], first[point] + k
        is_lower = (known[new] < known[old] - tie[old]) | (
            is_firm[new] & ~is_firm[old] & (known[new] <= known[old] + tie[old])
        )
        chosen[point] = np.where(is_lower, new, old)
    result = parts.take(chosen)
    # What was spent adds up; what starts have seen is all of it seen.
    for name in ("n_model_rows", "n_evaluations", "n_iterations", "n_boxes", "fit_seconds"):
        spent, total = (np.nan_to_num(getattr(of, name)) for of in (parts, before))
        np.add.at(total, place, spent - total[place])
        getattr(result, name)[:] = total
    np.maximum.at(result.largest_rank, place, parts.largest_rank)
    result.start_chi2[:], result.start_status[:] = before.start_chi2, before.start_status
    row, number = np.nonzero(is_new)
    result.start_chi2[place[row], number] = parts.start_chi2[row, number]
    result.start_status[place[row], number] = parts.start_status[row, number]
    _count_starts(result, precision)
    judge(result, np.zeros(len(before.chi2), bool), precision)
    return result


def _count_starts(result: PointResults, precision: Precision) -> None:
    """Count what fresh starts say together of points."""
    together = agreement(result.start_chi2, result.start_status, precision)
    result.n_starts[:], result.n_starts_converged[:] = together.n_run, together.n_converged
    result.n_starts_at_minimum[:] = n_starts_at(result.chi2, result.start_chi2, result.start_status, precision)
    result.start_spread[:], result.unexplored_fraction[:] = together.spread, together.unexplored_fraction


def _prove(problem: Problem, points: Array, settings: FitSettings, result: PointResults, is_changed: BoolArray) -> None:
    """Prove minima that are new, and repair those that a proof finds not to be the lowest."""
    objective = objective_of(problem, settings.precision, floor=settings.precision_floor)
    is_open = ~is_gap_closed(result.chi2, result.chi2_lower_bound, objective.precision)
    rows = np.flatnonzero(is_open & (is_changed | (result.n_boxes == 0)))
    if len(rows):
        part = result.take(rows)
        prove_block(pose_proof(problem), problem, objective, points[rows], settings, part)
        result.put_rows(rows, part)


class _GuidedFit:
    """Minima of some points, as they are known so far."""

    def __init__(self, objective: AnyObjective, points: Array, current: PointResults, settings: FitSettings) -> None:
        self.objective, self._points, self._settings = objective, points, settings
        n = len(points)
        self._result = current.take(np.arange(n))
        self._given = Given(np.ascontiguousarray(points.T), owner=np.arange(n))
        is_known = np.isfinite(current.chi2)
        self._x = np.ascontiguousarray(current.profiled_parameter.T)
        self._chi2 = np.where(is_known, current.chi2, np.inf)
        self._edm, has_arrived = current.edm.copy(), current.edm <= tie_tolerance(current.chi2, objective.precision)
        self._status = np.where(has_arrived, Status.CONVERGED, current.status)
        self.is_changed = np.zeros(n, bool)
        # Derivatives at the minima, where they are dear.
        middle = np.repeat((objective.box.start + objective.box.stop) / 2, n, axis=1)
        is_dear = isinstance(objective, Objective) and objective.needs_differences(self._given, middle)
        shape = len(current.predicted.T), *self._x.shape
        self._slopes = np.full(shape, np.nan) if is_dear else None

    def try_candidates(self, warm: Array) -> None:
        """Descend from the best candidate of every point, then from the best of those that are elsewhere.

        The first candidate of a point stands for those that are near it.
        """
        n, k, _ = warm.shape
        exists = np.isfinite(warm).all(axis=2)
        if not exists.any():
            return
        first = exists.argmax(axis=1)
        is_asked = exists & (self._is_far(warm, first) | (np.arange(k) == first[:, None]))
        chi2, rows = np.full(n * k, np.inf), np.flatnonzero(is_asked.ravel())
        at = self.objective.evaluate(self._at(rows // k), self._inside(warm.reshape(n * k, -1)[rows].T))
        chi2[rows] = np.where(np.isfinite(at.chi2), at.chi2, np.inf)
        chi2 = chi2.reshape(n, k)
        best = chi2.argmin(axis=1)
        is_usable = np.isfinite(chi2.min(axis=1))
        is_new = np.isinf(self._chi2)
        point = np.flatnonzero(is_usable & is_new)
        self._follow(point, self._inside(warm[point, best[point]].T))
        # What begins elsewhere may end lower, however it begins.
        chi2 = np.where(is_new[:, None] & ~self._is_far(warm, best), np.inf, chi2)
        second = chi2.argmin(axis=1)
        point = np.flatnonzero(np.isfinite(chi2.min(axis=1)))
        if len(point):
            self._pursue(point, self._run(point, self._inside(warm[point, second[point]].T), is_guided=True))

    def _is_far(self, warm: Array, which: IntArray) -> BoolArray:
        """Return which candidates, shape (n, k), differ from one of each point in some parameter."""
        gap = np.abs(warm - warm[np.arange(len(warm)), which][:, None]) / self.objective.box.width[:, 0]
        return np.asarray(gap.max(axis=2, initial=0.0) > FAR)

    def run_fresh(self, n_fresh: IntArray) -> None:
        """Run more fresh starts, and record how they ended."""
        result, most = self._result, self._result.start_chi2.shape[1]
        begun = result.n_starts.astype(np.int64)
        stop = np.minimum(begun + n_fresh, most) if self.objective.box.has_freedom else np.minimum(1, begun + n_fresh)
        point = np.repeat(np.arange(len(begun)), stop - begun)
        if not len(point):
            return
        number = np.concatenate([np.arange(*pair) for pair in zip(begun.tolist(), stop.tolist(), strict=True)])
        seed = self._settings.seed
        drawn = draw_starts(self.objective.box, self._points, seed, int(stop.max()) + 1)
        start = np.ascontiguousarray(drawn[:, point, number ^ is_turned(self._points, seed)[point]])
        ends = self._run(point, start, is_guided=True)
        self._pursue(point, ends)
        # Those that waited are judged by what has been found meanwhile.
        promised = ends.chi2 - np.where(np.isfinite(ends.edm), ends.edm, 0.0)
        known = self._chi2[point]
        is_hit = (ends.status == Status.NOT_CONVERGED) & _is_same(promised, known) & (ends.edm <= NEAR)
        result.start_chi2[point, number] = np.where(is_hit, known, ends.chi2)
        result.start_status[point, number] = np.where(is_hit, Status.CONVERGED, ends.status)
        # Some descents have seen the rank themselves; it is looked for at the starts of the others.
        is_seen = ends.rank != UNKNOWN
        np.maximum.at(result.largest_rank, point[is_seen], ends.rank[is_seen].astype(np.int32))
        for i in np.unique(point[~is_seen & (ends.status != Status.NOT_RUN)]):
            rows = np.flatnonzero(point == i)
            ranks = ranks_of_starts(
                self.objective, self._points[[i]], np.array([i]), start[:, None, rows], ends.take(rows)
            )
            result.largest_rank[i] = max(result.largest_rank[i], int(ranks[0]))

    def described(self) -> PointResults:
        """Describe minima that are new, and say what the fresh starts say together."""
        result, precision = self._result, self.objective.precision
        rows = np.flatnonzero(self.is_changed | (result.status == Status.NOT_RUN))
        if len(rows):
            part = result.take(rows)
            minimum = Minimum(
                self._x.take(rows, axis=-1), np.where(np.isfinite(self._chi2[rows]), self._chi2[rows], np.nan),
                self._edm[rows], np.where(np.isfinite(self._chi2[rows]), self._status[rows], Status.FAILED),
                None if self._slopes is None else self._slopes.take(rows, axis=-1),
            )  # fmt: skip
            describe(self.objective, self._points, rows, minimum, part)
            result.put_rows(rows, part)
        _count_starts(result, precision)
        return result

    def slopes_at(self, x: Array) -> Array | None:
        """Return the derivatives at minima, shape (n, n_parameters), where these are the ones that were found here."""
        if self._slopes is None:
            return None
        return np.where((self._x == x.T).all(axis=0), self._slopes, np.nan)

    def _run(self, point: IntArray, start: Array, *, is_guided: bool) -> Minima:
        """Descend from a start for each of some points, which may occur several times."""
        ends = Minima.not_run(len(start), len(point))
        if self._slopes is not None:
            ends = replace(ends, slopes=np.full((*self._slopes.shape[:2], len(point)), np.nan))
        launch = Launch(np.arange(len(point)), self._at(point), start)
        known = np.where(self._status == Status.CONVERGED, self._chi2, np.inf)
        # Where derivatives are cheap, so is going on.
        is_guided &= self._slopes is not None
        guide = Guide(self.objective, point, known, self._x.copy()) if is_guided else None
        descend(self.objective, ends, Once(launch), self._settings.max_iter, guide)
        np.add.at(self._result.n_evaluations, point, ends.n_evaluations)
        np.add.at(self._result.n_iterations, point, ends.n_iterations)
        return ends

    def _follow(self, point: IntArray, start: Array) -> None:
        """Descend to the end from one start of each point, and take what is lower."""
        if not len(point):
            return
        self._take(point, self._run(point, start, is_guided=False))

    def _pursue(self, point: IntArray, ends: Minima) -> None:
        """Take the minima of starts, and follow those that wait and promise to be lower, the lowest first."""
        is_over = ends.status == Status.CONVERGED
        self._take(point[is_over], ends.take(np.flatnonzero(is_over)))
        promised = ends.chi2 - np.where(np.isfinite(ends.edm), ends.edm, 0.0)
        waits = (ends.status == Status.NOT_CONVERGED) & np.isfinite(promised)
        while (rows := self._lowest(point, np.where(waits, promised, np.inf))).size:
            waits[rows] = False
            self._follow(point[rows], ends.x.take(rows, axis=-1))

    def _lowest(self, point: IntArray, promised: Array) -> IntArray:
        """Return one row of every point: the one that promises most, if that is lower than what is known."""
        order = np.lexsort((np.arange(len(point)), promised, point))
        first = order[np.unique(point[order], return_index=True)[1]]
        worth = promised[first] < np.where(np.isinf(self._chi2[point[first]]), np.inf, self._chi2[point[first]] - WORTH)
        result: IntArray = np.sort(first[worth & np.isfinite(promised[first])])
        return result

    def _take(self, point: IntArray, ends: Minima) -> None:
        """Keep minima that are lower than what is known, or as low and better converged."""
        order = np.lexsort((np.arange(len(point)), np.where(np.isnan(ends.chi2), np.inf, ends.chi2), point))
        row = order[np.unique(point[order], return_index=True)[1]] if len(point) else order
        i, chi2 = point[row], ends.chi2[row]
        known = self._chi2[i]
        tie = np.where(np.isfinite(known), tie_tolerance(np.where(np.isfinite(known), known, 0.0)), 0.0)
        is_firmer = (self._status[i] != Status.CONVERGED) & (ends.status[row] == Status.CONVERGED)
        is_better = np.isfinite(chi2) & ((chi2 < known - tie) | (is_firmer & (chi2 <= known + tie)))
        is_real = np.isfinite(ends.x[:, row]).all(axis=0)
        i, row = i[is_better & is_real], row[is_better & is_real]
        self._chi2[i], self._edm[i], self._status[i] = ends.chi2[row], ends.edm[row], ends.status[row]
        self._x[:, i] = ends.x[:, row]
        if self._slopes is not None and ends.slopes is not None:
            self._slopes[..., i] = ends.slopes[..., row]
        self.is_changed[i] = True

    def _at(self, point: IntArray) -> Given:
        return self._given.take(point)

    def _inside(self, x: Array) -> Array:
        box = self.objective.box
        return np.ascontiguousarray(np.clip(x, box.lower, box.upper))
