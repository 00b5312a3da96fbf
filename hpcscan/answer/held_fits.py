"""Fits with any coordinates held: what is asked, where they start and end, and searches that ask for them in waves."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import numpy as np

from hpcscan.answer.coordinates import EPS, Arranged, Frame
from hpcscan.arrays import Array, BoolArray, IntArray
from hpcscan.fitting.descent import minimise
from hpcscan.fitting.evidence import ranks_of_starts
from hpcscan.fitting.records import UNKNOWN, Status
from hpcscan.fitting.secant import SHARE_OF_TIE
from hpcscan.likelihood.objective import Evaluation, Given
from hpcscan.likelihood.rows import never_alone
from hpcscan.likelihood.scalar import AnyObjective, ScalarObjective, objective_of
from hpcscan.model.problem import Problem
from hpcscan.tolerance import EXACT, SPREAD, Precision, tie_tolerance

#: Fits so near in a held coordinate, relative to its width, are at the same place.
SAME_PLACE = 1e-9
#: Places that are compared with everything known at once.
AT_ONCE = 64

T = TypeVar("T")

#: More steps than any fit may take.
MANY = 10**9


@dataclass(frozen=True)
class Asked:
    """n fits.

    Attributes
    ----------
    held : tuple of int
        Coordinates that are held.
    starts : array, shape (n, n_starts, n_coordinates)
        The held ones are those of the first start; others begin there.
    descends : bool
        False where χ² and its gradient are wanted at the starts themselves.
    observed : array, shape (n, n_observables), optional
        Data of each fit, where they are not the model's.
    most_steps : int, optional
        Steps of a start, where fewer than usual are enough for the first look at it.
    with_ranks : bool
        Whether the rank of the Jacobian at beginnings and ends is wanted.
    """

    held: tuple[int, ...]
    starts: Array
    descends: bool = True
    observed: Array | None = None
    most_steps: int | None = None
    with_ranks: bool = False

    @property
    def n(self) -> int:
        """Number of fits."""
        return len(self.starts)

    def take(self, rows: IntArray) -> Asked:
        """Select fits."""
        observed = None if self.observed is None else self.observed[rows]
        return replace(self, starts=self.starts[rows], observed=observed)


@dataclass(frozen=True)
class Fits:
    """Where n fits ended.

    Attributes
    ----------
    z : array, shape (n, n_coordinates)
    chi2 : array, shape (n,)
        Infinite where the fit failed.
    gradient : array, shape (n, n_coordinates)
        dχ²/dz of the profile by the coordinates that were held; zero for others.
    is_good : bool array, shape (n,)
        Whether the best start met its tolerance.
    rank : int array, shape (n,)
        Largest rank of the Jacobian by the parameters at the beginnings and ends of starts, where that was asked for.
    """

    z: Array
    chi2: Array
    gradient: Array
    is_good: BoolArray
    rank: IntArray

    def __len__(self) -> int:
        return len(self.chi2)

    def take(self, rows: Any) -> Fits:
        """Select fits."""
        return Fits(*(getattr(self, one.name)[rows] for one in fields(self)))

    def put(self, rows: Any, part: Fits) -> None:
        """Replace fits."""
        for one in fields(self):
            getattr(self, one.name)[rows] = getattr(part, one.name)

    @classmethod
    def joined(cls, parts: Sequence[Fits]) -> Fits:
        """Put fits one after another."""
        return cls(*(np.concatenate([getattr(part, one.name) for part in parts]) for one in fields(cls)))

    @classmethod
    def at(cls, z: Array, chi2: Array, is_good: BoolArray, rank: IntArray | None = None) -> Fits:
        """Make fits of which the gradient is not known yet."""
        return cls(z, chi2, np.zeros_like(z), is_good, np.full(len(z), UNKNOWN, np.int32) if rank is None else rank)


#: A search asks for fits, gets them, and ends with what it was for.
Search = Generator[Asked, Fits, T]
#: Does the fits of one wave; those of each question are functions of that question alone.
Compute = Callable[[Sequence[Asked]], Sequence[Fits]]


def together(searches: Sequence[Search[T]], compute: Compute) -> list[T]:
    """Run searches in step: what they ask at the same time is one wave."""
    results: dict[int, T] = {}
    answers: dict[int, Fits | None] = dict.fromkeys(range(len(searches)))
    while answers:
        questions: dict[int, Asked] = {}
        # A search that has ended leaves the wave; all others have asked something.
        for number, answer in answers.items():
            try:
                questions[number] = next(searches[number]) if answer is None else searches[number].send(answer)
            except StopIteration as end:
                results[number] = end.value
        answers = dict(zip(questions, compute(list(questions.values())), strict=True)) if questions else {}
    return [results[number] for number in range(len(searches))]


class Fitter:
    """Fits a problem with any of its coordinates held.

    Parameters
    ----------
    free : Problem
        Without axes.
    precision : float, optional
        Relative precision of the model's numbers.
    precision_floor : float
        Size of −2 ln L below which its error falls no more.
    """

    def __init__(
        self, free: Problem, frame: Frame, precision: float | None, max_iter: int, precision_floor: float = 0.0
    ) -> None:
        self.free, self.frame = free, frame
        self._precision, self._max_iter, self._floor = precision, max_iter, precision_floor
        self._objectives: dict[tuple[tuple[int, ...], tuple[int, ...]], AnyObjective] = {}

    def objective(self, held: tuple[int, ...], moving: tuple[int, ...]) -> AnyObjective:
        """Return the objective of one arrangement."""
        key = held, moving
        if key not in self._objectives:
            arranged = Arranged(self.free, self.frame, held, moving)
            self._objectives[key] = objective_of(arranged, self._precision, floor=self._floor)
        return self._objectives[key]

    def __call__(self, asked: Asked) -> Fits:
        """Perform fits; each is the same whatever others are done with it."""
        n, _, size = asked.starts.shape
        if not n:
            return Fits.at(np.empty((0, size)), np.empty(0), np.zeros(0, bool))
        fits = self._descended(asked) if asked.descends else _not_moved(asked)
        self._complete(asked, fits)
        return fits

    def _descended(self, asked: Asked) -> Fits:
        """Minimise from every start, and keep the best of each fit; a start that is no number is none."""
        moving = tuple(k for k in self.frame.parameters if k not in asked.held)
        objective, (n, n_starts) = self.objective(asked.held, moving), asked.starts.shape[:2]
        z, number = np.array(asked.starts[:, 0]), np.full((n, n_starts), -1)

        # Starts of a fit that begin at one place are one start.
        row, column = np.nonzero(_is_first(asked.starts[:, :, moving]))
        number[row, column] = np.arange(len(row))
        x = np.clip(asked.starts[row, column][:, moving].T, objective.box.lower, objective.box.upper)
        held = np.ascontiguousarray(asked.starts[row, 0][:, asked.held].T)
        given = Given(held, _columns(asked.observed, row))
        ends = minimise(objective, given, np.ascontiguousarray(x), min(self._max_iter, asked.most_steps or MANY))

        # The lowest end counts; of equal ones the first, so that the order of starts decides.
        chi2 = np.where((number >= 0) & np.isfinite(ends.chi2[number]), ends.chi2[number], np.inf)
        best = number[np.arange(n), chi2.argmin(axis=1)]
        z[:, moving] = ends.x.take(best, axis=-1).T
        rank = None
        if asked.with_ranks and n_starts == 1:
            rank = ranks_of_starts(objective, given.points.T, np.arange(x.shape[1]), x[:, :, None], ends)
        return Fits.at(z, chi2.min(axis=1), ends.status[best] == Status.CONVERGED, rank)

    def _complete(self, asked: Asked, fits: Fits) -> None:
        """Add the scales that are not held, and the gradient by what is."""
        held = asked.held
        alive = np.flatnonzero(~np.isposinf(fits.chi2))
        if not len(alive):
            return
        # With the others held the held ones move: derivatives by them, at the minimum over the others.
        others, rows = tuple(k for k in self.frame.parameters if k not in held), never_alone(alive)
        objective = self.objective(others, held) if held else self.objective((), others)
        points = np.ascontiguousarray(fits.z[rows][:, others if held else ()].T)
        given = Given(points, _columns(asked.observed, rows))
        x = np.ascontiguousarray(fits.z[rows][:, held or others].T)
        at = objective.evaluate(given, x)
        is_new = np.isnan(fits.chi2[rows])
        fits.chi2[rows] = np.where(is_new, np.where(np.isfinite(at.chi2), at.chi2, np.inf), fits.chi2[rows])
        profiled = [k for k in self.frame.scales if k not in held]
        fits.z[rows[:, None], profiled] = at.scale.T
        if held:
            half = _half_gradient(objective, given, x, at)
            fits.gradient[rows[:, None], list(held)] = (2 * half / objective.box.width).T
        fits.is_good[alive] &= np.isfinite(fits.gradient[alive]).all(axis=1)


def _columns(observed: Array | None, rows: IntArray) -> Array | None:
    """Return the data of rows as columns."""
    return None if observed is None else np.ascontiguousarray(observed[rows].T)


def _half_gradient(objective: AnyObjective, given: Given, x: Array, at: Evaluation) -> Array:
    """Half of dχ² by what moves, everything else at its place, in units of the box's widths.

    At a minimum over the others this is the slope of the profile (envelope theorem), also where a bound holds one.
    """
    if isinstance(objective, ScalarObjective):
        return objective.gradient(given, x, at)
    weighed = objective.weighed(objective.slopes(given, x, at), at)
    with np.errstate(all="ignore"):
        half: Array = (weighed * at.residual[:, None]).sum(axis=0)
    return half


def _is_first(starts: Array) -> BoolArray:
    """Mark which starts, shape (n, n_starts, n_moving), begin elsewhere than those before them: (n, n_starts)."""
    is_first: BoolArray = np.ones(starts.shape[:2], bool)
    for column in range(1, starts.shape[1]):
        is_first[:, column] = (starts[:, [column]] != starts[:, :column]).any(axis=2).all(axis=1)
    return is_first


def _not_moved(asked: Asked) -> Fits:
    """Take the starts as they are; what χ² is there is not known yet."""
    z = np.array(asked.starts[:, 0])
    is_known: BoolArray = np.asarray(np.isfinite(z[:, asked.held]).all(axis=1))
    return Fits.at(z, np.where(is_known, np.nan, np.inf), is_known)


@dataclass(frozen=True)
class Library:
    """Everything that has been fitted: the points of the grid, and the minima.

    Attributes
    ----------
    grid : Fits
        In C order; with gradients by the scanned parameters.
    minima : Fits
        Distinct ones, the lowest first.
    width : array, shape (n_coordinates,)
    precision : Precision
        Of the model's numbers.
    """

    grid: Fits
    minima: Fits
    width: Array
    precision: Precision = EXACT

    @property
    def base(self) -> float:
        """The lowest χ²: the zero of Δχ²."""
        return float(self.minima.chi2[0])

    def error_of(self, chi2: float) -> float:
        """Bound the error of Δχ² at a fit: how far that and the best fit have stopped from minima, and their noise."""
        both, exact = np.array([chi2, self.base]), replace(self.precision, relative=max(self.precision.relative, EPS))
        # The noise of predictions is a standard deviation.
        noise = exact.noise(both) * (SPREAD if exact.size else 1.0)
        return float(np.sum(SHARE_OF_TIE * tie_tolerance(both, self.precision) + noise))

    def starts(self, held: tuple[int, ...], places: Array, others: Fits | None = None) -> Array:
        """Choose starts for fits at places of held coordinates, shape (n, n_held).

        Returns
        -------
        array, shape (n, 2, n_coordinates)
            The lowest of what is known at the nearest place, and the lowest of what is near, a parabola's rise away.
        """
        parts = [self.grid, self.minima] + ([] if others is None else [others])
        known = Fits.joined(parts)
        known = known.take(np.isfinite(known.chi2))
        blocks = range(0, len(places), AT_ONCE)
        found = [self._nearby(held, places[first : first + AT_ONCE], known) for first in blocks]
        return np.concatenate(found)

    def fits(self, held: tuple[int, ...], places: Array, others: Fits | None = None) -> Search[Fits]:
        """Fit at places of held coordinates, shape (n, n_held), except where all that the grid has there has failed."""
        starts, is_hole = self.starts(held, places, others), self._is_hole(held, places)
        fits = Fits.at(starts[:, 0].copy(), np.full(len(places), np.inf), np.zeros(len(places), bool))
        fits.put(~is_hole, (yield Asked(held, starts[~is_hole])))
        return fits

    def _is_hole(self, held: tuple[int, ...], places: Array) -> BoolArray:
        failed = ~np.isfinite(self.grid.chi2)
        if not failed.any():
            return np.zeros(len(places), bool)
        apart = np.abs(places[:, None] - self.grid.z[None][:, :, held]) / self.width[list(held)]
        is_there: BoolArray = apart.max(axis=2) <= SAME_PLACE
        return np.asarray(is_there.any(axis=1) & (failed | ~is_there).all(axis=1))

    def _nearby(self, held: tuple[int, ...], places: Array, known: Fits) -> Array:
        # Distance is the largest over the held coordinates, in their widths.
        width = self.width[list(held)]
        apart = np.abs(places[:, None] - known.z[None][:, :, held]) / width
        distance = apart.max(axis=2)

        # Several may be equally near: the lowest of them.
        nearest = distance.min(axis=1, keepdims=True)
        at_nearest = np.where(distance <= nearest + SAME_PLACE, known.chi2, np.inf).argmin(axis=1)
        spread = max(float(np.ptp(known.chi2[known.chi2 < np.median(known.chi2) + 1])), 10.0)
        near = (known.chi2 + spread * (distance / max(float(nearest.max()), SAME_PLACE)) ** 2).argmin(axis=1)
        starts = np.stack([known.z[at_nearest], known.z[near]], axis=1)
        starts[:, :, held] = places[:, None]
        return starts
