"""The fit of a block of grid points: from coordinates to one record per point."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from hpcscan.arrays import Array, IntArray
from hpcscan.fitting.describe import Minimum, describe
from hpcscan.fitting.ends import Minima
from hpcscan.fitting.evidence import (
    LEAST_FRESH,
    agreement,
    has_full_rank,
    is_agreed,
    judge,
    n_starts_at,
    ranks_of_starts,
)
from hpcscan.fitting.methods import RUNS
from hpcscan.fitting.records import PointResults, Status
from hpcscan.fitting.refit import arrive, look_around, prove_block
from hpcscan.fitting.saddle import leave_saddles
from hpcscan.fitting.starts import draw_starts
from hpcscan.likelihood.scalar import AnyObjective, objective_of
from hpcscan.model.problem import Problem
from hpcscan.model.returned import PredictionRanges
from hpcscan.proof.certificate import certified
from hpcscan.proof.posed import pose_proof
from hpcscan.proof.together import CLOSED, bound_together
from hpcscan.settings import FitSettings, StartRange
from hpcscan.tolerance import is_gap_closed, tie_tolerance

#: Boxes that are tried for what the first starts have found, where the model says what its predictions are together.
FIRST_BOXES = 256
#: Prove minima as they are in a record, and write there what is proven; whether it is for the last time.
Prove: TypeAlias = Callable[[bool], None]


def fit_block(problem: Problem, points: Array, point_index: IntArray, settings: FitSettings) -> PointResults:
    """Fit a block of grid points and describe each.

    Parameters
    ----------
    points : array, shape (n_points, n_axes)
        Coordinates in the order of the problem's axes.
    point_index : int array, shape (n_points,)

    Returns
    -------
    PointResults
    """
    return fit_starts(problem, points, point_index, settings)[1]


def fit_starts(
    problem: Problem, points: Array, point_index: IntArray, settings: FitSettings
) -> tuple[Minima, PointResults]:
    """Do the same, and give the end of every start too: n_points × n_starts rows, those of a point in succession."""
    objective = objective_of(problem, settings.precision, floor=settings.precision_floor, n_points=len(points))
    result = PointResults.not_run(problem, point_index, settings.n_starts)
    ranges = problem.prediction_ranges(points) if settings.proof is not None else None
    if settings.proof is not None:
        _certify(problem, ranges, result)
    prove = _proof_after_starts(problem, objective, points, ranges, settings, result)
    if prove is None:
        ends = RUNS[settings.method](objective, points, settings, result.chi2_lower_bound)
        _summarise(objective, points, ends, result)
        if not problem.parameters:
            # Nothing is left to minimise over: what was computed cannot be beaten.
            result.chi2_lower_bound[:] = np.where(np.isfinite(result.chi2), result.chi2, np.nan)
    else:
        ends = _run_and_prove(prove, objective, points, settings, result)
        if settings.is_enclosable:
            arrive(problem, points, settings, result)
    leave_saddles(objective, points, settings, result, np.arange(len(points)))
    look_around(problem, objective, points, settings, result)
    _judge(objective, points, settings, ends, result)
    result.n_model_rows[:] += objective.tally.n_rows
    return ends, result


def _certify(problem: Problem, ranges: PredictionRanges | None, result: PointResults) -> None:
    """Write down what no fit can beat."""
    certificate = certified(problem, len(result.chi2), ranges)
    result.chi2_lower_bound[:] = certificate.chi2_lower_bound
    result.scale_lower[:], result.scale_upper[:] = certificate.scale_lower, certificate.scale_upper


def _proof_after_starts(  # noqa: PLR0913, PLR0917  (a block, and what is known of it)
    problem: Problem,
    objective: AnyObjective,
    points: Array,
    ranges: PredictionRanges | None,
    settings: FitSettings,
    result: PointResults,
) -> Prove | None:
    """Return how minima are proven once a start has found them; None where starts need not wait for it."""
    if settings.proof is None:
        return None
    if settings.is_enclosable:
        posed = pose_proof(problem)

        def prove(is_last: bool) -> None:
            # A proof that stays open has had its budget; what it finds lower it repairs itself.
            if not is_last:
                prove_block(posed, problem, objective, points, settings, result)

        return prove
    if ranges is None or not ranges.joint:
        return None
    # A minimum that is the lowest needs few boxes; above another one, which more starts may find, all would be in vain.
    most, limits = settings.proof.boxes, settings.start_range
    first = min(FIRST_BOXES, most) if limits.max > limits.min else most

    def prove_together(is_last: bool) -> None:
        budget = most - first if is_last else first
        if budget:
            _bound_together(objective, points, ranges, result, budget)

    return prove_together


def _bound_together(
    objective: AnyObjective, points: Array, ranges: PredictionRanges, result: PointResults, most_boxes: int
) -> None:
    """Raise the bounds, where the model says what observables that share parameters can be together."""
    # What has been searched to its end needs no other search.
    tie = tie_tolerance(result.chi2, objective.precision)
    is_done = (result.n_boxes > 0) & (result.chi2_lower_bound >= result.chi2 - CLOSED * tie)
    known = np.where(is_done, np.nan, result.chi2), tie
    found = bound_together(objective.problem, points, known, most_boxes, ranges)
    certificate = found.certificate
    row = np.flatnonzero(found.n_boxes)
    result.n_boxes[row] += found.n_boxes[row]
    result.chi2_lower_bound[row] = np.fmax(result.chi2_lower_bound[row], certificate.chi2_lower_bound[row])
    # Boxes that may hold the minimum are as small as the proof needs; the fit knows better where it is.
    result.scale_lower[row] = np.minimum(certificate.scale_lower[row], result.scale[row])
    result.scale_upper[row] = np.maximum(certificate.scale_upper[row], result.scale[row])


def _run_and_prove(
    prove: Prove, objective: AnyObjective, points: Array, settings: FitSettings, result: PointResults
) -> Minima:
    """Run the least number of starts, prove what they found, and run more where the proof stays open."""
    # The least number of starts, and a proof of the best of them.
    limits, n = settings.start_range, len(points)
    few = replace(settings, starts=limits.min) if settings.about.n_runs is None else settings
    first = RUNS[settings.method](objective, points, few, result.chi2_lower_bound)
    ends = Minima.not_run(len(first.x), n * limits.max)
    ends.put(_rows(np.arange(n), limits.min, limits.max), first)
    _summarise(objective, points, ends, result)
    prove(False)

    # All starts where that leaves a gap, and the starts are not used up.
    is_open = ~is_gap_closed(result.chi2, result.chi2_lower_bound, objective.precision)
    more = np.flatnonzero(is_open) if limits.max > limits.min else np.arange(0)
    if len(more):
        problem, before = objective.problem, result.take(more)
        again_there = objective_of(problem, settings.precision, floor=settings.precision_floor, n_points=len(more))
        # Where boxes of predictions are searched afterwards, no start knows that it is the last one that is needed: as
        # many as may agree begin at once, and can leave behind those that take long.
        fewest = StartRange(min(max(limits.min, LEAST_FRESH), limits.max), limits.max)
        at_once = settings if settings.is_enclosable else replace(settings, starts=fewest)
        further = RUNS[settings.method](again_there, points[more], at_once, before.chi2_lower_bound)
        ends.put(_rows(more, limits.max, limits.max), further)
        again = PointResults.not_run(problem, result.point_index[more], settings.n_starts)
        again.chi2_lower_bound[:], again.n_boxes[:] = before.chi2_lower_bound, before.n_boxes
        again.scale_lower[:], again.scale_upper[:] = before.scale_lower, before.scale_upper
        _summarise(again_there, points[more], further, again)
        again.n_model_rows[:] = before.n_model_rows + again_there.tally.n_rows
        # What the proof has repaired before may still be the lowest.
        is_lower = again.chi2 > before.chi2 + tie_tolerance(before.chi2, objective.precision)
        kept = np.flatnonzero(is_lower & (before.repaired == 1))
        again.put_rows(kept, _with_starts_of(before.take(kept), again.take(kept), objective))
        result.put_rows(more, again)
    prove(True)
    return ends


def _rows(points: IntArray, n_used: int, n_starts: int) -> IntArray:
    """Return the rows of the first starts of some points, those of a point in succession."""
    return (points[:, None] * n_starts + np.arange(n_used)).ravel()


def _with_starts_of(minimum: PointResults, starts: PointResults, objective: AnyObjective) -> PointResults:
    """Take a minimum from one record, and what is said of starts from another."""
    n_at = n_starts_at(minimum.chi2, starts.start_chi2, starts.start_status, objective.precision)
    return replace(
        minimum,
        start_chi2=starts.start_chi2,
        start_status=starts.start_status,
        n_starts=starts.n_starts,
        n_starts_converged=starts.n_starts_converged,
        n_starts_at_minimum=n_at.astype(np.int32),
        start_spread=starts.start_spread,
        n_model_rows=starts.n_model_rows,
        n_evaluations=starts.n_evaluations + minimum.n_evaluations,
        n_iterations=starts.n_iterations + minimum.n_iterations,
    )


def _judge(objective: AnyObjective, points: Array, settings: FitSettings, ends: Minima, result: PointResults) -> None:
    """Judge points by what is known of each alone: a proof, or the agreement of its own starts."""
    if not settings.about.has_agreement:
        # A single run has nobody to agree with: it has converged where it has met its own tolerance, and is proven.
        own = result.status.copy()
        judge(result, np.zeros(len(points), bool), objective.precision)
        result.status[:] = np.where(own == Status.NOT_CONVERGED, own, result.status)
        return
    box, is_supported = objective.box, np.ones(len(points), bool)
    if box.has_freedom:
        is_open = ~is_gap_closed(result.chi2, result.chi2_lower_bound, objective.precision)
        rows = np.flatnonzero(is_open & np.isfinite(result.chi2))
        if len(rows):
            drawn = draw_starts(box, points[rows], settings.seed, settings.n_starts)
            of_rows = ends.take(_rows(rows, settings.n_starts, settings.n_starts))
            result.largest_rank[rows] = ranks_of_starts(objective, points[rows], rows, drawn, of_rows)
        result.n_fresh[:], result.n_hits[:] = result.n_starts, result.n_starts_at_minimum
        is_full = has_full_rank(result, box.is_fixed.ravel(), result.largest_rank)
        is_supported = is_agreed(result.n_fresh, result.n_hits) & is_full
    judge(result, is_supported, objective.precision)


def _summarise(objective: AnyObjective, points: Array, ends: Minima, result: PointResults) -> None:
    """Choose the best start of every point, and describe the minimum there."""
    shape = result.start_chi2.shape
    result.start_chi2[:], result.start_status[:] = ends.chi2.reshape(shape), ends.status.reshape(shape)
    together = agreement(result.start_chi2, result.start_status, objective.precision)
    result.n_starts[:] = together.n_run
    result.n_starts_converged[:] = together.n_converged
    result.n_starts_at_minimum[:] = together.n_at_minimum
    result.start_spread[:], result.unexplored_fraction[:] = together.spread, together.unexplored_fraction
    result.n_evaluations[:] = ends.n_evaluations.reshape(shape).sum(axis=1)
    result.n_iterations[:] = ends.n_iterations.reshape(shape).sum(axis=1)
    # The best start stands for the point.
    row = np.arange(shape[0]) * shape[1] + together.best
    minimum = Minimum(ends.x.take(row, axis=-1), ends.chi2[row], ends.edm[row], ends.status[row])
    describe(objective, points, np.arange(len(points)), minimum, result)
