"""The story of the answer: best fit, errors, intervals and contours of a finished grid."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

import numpy as np

from hpcscan.answer.best_fit import MOST_LOCAL, N_RANDOM, Beginning, Proven, best_fit, local_minima, random_starts
from hpcscan.answer.contours import ContourLine, contours
from hpcscan.answer.coordinates import Frame
from hpcscan.answer.fitted_intervals import FittedLine, FittedRegion, line
from hpcscan.answer.held_fits import Asked, Compute, Fits, Library, Search, together
from hpcscan.answer.surroundings import Judgement, Surroundings, covariance, judge
from hpcscan.arrays import Array, IntArray
from hpcscan.fitting.records import Evidence
from hpcscan.tolerance import EXACT, Precision, tie_tolerance

#: A new zero starts the answer again, so many times at most.
MOST_RESTARTS = 3
#: Errors of every parameter are found by fits up to so many of them.
MOST_ERRORS = 50
#: Minima that have a covariance of their own for the arcs around them.
MOST_COVARIANCES = 12
#: Values of an axis through which lines of a mesh go, at most: where there are more, the fits between them suffice.
MOST_LINES = 33
#: One standard deviation.
ONE_SIGMA = 1.0


@dataclass(frozen=True)
class AnswerRequest:
    """What is asked of a grid.

    Attributes
    ----------
    levels, pair_levels : tuple of float
        Of Δχ², for one parameter and for two.
    seed : int
        Of the random starts.
    precision : Precision
        Of the model's numbers.
    """

    levels: tuple[float, ...]
    pair_levels: tuple[float, ...]
    has_intervals: bool = True
    has_contours: bool = True
    seed: int = 42
    precision: Precision = EXACT

    @property
    def reach(self) -> float:
        """The highest level of all."""
        return max((*self.levels, *self.pair_levels, ONE_SIGMA))


@dataclass(frozen=True)
class PairContours:
    """The lines of one pair of scanned parameters."""

    pair: tuple[int, int]
    lines: tuple[ContourLine, ...]


@dataclass(frozen=True)
class FittedAnswer:
    """What a scan says.

    Attributes
    ----------
    minima : Fits
        Distinct ones, the lowest first.
    around : Surroundings
        Of the lowest.
    covariance : array, shape (n_coordinates, n_coordinates)
        In the coordinates; NaN where there is none.
    lines : tuple of FittedLine
        One of every scanned parameter.
    errors : mapping of int to Region
        The region of Δχ² ≤ 1 around the best fit, by coordinate.
    is_settled : bool
        False where lower and lower values were found, until nobody went on.
    evidence : Evidence
        Why the lowest minimum is the lowest.
    lower_bound : float
        No χ² is below; −∞ where nothing was proven.
    unique_within : float
        In how many standard deviations around it there is no other minimum; NaN where nobody has looked.
    slopes : array, shape (n_points, n_scanned)
        dχ²/d(parameter) of the grid's profile.
    """

    frame: Frame
    minima: Fits
    around: Surroundings
    judgement: Judgement
    covariance: Array
    lines: tuple[FittedLine, ...]
    errors: dict[int, FittedRegion]
    contours: tuple[PairContours, ...]
    is_settled: bool
    evidence: Evidence = Evidence.NONE
    lower_bound: float = -np.inf
    unique_within: float = np.nan
    slopes: Array = field(default_factory=lambda: np.empty((0, 0)))


@dataclass(frozen=True)
class AnswerMeans:
    """By what an answer is found.

    Attributes
    ----------
    compute : callable
        Does the fits of a wave.
    look : callable
        Looks around a place.
    prove : callable
        Tries to prove that nothing is lower than a place with its χ².
    """

    compute: Compute
    look: Callable[[Array], Surroundings]
    prove: Callable[[Array, float], Proven]


def answer(begun: Beginning, wanted: AnswerRequest, means: AnswerMeans) -> FittedAnswer:
    """Find the answer of a grid."""
    watched, frame = _Watched(means.compute), begun.frame
    means = replace(means, compute=watched)
    frame, kept = frame.thinned(MOST_LINES)
    shape, lowest = begun.grid.shape, local_minima(begun.chi2, begun.grid.shape)[:MOST_LOCAL]
    # Slopes of the grid, whose fits stay as they are; random starts, and the local minima of the grid.
    [(slopes, grid)] = together(
        [_with_slopes(begun, np.arange(len(begun.chi2)).reshape(shape)[np.ix_(*kept)])], watched
    )
    begin = np.concatenate([random_starts(frame, grid, wanted.seed, N_RANDOM), begun.places(lowest)])
    for _ in range(MOST_RESTARTS + 1):
        tie = float(tie_tolerance(np.array(np.min(grid.chi2)), wanted.precision))
        [best] = together([best_fit(frame, begin, wanted.reach, tie)], watched)
        z, chi2 = best.minima.z[0], float(best.minima.chi2[0])
        proven = means.prove(z, chi2)
        found = _around_minima(frame, grid, best.minima, wanted, means)
        is_agreed = best.is_agreed and found.around.rank_of_parameters(frame) >= best.largest_rank
        evidence = proven.evidence(chi2, wanted.precision, is_agreed=is_agreed)
        found = replace(
            found,
            slopes=slopes,
            evidence=evidence,
            lower_bound=proven.lower_bound,
            unique_within=proven.unique_within,
        )
        # A lower value moves the zero, and everything is found again.
        if watched.lowest.chi2[0] >= chi2 - found.around.tie and not len(proven.lower):
            return found
        begin = np.concatenate([begin, watched.lowest.z, proven.lower])
    return replace(found, is_settled=False)


def _with_slopes(begun: Beginning, kept: IntArray) -> Search[tuple[Array, Fits]]:
    """Add slopes to the fits of the grid; a point without χ² is a hole, at which the model is not called again.

    Returns
    -------
    array, shape (n_points, n_scanned)
        dχ²/d(parameter) of all points; NaN at holes.
    Fits
        Those that are kept.
    """
    frame, scanned = begun.frame, list(begun.frame.scanned)
    slopes, parts = np.full((len(begun.chi2), len(scanned)), np.nan), []
    is_log = np.array([frame.coordinates[k].is_log for k in scanned], bool)
    for rows in begun.blocks():
        z, is_known = begun.places(rows), np.isfinite(begun.chi2[rows])
        fits = Fits.at(z, np.full(len(z), np.inf), np.zeros(len(z), bool))
        fits.put(is_known, (yield Asked(frame.scanned, z[is_known, None], descends=False)))
        per_unit = fits.gradient[:, scanned] / np.where(is_log, frame.natural(z)[:, scanned], 1.0)
        slopes[rows] = np.where(np.isfinite(fits.chi2)[:, None], per_unit, np.nan)
        parts.append(fits.take(np.isin(rows, kept)))
    return slopes, Fits.joined(parts)


class _Watched:
    """Remembers the lowest of all fits."""

    def __init__(self, compute: Compute) -> None:
        self._compute = compute
        self._lowest: Fits | None = None

    def __call__(self, questions: Sequence[Asked]) -> Sequence[Fits]:
        answers = self._compute(questions)
        for fits in answers:
            if len(fits):
                self._see(fits.take([int(np.argmin(fits.chi2))]))
        return answers

    def _see(self, fit: Fits) -> None:
        if self._lowest is None or fit.chi2[0] < self._lowest.chi2[0]:
            self._lowest = fit

    @property
    def lowest(self) -> Fits:
        """The lowest of all fits."""
        assert self._lowest is not None
        return self._lowest


def _around_minima(
    frame: Frame,
    grid: Fits,
    minima: Fits,
    wanted: AnswerRequest,
    means: AnswerMeans,
) -> FittedAnswer:
    """Find everything that follows from minima, as far as it may be said."""
    around = means.look(minima.z[0])
    judgement = judge(frame, grid, minima, around, min((*wanted.levels, *wanted.pair_levels, ONE_SIGMA)))
    nothing = np.full((len(frame.names),) * 2, np.nan)
    if not judgement.has_intervals:
        return FittedAnswer(frame, minima, around, judgement, nothing, (), {}, (), is_settled=True)
    places = minima.z[:MOST_COVARIANCES]
    covariances = together([covariance(frame, z, around) for z in places], means.compute)

    # Of one parameter: all levels where it is scanned, one standard deviation for the others.
    library = Library(grid, minima, frame.width, wanted.precision)
    levels = sorted({*wanted.levels, ONE_SIGMA})
    sigma = np.sqrt(np.diag(covariances[0]))
    searches = [line(frame, library, k, levels) for k in frame.axes if wanted.has_intervals]
    others = _with_errors(frame, judgement, around, frame.axes if wanted.has_intervals else ())
    searches += [line(frame, library, k, [ONE_SIGMA], float(sigma[k])) for k in others]
    lines = together(searches, means.compute)
    is_quoted = judgement.is_one_place & (judgement.is_determined | around.is_held)
    quoted = [of for of in lines if is_quoted[of.coordinate]]
    errors = {of.coordinate: region for of in quoted if (region := _around_best(of, minima.z[0])) is not None}

    # Of two.
    every = np.concatenate([covariances, np.repeat(nothing[None], len(minima.z) - len(places), axis=0)])
    pairs = list(combinations(frame.axes, 2)) if wanted.has_contours else []
    drawn = together([contours(frame, library, pair, wanted.pair_levels, every) for pair in pairs], means.compute)
    return FittedAnswer(
        frame,
        minima,
        around,
        judgement,
        covariances[0] if judgement.has_value else nothing,
        tuple(of for of in lines if wanted.has_intervals and of.coordinate in frame.axes),
        errors,
        tuple(PairContours(pair, tuple(found)) for pair, found in zip(pairs, drawn, strict=True)),
        is_settled=True,
    )


def _with_errors(frame: Frame, judgement: Judgement, around: Surroundings, done: tuple[int, ...]) -> list[int]:
    """Choose the coordinates whose errors are found by fits, beside those of which all intervals are."""
    if not judgement.has_value or len(frame.names) > MOST_ERRORS:
        return []
    is_sought = judgement.is_determined | around.is_held
    return [k for k in range(len(frame.names)) if k not in done and is_sought[k]]


def _around_best(of: FittedLine, z: Array) -> FittedRegion | None:
    """Return the region of one standard deviation in which the best fit lies."""
    value = float(z[of.coordinate])
    regions = of.regions[ONE_SIGMA]
    return next((r for r in regions if r.lower.value <= value <= r.upper.value), None)
