"""What a scan does for evidence, decided before it begins from the configuration and the model alone."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hpcscan.arrays import Array
from hpcscan.errors import UsageError
from hpcscan.grid import Grid
from hpcscan.guard.guarded import guarded
from hpcscan.guard.time_limit import TimeLimit, TimeUpError
from hpcscan.model import Likelihood, Model
from hpcscan.model.posing import pose
from hpcscan.model.problem import Problem
from hpcscan.proof.box_problem import MISSED, UNFAITHFUL
from hpcscan.proof.branch import Proof
from hpcscan.proof.condition import NotEnclosable
from hpcscan.proof.posed import pose_proof
from hpcscan.settings import AUTO_AGREED, AUTO_PROVEN, FitSettings

#: Proofs are tried for a scan where at least this share of those at the first and the last grid point closes.
LEAST_SHARE = 0.5


@dataclass(frozen=True)
class Strategy:
    """How a scan comes by its evidence.

    Attributes
    ----------
    fit : FitSettings
        With the numbers that stand for `auto`, and whether proofs are tried.
    text : str
        Why proofs are or are not tried, in words.
    """

    fit: FitSettings
    text: str


def plan_evidence(problem: Problem, grid: Grid, fit: FitSettings, seconds: float | None = None) -> Strategy:
    """Decide whether proofs are tried, and with how many starts a point begins.

    Parameters
    ----------
    seconds : float, optional
        What a trial may take; without it nobody watches it.

    Raises
    ------
    UsageError
        Where it takes longer, and where fresh starts are chosen that no wave would run.
    """
    limit = TimeLimit(seconds)
    try:
        with limit.armed():
            has_proof, is_enclosable, text = _prospect(guarded(problem, limit), grid, fit)
            is_local = (is_enclosable or not has_proof) and _is_local(guarded(problem, limit), grid, fit)
    except TimeUpError:
        # What is computed must not follow from how long something took.
        raise UsageError(
            f"fit.proof: the proof of a trial point did not end within {seconds:g} s; expected fewer boxes, such as "
            "{boxes: 500}, or false"
        ) from None
    starts, has_ranges = fit.starts, has_proof and not is_enclosable
    # Who says how many starts every point has gets them; so do models whose own ranges prove their minima.
    in_waves = starts == "auto" and fit.about.n_runs is None and not has_ranges and bool(problem.parameters)
    if fit.fresh_starts is not None and not in_waves:
        raise UsageError(
            f"fit.fresh_starts: {fit.fresh_starts:g} is for a grid that is fitted from coarse to fine; leave it out "
            "where starts are chosen, with another method, and for a model that gives ranges or has nothing to profile"
        )
    if starts == "auto":
        starts = AUTO_PROVEN if has_proof else AUTO_AGREED
    found = replace(fit, starts=starts, is_enclosable=is_enclosable, is_local=is_local, is_in_waves=in_waves)
    return Strategy(found, text)


def outlook(model: Model | Likelihood) -> str:
    """Return in a few sentences whether minima of a model can be proven, whatever a scan of it holds."""
    if isinstance(model, Model) and type(model).ranges is not Model.ranges:
        return "Proof: minima are proven from the ranges that the model gives."
    try:
        found = pose_proof(guarded(pose(model, ()), TimeLimit(None))).examine(np.empty((1, 0)))
    except NotEnclosable as error:
        return f"Proof: none, minima of this model cannot be proven: {error}"
    if isinstance(model, Model) and type(model).enclose is not Model.enclose:
        return (
            "Proof: minima can be proven from what the model encloses itself (enclose). The cost grows with the "
            f"parameters that are neither scanned nor fixed.{_held(found.obstacle)} "
            "`hpcscan plan` tries it for a configuration."
        )
    parts = [f"nonlinear {', '.join(part)}" for part in found.nonlinear]
    parts += [f"linear {', '.join(found.linear)}"] if found.linear else []
    parts += [f"factors of single data {', '.join(found.factors)}"] if found.factors else []
    return (
        f"Proof: predict can be enclosed, so that minima can be proven ({'; '.join(parts)}). The cost grows with the "
        f"nonlinear parameters that are neither scanned nor fixed.{_held(found.obstacle)} "
        "`hpcscan plan` tries it for a configuration."
    )


def _held(obstacle: str) -> str:
    return f" With everything free there would be none: {obstacle}." if obstacle else ""


def _prospect(problem: Problem, grid: Grid, fit: FitSettings) -> tuple[bool, bool, str]:
    """Return whether there is a proof, whether it is by enclosure of the model's predictions, and why."""
    if fit.proof is None or not problem.parameters:
        reason = "nothing is left to minimise over" if fit.proof else "no proof is tried: fit.proof is false"
        return fit.proof is not None, False, reason
    points = _trial_points(problem, grid)
    try:
        if problem.prediction_ranges(points) is not None:
            return True, False, "minima are proven from the ranges that the model gives"
    except Exception:  # noqa: BLE001 - whatever a model raises: these points fail when they are fitted, and say why
        return True, False, "minima are proven from the ranges that the model gives, where it gives them"
    found = _trial(problem, points, fit.proof.boxes)
    n_closed, most = int(found.is_closed.sum()), int(found.n_boxes.max())
    trial = f"{n_closed} of {len(points)} trial points in at most {most:,} boxes"
    # A model that is caught once at computing something else is believed nowhere.
    if n_closed >= LEAST_SHARE * len(points) and not found.obstacle.startswith((UNFAITHFUL, MISSED)):
        how = "the model's own predictions" if problem.enclose_by_name is None else "what the model encloses itself"
        return True, True, f"minima are proven from {how} ({trial})"
    if found.obstacle:
        return False, False, f"no proof is tried: {found.obstacle}"
    # A budget ends a proof that another division might exceed: by two boxes for each open one, at most half of all.
    # One that stops before has boxes so small that others would not raise its bound.
    is_spent = 2 * most + 1 >= fit.proof.boxes
    reason = f"within fit.proof.boxes, {fit.proof.boxes:,}" if is_spent else "closes, whatever the budget"
    return False, False, f"no proof {reason} ({trial}); evidence is agreement"


def _trial(problem: Problem, points: Array, most_boxes: int) -> Proof:
    """Prove the minima of a few points, from nothing."""
    known = np.full(len(points), np.inf), np.tile(_start(problem), (len(points), 1))
    try:
        return pose_proof(problem).prove(points, known, most_boxes)
    except NotEnclosable as error:
        return Proof.none(known, str(error))


def _is_local(problem: Problem, grid: Grid, fit: FitSettings) -> bool:
    """Whether a minimum that is not proven may be shown to be the only one near: where the model can be enclosed."""
    # Second derivatives of dear models cost more than their fits.
    if fit.proof is None or not problem.parameters or problem.rows_per_call == 1:
        return False
    points = _trial_points(problem, grid)
    try:
        return pose_proof(problem).is_enclosable(points, np.tile(_start(problem), (len(points), 1)))
    except NotEnclosable:
        return False


def _start(problem: Problem) -> Array:
    """Return the middle of the start ranges, within the bounds."""
    lower, upper = ([getattr(p, side) for p in problem.parameters] for side in ("lower", "upper"))
    return np.asarray(np.clip([np.mean(p.start_range) for p in problem.parameters], lower, upper))


def _trial_points(problem: Problem, grid: Grid) -> Array:
    """Return the first and the last point, at which a model has been tried before, in the order of its axes."""
    index = np.unique([0, grid.n_points - 1])
    names = [axis.name for axis in grid.axes]
    return grid.points(index)[:, [names.index(axis.name) for axis in problem.axes]]
