"""Proof and repair in one: minima of fits are proven, and a lower value that a proof finds is where a fit begins."""

from __future__ import annotations

import numpy as np

from hpcscan.arrays import Array
from hpcscan.fitting.records import PointResults
from hpcscan.fitting.refit import refit_block
from hpcscan.likelihood.derivative import LEAST_SIZE_NEAR
from hpcscan.likelihood.scalar import AnyObjective
from hpcscan.model.problem import Problem
from hpcscan.proof.faithful import MISSED
from hpcscan.proof.posed import Posed
from hpcscan.settings import FitSettings
from hpcscan.tolerance import tie_tolerance


def prove_block(  # noqa: PLR0913, PLR0917  (what is known of a block)
    posed: Posed, problem: Problem, objective: AnyObjective, points: Array, settings: FitSettings, result: PointResults
) -> None:
    """Prove the minima of a block, and repair those that a proof finds not to be the lowest.

    Parameters
    ----------
    posed : Posed
    problem : Problem
    objective : Objective
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


def _known(objective: AnyObjective, result: PointResults) -> tuple[Array, Array]:
    """Return χ² and parameters of fits; ∞ at the middle of the start range where a fit has failed."""
    box = objective.box
    middle = np.clip((box.start + box.stop) / 2, box.lower, box.upper)[:, 0]
    chi2, x = result.chi2, result.profiled_parameter
    is_known = np.isfinite(chi2) & np.isfinite(x).all(axis=1)
    return np.where(is_known, chi2, np.inf), np.where(is_known[:, None], x, middle)
