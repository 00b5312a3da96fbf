"""Whether the best fit is the lowest of all: a proof with everything free, where the model can be enclosed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hpcscan.answer.frame import Frame
from hpcscan.arrays import Array
from hpcscan.fitting.records import Evidence
from hpcscan.model.problem import Problem
from hpcscan.proof.condition import NotEnclosable
from hpcscan.proof.posed import pose_proof
from hpcscan.tolerance import Precision, contradicts_bound, is_gap_closed, tie_tolerance


@dataclass(frozen=True)
class Proven:
    """What a proof says of a best fit.

    Attributes
    ----------
    lower_bound : float
        No χ² within the bounds is below; −∞ where nothing was proven.
    lower : array, shape (n, n_coordinates)
        Where χ² is lower than at the best fit: nowhere, or at one place. Its scales are not known.
    n_boxes : int
    """

    lower_bound: float
    lower: Array
    n_boxes: int = 0

    def evidence(self, chi2: float, precision: Precision, *, is_agreed: bool) -> Evidence:
        """Judge a best fit with this χ²; agreement is no evidence for what contradicts its bound."""
        at, bound = np.array([chi2]), np.array([self.lower_bound])
        if is_gap_closed(at, bound, precision)[0]:
            return Evidence.PROVEN
        return Evidence.AGREED if is_agreed and not contradicts_bound(at, bound, precision)[0] else Evidence.NONE


def nothing_proven(z: Array) -> Proven:
    """Say that there is no proof, beside coordinates of shape (n_coordinates,)."""
    return Proven(-np.inf, np.empty((0, len(z))))


def prove(free: Problem, frame: Frame, z: Array, chi2: float, most_boxes: int) -> Proven:
    """Prove that no parameters within their bounds are better, or find some that are.

    Parameters
    ----------
    free : Problem
        Without axes.
    frame : Frame
        Scanned parameters move within its ends.
    z : array, shape (n_coordinates,)
        The best fit.
    chi2 : float
        There.
    most_boxes : int
    """
    places = [frame.names.index(p.name) for p in free.parameters]
    lower, upper, here = (frame.natural(row)[places] for row in (frame.lower, frame.upper, z))
    try:
        posed = pose_proof(free, (lower, upper))
        found = posed.prove(np.empty((1, 0)), (np.array([chi2]), np.clip(here, lower, upper)[None]), most_boxes)
    except NotEnclosable:
        return nothing_proven(z)
    is_lower = bool(found.chi2[0] < chi2 - tie_tolerance(np.array(chi2)))
    natural = frame.natural(z)[None].copy()
    natural[:, places] = found.parameters
    return Proven(float(found.lower_bound[0]), frame.coordinates_of(natural)[: int(is_lower)], int(found.n_boxes[0]))
