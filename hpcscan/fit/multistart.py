"""Multistart: as many starts as a point needs."""

from __future__ import annotations

from functools import partial

import numpy as np

from hpcscan.fit.agreement import AGREEING_STARTS, agreement
from hpcscan.fit.objective import Objective
from hpcscan.fit.records import BoolArray, IntArray, Status
from hpcscan.fit.settings import FitSettings
from hpcscan.fit.starts import draw_starts
from hpcscan.fit.tolerance import is_gap_closed
from hpcscan.fit.trust_region import Minima, minimise
from hpcscan.model.interface import Array

#: A point that needs more starts gets at least so many: a batch of few rows costs as much as one of more.
LEAST_MORE = 3


def multistart(objective: Objective, points: Array, settings: FitSettings, lower_bound: Array) -> Minima:
    """Fit the starts of every point.

    Every point runs the least number of starts. A point whose best start has not converged, or to a minimum that is
    neither proven nor well explored, then doubles them, or adds three where that is more, again and again, up to the
    largest number. Nothing is well explored before two starts agree on the minimum. When one of those added has reached
    a proven minimum, the others of its point are left where they are.

    Parameters
    ----------
    objective : Objective
    points : array, shape (n_points, n_axes)
    settings : FitSettings
    lower_bound : array, shape (n_points,)
        Proven lower bound of χ²; NaN where there is none.

    Returns
    -------
    Minima
        n_points × settings.n_starts rows, the starts of a point in succession; status `not_run` for those not needed.
    """
    limits = settings.start_range
    ends = Minima.not_run(len(objective.box.start), len(points) * limits.max)
    active, first, stop = np.arange(len(points)), 0, limits.min
    while len(active):
        row = (active[:, None] * limits.max + np.arange(first, stop)).ravel()
        of_rows = np.repeat(points[active].T, stop - first, axis=1)
        starts = draw_starts(objective.box, points[active], settings.seed, stop)[:, :, first:]
        bounds = np.repeat(lower_bound[active], stop - first)
        is_needless = partial(_have_proof, bounds, stop - first) if first else None
        ends.put(row, minimise(objective, of_rows, starts.reshape(len(starts), -1), settings.max_iter, is_needless))
        if stop == limits.max:
            break
        active = active[~_is_enough(ends, active, settings, lower_bound[active])]
        first, stop = stop, min(stop + max(stop, LEAST_MORE), limits.max)
    return ends


def _have_proof(lower_bound: Array, n_each: int, ends: Minima) -> BoolArray:
    """Tell for the starts of points, n_each in succession, whether one of them has reached a proven minimum."""
    is_proven = (ends.status == Status.CONVERGED) & is_gap_closed(ends.chi2, lower_bound)
    return np.repeat(is_proven.reshape(-1, n_each).any(axis=1), n_each)


def _is_enough(ends: Minima, active: IntArray, settings: FitSettings, lower_bound: Array) -> BoolArray:
    """Tell which points need no more starts."""
    shape = (-1, settings.n_starts)
    chi2, status = ends.chi2.reshape(shape)[active], ends.status.reshape(shape)[active]
    together = agreement(chi2, status)
    best = np.arange(len(active)), together.best
    is_proven = is_gap_closed(chi2[best], lower_bound)
    is_explored = (together.unexplored_fraction <= settings.unexplored) & (together.n_at_minimum >= AGREEING_STARTS)
    is_enough: BoolArray = (status[best] == Status.CONVERGED) & (is_proven | is_explored)
    return is_enough
