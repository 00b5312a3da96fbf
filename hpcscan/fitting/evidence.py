"""Why a minimum is believed: it is proven, or enough fresh starts agree on it.

The rule of agreement holds for the fresh starts of a point and of its neighbours together, so that its last word is
spoken where all points are known (`hpcscan.scanning.evidence`); here a point has its own starts alone.
"""

from __future__ import annotations

import numpy as np

from hpcscan.arrays import Array, BoolArray, IntArray
from hpcscan.fitting.curvature import is_finite, ranks
from hpcscan.fitting.ends import Minima
from hpcscan.fitting.records import UNKNOWN, Evidence, PointResults, Status
from hpcscan.likelihood.objective import Given
from hpcscan.likelihood.rows import never_alone
from hpcscan.likelihood.scalar import AnyObjective, ScalarObjective
from hpcscan.tolerance import Precision, contradicts_bound, is_gap_closed, tie_tolerance

#: So many fresh starts have to run, …
LEAST_FRESH = 16
#: … so many of them to end at the minimum, and at least this share.
LEAST_HITS, LEAST_SHARE = 5, 0.2


def is_agreed(n_fresh: IntArray, n_hits: IntArray) -> BoolArray:
    """Whether enough fresh starts ran, and ended at the minimum."""
    return (n_fresh >= LEAST_FRESH) & (n_hits >= LEAST_HITS) & (n_hits >= LEAST_SHARE * n_fresh)


def has_full_rank(results: PointResults, is_fixed: BoolArray, largest_rank: IntArray) -> BoolArray:
    """Whether the Jacobian at a minimum may have the rank that it has at any start: otherwise it lies on a plateau.

    Parameters
    ----------
    results : PointResults
    is_fixed : bool array, shape (n_parameters,)
        Parameters without freedom.
    largest_rank : int array, shape (n,)
        Seen at the beginnings and ends of starts; `UNKNOWN` counts for nothing.
    """
    # Flat directions are those of parameters that no bound holds; a held one may add its own to the rank.
    n_directions = len(is_fixed) - int(is_fixed.sum())
    return np.asarray(n_directions - np.maximum(results.n_flat_directions, 0) >= largest_rank)


def judge(results: PointResults, is_supported: BoolArray, precision: Precision) -> None:
    """Write evidence and status of points that were fitted.

    A point has converged where its best start met its tolerance and its minimum is proven or agreed.

    Parameters
    ----------
    results : PointResults
    is_supported : bool array, shape (n,)
        Where the rule of agreement holds.
    precision : Precision
        Of the model's numbers.
    """
    chi2 = results.chi2
    was_fitted = np.isin(results.status, (Status.CONVERGED, Status.NOT_CONVERGED))
    has_arrived = was_fitted & (results.edm <= tie_tolerance(chi2, precision))
    is_proven = is_gap_closed(chi2, results.chi2_lower_bound, precision)
    is_possible = ~contradicts_bound(chi2, results.chi2_lower_bound, precision)
    agreed = np.where(is_supported & is_possible, Evidence.AGREED, Evidence.NONE)
    evidence = np.where(is_proven, Evidence.PROVEN, agreed)
    results.evidence[:] = np.where(was_fitted & np.isfinite(chi2), evidence, Evidence.NONE)
    has_converged = has_arrived & (results.evidence != Evidence.NONE)
    results.status[was_fitted] = np.where(has_converged, Status.CONVERGED, Status.NOT_CONVERGED)[was_fitted]
    results.unexplored_fraction[is_proven] = 0.0


def ranks_of_starts(objective: AnyObjective, points: Array, owner: IntArray, drawn: Array, ends: Minima) -> IntArray:
    """Find the largest rank of the Jacobian at the beginnings and ends of the starts of every point, shape (n,).

    `UNKNOWN` in a model without predictions, where nothing is free, and where no derivative is finite.

    Parameters
    ----------
    objective : Objective or ScalarObjective
    points : array, shape (n, n_axes)
    owner : int array, shape (n,)
        On whose account rows of the model are counted.
    drawn : array, shape (n_parameters, n, n_starts)
        Where starts begin.
    ends : Minima
        Of n × n_starts rows.
    """
    n, n_starts = drawn.shape[1:]
    most = min(objective.box.n_free, len(objective.problem.observables))
    largest = np.full(n, UNKNOWN, np.int32)
    if isinstance(objective, ScalarObjective) or not objective.box.has_freedom:
        return largest
    # Some fitters have looked themselves, at no cost of their own.
    is_seen, was_run = ends.rank != UNKNOWN, ends.status != Status.NOT_RUN
    np.maximum.at(largest, np.flatnonzero(is_seen) // n_starts, ends.rank[is_seen].astype(np.int32))
    was_run = was_run & ~is_seen
    begins, is_first = drawn.reshape(len(drawn), -1), np.arange(n * n_starts) % n_starts == 0
    for places, of_these in ((begins, is_first), (begins, ~is_first), (ends.x, is_first | ~is_first)):
        # Where every direction has been seen to matter, no other place can show more.
        is_open = np.repeat(largest < most, n_starts)
        row = never_alone(np.flatnonzero(was_run & of_these & is_open & np.isfinite(places).all(axis=0)))
        if len(row):
            given = Given(np.ascontiguousarray(points[row // n_starts].T), owner=owner[row // n_starts])
            rank = _ranks(objective, given, np.ascontiguousarray(places.take(row, axis=-1)))
            np.maximum.at(largest, row // n_starts, rank)
    return largest


def _ranks(objective: AnyObjective, given: Given, x: Array) -> IntArray:
    assert not isinstance(objective, ScalarObjective)
    with np.errstate(all="ignore"):
        at = objective.evaluate(given, x)
        columns = np.where(objective.box.is_fixed, 0.0, objective.jacobian(given, x, at))
    is_known = is_finite(columns)
    rank = ranks(np.where(is_known, columns, 0.0), objective.null(at))
    return np.where(is_known & np.isfinite(at.chi2), rank, UNKNOWN).astype(np.int32)
