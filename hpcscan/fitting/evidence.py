"""Why a minimum is believed: it is proven, or enough fresh starts agree on it.

The rule of agreement holds for the fresh starts of a point and of its neighbours together, so that its last word is
spoken where all points are known (`hpcscan.scanning.neighbours`); here a point has its own starts alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hpcscan.arrays import Array, BoolArray, IntArray
from hpcscan.fitting.curvature import is_finite, ranks
from hpcscan.fitting.ends import Minima
from hpcscan.fitting.records import UNKNOWN, Evidence, PointResults, Status
from hpcscan.likelihood.objective import Given
from hpcscan.likelihood.rows import never_alone
from hpcscan.likelihood.scalar import AnyObjective, ScalarObjective
from hpcscan.tolerance import EXACT, Precision, contradicts_bound, is_gap_closed, tie_tolerance

#: So many fresh starts have to run, …
LEAST_FRESH = 16
#: … so many of them to end at the minimum, and at least this share.
LEAST_HITS, LEAST_SHARE = 5, 0.2


@dataclass(frozen=True)
class Agreement:
    """Agreement of the starts of n points.

    A level is a value of χ² to which starts converged; values within the tie tolerance are one level. The minima of a
    model may be manifolds, so levels and not places in parameter space are what can be told apart.

    Attributes
    ----------
    best : int array, shape (n,)
        The best start. Among those that are equal to the lowest a converged one comes first, then the lowest index.
    n_run, n_converged, n_at_minimum, n_levels : int array, shape (n,)
    spread : array, shape (n,)
        χ² from the lowest level to the next; NaN where there is only one.
    """

    best: IntArray
    n_run: IntArray
    n_converged: IntArray
    n_at_minimum: IntArray
    n_levels: IntArray
    spread: Array

    @property
    def unexplored_fraction(self) -> Array:
        """Estimated share of levels that no start has seen: w (w + 1) / (n (n − 1)) for w levels in n converged starts.

        C. G. E. Boender and A. H. G. Rinnooy Kan, Math. Programming 37, 59 (1987); clipped to 1, NaN for n < w + 2.
        """
        w, n = self.n_levels, self.n_converged
        with np.errstate(all="ignore"):
            return np.where(n < w + 2, np.nan, np.minimum(w * (w + 1) / (n * (n - 1.0)), 1.0))


def agreement(chi2: Array, status: IntArray, precision: Precision = EXACT) -> Agreement:
    """Compare the starts of every point; `chi2` and `status` have shape (n, n_starts)."""
    lowest = np.min(np.where(np.isnan(chi2), np.inf, chi2), axis=1, keepdims=True)
    is_at_minimum: BoolArray = chi2 <= lowest + tie_tolerance(lowest, precision)
    has_converged = status == Status.CONVERGED
    n_levels, spread = _levels(np.where(has_converged, chi2, np.nan), precision)
    return Agreement(
        best=np.argmax(is_at_minimum * 1 + (is_at_minimum & has_converged), axis=1),
        n_run=(status != Status.NOT_RUN).sum(axis=1),
        n_converged=has_converged.sum(axis=1),
        n_at_minimum=(is_at_minimum & has_converged).sum(axis=1),
        n_levels=n_levels,
        spread=spread,
    )


def n_starts_at(minimum: Array, chi2: Array, status: IntArray, precision: Precision = EXACT) -> IntArray:
    """Count the starts of every point that converged to a given χ² or below, shape (n,)."""
    level = (minimum + tie_tolerance(minimum, precision))[:, None]
    n_at: IntArray = ((status == Status.CONVERGED) & (chi2 <= level)).sum(axis=1)
    return n_at


def _levels(chi2: Array, precision: Precision) -> tuple[IntArray, Array]:
    """Count the distinct levels of each row, and measure the gap above the lowest one; NaN entries do not count."""
    chi2 = np.sort(chi2, axis=1)
    is_step = np.diff(chi2, axis=1) > tie_tolerance(chi2[:, :-1], precision)
    n_levels = is_step.sum(axis=1) + ~np.isnan(chi2[:, 0])
    row, next_level = np.arange(len(chi2)), np.argmax(is_step, axis=1) + 1 if is_step.shape[1] else 0
    spread = np.where(is_step.any(axis=1), chi2[row, next_level] - chi2[:, 0], np.nan)
    return n_levels, spread


def is_agreed(n_fresh: IntArray, n_hits: IntArray) -> BoolArray:
    """Whether enough fresh starts ran, and ended at the minimum."""
    return (n_fresh >= LEAST_FRESH) & (n_hits >= LEAST_HITS) & (n_hits >= LEAST_SHARE * n_fresh)


def has_full_rank(results: PointResults, is_fixed: BoolArray, largest_rank: IntArray) -> BoolArray:
    """Whether the Jacobian at a minimum may have the rank that it has at any start: otherwise it lies on a plateau.

    Parameters
    ----------
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

    A point has converged where its best start met its tolerance and its minimum is proven or agreed. That it is the
    only one near is evidence of another kind, which says nothing of lower ones elsewhere.

    Parameters
    ----------
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
    local = np.where(results.unique_within > 0, Evidence.UNIQUE, Evidence.NONE)
    agreed = np.where(is_supported & is_possible, Evidence.AGREED, np.where(is_possible, local, Evidence.NONE))
    evidence = np.where(is_proven, Evidence.PROVEN, agreed)
    results.evidence[:] = np.where(was_fitted & np.isfinite(chi2), evidence, Evidence.NONE)
    has_converged = has_arrived & np.isin(results.evidence, (Evidence.AGREED, Evidence.PROVEN))
    results.status[was_fitted] = np.where(has_converged, Status.CONVERGED, Status.NOT_CONVERGED)[was_fitted]
    results.unexplored_fraction[is_proven] = 0.0


def ranks_of_starts(objective: AnyObjective, points: Array, owner: IntArray, drawn: Array, ends: Minima) -> IntArray:
    """Find the largest rank of the Jacobian at the beginnings and ends of the starts of every point, shape (n,).

    `UNKNOWN` in a model without predictions, where nothing is free, and where no derivative is finite.

    Parameters
    ----------
    points : array, shape (n, n_axes)
    owner : int array, shape (n,)
        On whose account rows of the model are counted.
    drawn : array, shape (n_parameters, n, n_starts)
        Where starts begin.
    ends : Minima
        Of n × n_starts rows.
    """
    n, n_starts = drawn.shape[1:]
    largest = np.full(n, UNKNOWN, np.int32)
    if isinstance(objective, ScalarObjective) or not objective.box.has_freedom:
        return largest
    # Every profiled scale takes one dimension: of values m it leaves residuals r on the sphere |r|² + m·r = 0.
    most = min(objective.box.n_free, len(objective.problem.observables) - len(objective.groups))
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
