"""Places where χ² is stationary and no minimum: a saddle, or a maximum between two minima.

Gauss and Newton do not see that χ² bends down: their Hessian JᵀJ leaves Σ r ∂²r out, and where a residual is at an
extremum of a prediction nothing leads away. If χ² bends down, it is likely to do so where JᵀJ is least. So beside a
minimum that nothing proves χ² is computed along the direction that moves the residuals least, on both sides, and along
all that do not move them at all; where it is lower, a fit begins. (Fits of −2 ln L have the whole Hessian, and see it.)
"""

from __future__ import annotations

import numpy as np

from hpcscan.arrays import Array, IntArray
from hpcscan.fitting.curvature import is_finite
from hpcscan.fitting.describe import completed
from hpcscan.fitting.quadratic import is_held_by_box
from hpcscan.fitting.records import PointResults
from hpcscan.fitting.refit import refit_block
from hpcscan.likelihood.linear import gram, weighted_sum
from hpcscan.likelihood.objective import Given, Objective
from hpcscan.likelihood.rows import never_alone
from hpcscan.likelihood.scalar import AnyObjective, ScalarObjective
from hpcscan.settings import FitSettings
from hpcscan.tolerance import is_gap_closed, tie_tolerance

#: How far away is looked, in units of the box's widths; and where χ² is lower there, whether it falls on.
NEAR, FAR = 0.003, (0.03, 0.1)
#: A direction whose share of the largest eigenvalue of JᵀJ is less does not move the residuals.
NULL = 1e-8
#: What begins at a saddle may end at another one: so often.
MOST_ROUNDS = 3


def leave_saddles(  # noqa: PLR0913, PLR0917  (minima, and what is known of them)
    objective: AnyObjective,
    points: Array,
    settings: FitSettings,
    result: PointResults,
    rows: IntArray,
    slopes: Array | None = None,
) -> None:
    """Refit from beside those minima beside which χ² is lower.

    Parameters
    ----------
    objective : Objective or ScalarObjective
        Which counts the rows of the model that are asked for here.
    points : array, shape (n, n_axes)
    result : PointResults
        Of these points; what is lower is written there. Minima that are proven are left as they are, and so are points
        whose fit has not arrived.
    rows : int array
        The points in question.
    slopes : array, shape (n_observables, n_parameters, n), optional
        Derivatives at the minima, as `Minima.slopes` has them; NaN where they are not known.
    """
    if isinstance(objective, ScalarObjective) or not (objective.box.has_freedom and settings.about.is_repaired):
        return
    for _ in range(MOST_ROUNDS):
        chi2, precision = result.chi2[rows], objective.precision
        is_open = np.isfinite(chi2) & ~is_gap_closed(chi2, result.chi2_lower_bound[rows], precision)
        # A fit that ran out of steps is not stationary anywhere.
        rows = rows[is_open & (result.edm[rows] <= tie_tolerance(chi2, precision))]
        if not len(rows):
            return
        owner = never_alone(rows)
        given = Given(np.ascontiguousarray(points[owner].T), owner=owner)
        with np.errstate(all="ignore"):
            known = None if slopes is None else slopes.take(owner, axis=-1)
            places = _lower_places(objective, given, np.ascontiguousarray(result.profiled_parameter[owner].T), known)
        places = places[:, : len(rows)].T
        is_saddle = np.isfinite(places).all(axis=1)
        rows, starts = rows[is_saddle], places[is_saddle][:, None, :]
        if not len(rows):
            return
        result.put_rows(rows, refit_block(objective.problem, points[rows], starts, result.take(rows), settings))
        slopes = None


def _lower_places(objective: Objective, given: Given, x: Array, known: Array | None) -> Array:
    """Find the lowest place beside each of x, shape (p, n); NaN where none is lower by more than the tie tolerance."""
    box, (p, n) = objective.box, x.shape
    at = objective.evaluate(given, x)
    has_differences = objective.needs_differences(given, x)
    slopes = completed(objective, given, x, at, known) if has_differences else objective.slopes(given, x, at)
    jacobian = objective.profiled(slopes, objective.weighed(slopes, at), at)
    is_free = ~is_held_by_box(box, x, weighted_sum(at.residual, jacobian))
    is_known = is_finite(jacobian) & np.isfinite(at.chi2)
    jacobian = np.where(is_free & is_known, jacobian, 0.0)
    matrices = np.ascontiguousarray(np.moveaxis(gram(jacobian.transpose(1, 0, 2)), -1, 0))
    # Derivatives that are finite may have squares that are not: nothing is looked for there.
    is_small = np.isfinite(matrices).all(axis=(1, 2))
    matrices[~is_small] = 0.0
    # What is held counts as moving them most.
    largest = np.trace(matrices, axis1=1, axis2=2) + np.finfo(float).tiny
    matrices[:, np.arange(p), np.arange(p)] += 2 * (~is_free * largest).T
    values, vectors = np.linalg.eigh(matrices)
    best, chi2 = np.full((p, n), np.nan), at.chi2 - tie_tolerance(at.chi2, objective.precision)
    for k in range(p):
        moves_little = (values[:, k] <= NULL * largest) | (k == 0)
        asked = moves_little & is_free.any(axis=0) & is_known & is_small
        for sign in (1.0, -1.0):
            falls = asked
            for length in (NEAR, *FAR):
                rows = never_alone(np.flatnonzero(falls))
                if not len(rows):
                    break
                place = x[:, rows] + sign * length * vectors[rows, :, k].T * box.width
                place = np.ascontiguousarray(np.clip(place, box.lower, box.upper))
                found = objective.evaluate(given.take(rows), place).chi2
                is_lower = found < chi2[rows]
                best[:, rows] = np.where(is_lower, place, best[:, rows])
                chi2[rows] = np.where(is_lower, found, chi2[rows])
                falls = np.zeros(n, bool)
                falls[rows] = is_lower
    return best
