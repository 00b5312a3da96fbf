"""Refits of grid points: from the minima of their neighbours, and from what a proof finds below their own."""

from __future__ import annotations

import numpy as np

from hpcscan.arrays import Array, BoolArray
from hpcscan.fitting.descent import minimise
from hpcscan.fitting.describe import Minimum, describe
from hpcscan.fitting.ends import Minima
from hpcscan.fitting.evidence import agreement, judge, n_starts_at
from hpcscan.fitting.records import PointResults, Status
from hpcscan.likelihood.box import LEAST_SIZE, LEAST_SIZE_NEAR
from hpcscan.likelihood.objective import Given
from hpcscan.likelihood.scalar import AnyObjective, objective_of
from hpcscan.model.problem import Problem
from hpcscan.proof.box_problem import MISSED
from hpcscan.proof.posed import Posed, pose_proof
from hpcscan.settings import FitSettings
from hpcscan.tolerance import Precision, is_gap_closed, tie_tolerance


def refit_block(  # noqa: PLR0913, PLR0917  (what is known of points)
    problem: Problem,
    points: Array,
    starts: Array,
    current: PointResults,
    settings: FitSettings,
    least_size: float = LEAST_SIZE,
) -> PointResults:
    """Refit points from given parameters, and describe again those that improve; the cost counts for all.

    Parameters
    ----------
    points : array, shape (n, n_axes)
        Coordinates in the order of the problem's axes.
    starts : array, shape (n, n_neighbours, n_parameters)
        NaN where there is no neighbour.
    current : PointResults
        What is known of the points.
    least_size : float
        See `Objective`.

    Returns
    -------
    PointResults
        The same points. Where χ² fell by more than the tie tolerance they have the new minimum, and are marked as
        repaired. What is said of starts is about those of the first pass: neighbours' minima come from each other, and
        so their agreement confirms nothing.
    """
    floor, n = settings.precision_floor, len(points)
    objective = objective_of(problem, settings.precision, least_size, floor, n_points=n)
    ends = _refit(objective, points, starts, settings)
    shape = starts.shape[:2]
    together = agreement(ends.chi2.reshape(shape), ends.status.reshape(shape), objective.precision)
    row = np.arange(shape[0]) * shape[1] + together.best
    better = np.flatnonzero(_is_better(ends.chi2[row], current.chi2, objective.precision))

    # A record is a copy of what was known, so that only what changed has to be written.
    refitted, improved, row = current.take(np.arange(len(points))), current.take(better), row[better]
    improved.n_starts_at_minimum[:] = n_starts_at(
        ends.chi2[row], improved.start_chi2, improved.start_status, objective.precision
    )
    improved.repaired[:] = 1
    minimum = Minimum(ends.x.take(row, axis=-1), ends.chi2[row], ends.edm[row], ends.status[row])
    describe(objective, points, better, minimum, improved)
    look_around(problem, objective, points[better], settings, improved)
    # Their own starts have found another place: nothing supports this one before all points are judged together.
    judge(improved, np.zeros(len(better), bool), objective.precision)
    refitted.put_rows(better, improved)
    refitted.n_model_rows[:] += objective.tally.n_rows
    refitted.n_evaluations[:] += ends.n_evaluations.reshape(shape).sum(axis=1)
    refitted.n_iterations[:] += ends.n_iterations.reshape(shape).sum(axis=1)
    return refitted


def _refit(objective: AnyObjective, points: Array, starts: Array, settings: FitSettings) -> Minima:
    """Minimise from every start that exists; rows without one stay `not_run`."""
    n, k, p = starts.shape
    x = np.ascontiguousarray(starts.reshape(n * k, p).T)
    exists = np.flatnonzero(np.isfinite(x).all(axis=0))
    ends = Minima.not_run(p, n * k)
    of_rows = Given(np.repeat(points.T, k, axis=1), owner=np.repeat(np.arange(n), k)).take(exists)
    inside = np.clip(x.take(exists, axis=-1), objective.box.lower, objective.box.upper)
    ends.put(exists, minimise(objective, of_rows, inside, settings.max_iter))
    return ends


def _is_better(chi2: Array, current: Array, precision: Precision) -> BoolArray:
    """Return which χ² is lower than the current one by more than the tie tolerance; a point without one improves."""
    target = np.where(np.isfinite(current), current - tie_tolerance(current, precision), np.inf)
    is_better: BoolArray = chi2 < target
    return is_better


def needs_repair(results: PointResults) -> BoolArray:
    """Return which points have been fitted without a proof that theirs is the minimum."""
    was_fitted = (results.status != Status.NOT_RUN) & (results.status != Status.TIMED_OUT)
    unproven: BoolArray = was_fitted & ~is_gap_closed(results.chi2, results.chi2_lower_bound)
    return unproven


