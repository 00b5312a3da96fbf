"""How precise a model's numbers are: measured once, by difference tables at fixed places.

The k-th differences of a smooth function over short steps vanish; those of its noise do not, and have a variance of
(2k)!/(k!)² times that of the noise (R. W. Hamming, Introduction to Applied Numerical Analysis, 1971; J. J. Moré and
S. M. Wild, SIAM J. Sci. Comput. 33, 1292 (2011)).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import comb

import numpy as np

from hpcscan.arrays import Array, BoolArray
from hpcscan.model.problem import Problem
from hpcscan.tolerance import Precision

#: Where in the start ranges a table is made, and how many values it has.
PLACES, N_VALUES = (0.5, 0.84375), 9
#: Where it is looked, too, whether the noise of a number alone depends on its size.
MORE_PLACES = (0.15625, 0.6875, 0.96875, 0.03125, 0.28125, 0.40625)
#: Orders of differences that tell the noise.
ORDERS = range(4, N_VALUES)
#: Distances of the values relative to the start ranges; the next one is tried where values of the one before are equal.
#: No round numbers: by steps of what a model rounds to, or of a multiple, its rounding would not be seen.
SPACINGS = (1.618e-7, 1.618e-6, 1.618e-5, 1.618e-4, 1.618e-3)
#: Numbers with less noise, relative to their size, are taken for those of floating point.
EXACT_BELOW = 1e-12


def measured_precision(problem: Problem, points: Array) -> Precision:
    """Measure the noise of the predictions, or of −2 ln L in a scalar model; none for floating point.

    The noise of −2 ln L is relative to its size, as that of short numbers, or the same everywhere, as that of rounded
    ones: whichever differs less between the places.

    Parameters
    ----------
    points : array, shape (n_points, n_axes)
        Where it is measured; the parameters move along a line through their start ranges.
    """
    relative = float(_noises(problem, points, PLACES)[0].max())
    if relative <= EXACT_BELOW:
        return Precision()
    if problem.is_scalar:
        shares, noise, size = _noises(problem, points, (*PLACES, *MORE_PLACES))
        # Where rounded values happen to lie on a line, a table sees nothing of their rounding.
        is_known = shares > EXACT_BELOW
        if _spread(noise[is_known]) <= _spread(shares[is_known]):
            return Precision(float(noise.max() / size.max()), floor=float(size.max()))
    return Precision(relative)


def _spread(values: Array) -> float:
    """Return the interquartile range of logarithms."""
    return float(np.subtract(*np.percentile(np.log(values), (75, 25))))


def _noises(problem: Problem, points: Array, places: Sequence[float]) -> Array:
    """Measure at several places: the share of noise, the noise, and the predictions, shape (3, n_places)."""
    row = points[np.arange(len(places)) % len(points)]
    noise, size = np.array([_noise(problem, *where) for where in zip(row, places, strict=True)]).T
    return np.array([np.divide(noise, size, out=np.zeros_like(noise), where=size > 0), noise, size])


def _noise(problem: Problem, point: Array, place: float) -> tuple[float, float]:
    """Measure at one place: length of the noise and that of the predictions, both in σ."""
    noise: Array | None = None
    with np.errstate(all="ignore"):
        for spacing in SPACINGS:
            try:
                values = _line(problem, point, place, spacing)
            except Exception:  # noqa: BLE001 - where a model raises nothing is measured: the fit copes with such places
                return 0.0, 0.0
            if noise is None:
                noise, size = np.full(values.shape[1], np.nan), np.abs(values).max(axis=0)
            is_news = np.isnan(noise) & _differs(values)
            noise[is_news] = _from_table(values[:, is_news])
            if not np.isnan(noise).any():
                break
    assert noise is not None
    if not np.isfinite(size).all():
        return 0.0, 0.0
    unit = _units(problem, size)
    # Predictions that happen to vanish at this place have no more relative noise than the data to which they belong.
    total = max(np.sqrt(np.sum((size / unit) ** 2)), _length_of_data(problem, unit))
    return float(np.sqrt(np.nansum((noise / unit) ** 2))), float(total)


def _line(problem: Problem, point: Array, place: float, spacing: float) -> Array:
    """Compute what the model gives along a short line, shape (N_VALUES, n_values)."""
    low, high = np.array([p.start_range for p in problem.parameters], float).reshape(-1, 2).T
    along = (place + spacing * np.arange(N_VALUES))[:, None]
    parameters, points = low + along * (high - low), np.repeat(point[None], N_VALUES, axis=0)
    if not len(low):
        points = points + spacing * np.arange(N_VALUES)[:, None] * np.where(point != 0, np.abs(point), 1.0)
    for array in (points, parameters):
        array.flags.writeable = False
    values = (
        problem.twice_nll(points, parameters)[:, None] if problem.is_scalar else problem.predict(points, parameters)
    )
    return np.asarray(values, np.float64)


def _differs(values: Array) -> BoolArray:
    """Return which columns have more steps than equal neighbours."""
    differs: BoolArray = (np.diff(values, axis=0) != 0).sum(axis=0) > N_VALUES // 2
    return differs


def _from_table(values: Array) -> Array:
    """Estimate the standard deviation of the noise of each column."""
    estimates = []
    differences = values
    for order in range(1, N_VALUES):
        differences = np.diff(differences, axis=0)
        if order in ORDERS:
            estimates.append(np.sqrt((differences**2).mean(axis=0) / comb(2 * order, order)))
    middle: Array = np.median(estimates, axis=0)
    return middle


def _length_of_data(problem: Problem, unit: Array) -> float:
    """Return the length of the data vector in σ; 0 for −2 ln L, which has none."""
    if problem.is_scalar:
        return 0.0
    return float(np.sqrt(np.sum((np.array([o.observed for o in problem.observables], float) / unit) ** 2)))


def _units(problem: Problem, size: Array) -> Array:
    """Compute σ of every value, √μ for counts, and 1 for −2 ln L."""
    if problem.is_scalar:
        return np.ones_like(size)
    sigma = np.array([o.sigma for o in problem.observables], float)
    is_count = np.array([o.kind == "poisson" for o in problem.observables], bool)
    return np.where(is_count, np.sqrt(np.maximum(size, 1.0)), sigma)