def prove_block(  # noqa: PLR0913, PLR0917  (what is known of a block)
    posed: Posed, problem: Problem, objective: AnyObjective, points: Array, settings: FitSettings, result: PointResults
) -> None:
    """Prove the minima of a block, and repair those that a proof finds not to be the lowest.

    Parameters
    ----------
    points : array, shape (n, n_axes)
    settings : FitSettings
        With a budget of boxes.
    result : PointResults
        Of these points; bounds, boxes and, where χ² falls, minima are written there.
    """
    assert settings.proof is not None
    proof = posed.prove(points, _known(objective, result), settings.proof.boxes)
    if proof.obstacle.startswith(MISSED):
        problem.doubt(MISSED, f"{proof.obstacle}; nothing is proven there")
    result.n_boxes[:] = proof.n_boxes
    result.n_model_rows[:] += proof.n_rows
    bound = np.fmax(result.chi2_lower_bound, proof.lower_bound)
    result.chi2_lower_bound[:] = np.where(np.isfinite(bound), bound, result.chi2_lower_bound)
    # What the proof has found is as good a start as any neighbour's minimum. It is proven already, if it can be.
    current = np.where(np.isfinite(result.chi2), result.chi2, np.inf)
    with np.errstate(invalid="ignore"):  # ∞ − ∞ where nothing is finite
        is_lower = proof.is_improved & (proof.chi2 < current - tie_tolerance(proof.chi2, objective.precision))
    rows = np.flatnonzero(is_lower & settings.about.is_repaired)
    if len(rows):
        starts = proof.parameters[rows][:, None, :]
        result.put_rows(rows, refit_block(problem, points[rows], starts, result.take(rows), settings, LEAST_SIZE_NEAR))


def arrive(problem: Problem, points: Array, settings: FitSettings, result: PointResults) -> None:
    """Go on where a minimum is proven and its fit has stopped before it, by differences over short steps.

    A fit may have crept to where steps relative to a wide start range tell nothing any more.

    Parameters
    ----------
    points : array, shape (n, n_axes)
    result : PointResults
        Of these points; a place that is not higher and nearer to its minimum is written there.
    """
    precision = objective_of(problem, settings.precision, floor=settings.precision_floor).precision
    has_arrived = result.edm <= tie_tolerance(result.chi2, precision)
    rows = np.flatnonzero(is_gap_closed(result.chi2, result.chi2_lower_bound, precision) & ~has_arrived)
    if not len(rows):
        return
    objective = objective_of(problem, settings.precision, LEAST_SIZE_NEAR, settings.precision_floor, n_points=len(rows))
    before, at = result.take(rows), points[rows]
    ends = _refit(objective, at, before.profiled_parameter[:, None], settings)
    before.n_evaluations[:] += ends.n_evaluations
    before.n_iterations[:] += ends.n_iterations
    nearer = np.flatnonzero((ends.chi2 <= before.chi2) & (ends.edm < before.edm))
    part, end = before.take(nearer), ends.take(nearer)
    describe(objective, at, nearer, Minimum(end.x, end.chi2, end.edm, end.status), part)
    before.put_rows(nearer, part)
    before.n_model_rows[:] += objective.tally.n_rows
    result.put_rows(rows, before)


def look_around(
    problem: Problem, objective: AnyObjective, points: Array, settings: FitSettings, result: PointResults
) -> None:
    """Find out whether minima that nothing proves are the only ones near, where that is not known.

    Parameters
    ----------
    points : array, shape (n, n_axes)
    result : PointResults
        Of these points. Fits that have not arrived have no minimum to look at.
    """
    chi2, precision = result.chi2, objective.precision
    is_open = np.isfinite(chi2) & ~is_gap_closed(chi2, result.chi2_lower_bound, precision)
    is_open &= np.isnan(result.unique_within) & (result.edm <= tie_tolerance(chi2, precision))
    rows = np.flatnonzero(is_open)
    if settings.proof is None or not settings.is_local or not len(rows):
        return
    found = pose_proof(problem).unique_within(points[rows], result.profiled_parameter[rows])
    result.unique_within[rows] = found.within
    result.n_model_rows[rows] += found.n_rows


def _known(objective: AnyObjective, result: PointResults) -> tuple[Array, Array]:
    """Return χ² and parameters of fits; ∞ at the middle of the start range where a fit has failed."""
    box = objective.box
    middle = np.clip((box.start + box.stop) / 2, box.lower, box.upper)[:, 0]
    chi2, x = result.chi2, result.profiled_parameter
    is_known = np.isfinite(chi2) & np.isfinite(x).all(axis=1)
    return np.where(is_known, chi2, np.inf), np.where(is_known[:, None], x, middle)
