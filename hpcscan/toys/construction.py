"""The story of toys: where they are made, how many, and what follows for regions of fixed coverage.

G. J. Feldman, R. D. Cousins, Phys. Rev. D 57, 3873 (1998). Nuisance parameters are those fitted to the data at the
place where toys are made ("profile construction").
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hpcscan.answer.best_fit import MOST_LOCAL, N_RANDOM, best_fit, local_minima, random_starts
from hpcscan.answer.coordinates import Frame
from hpcscan.answer.held_fits import Asked, Compute, Fits, Library, together
from hpcscan.answer.surroundings import FLAT, FLAT_RELATIVE
from hpcscan.arrays import Array, BoolArray
from hpcscan.distribution import level_of
from hpcscan.model.problem import Problem
from hpcscan.tolerance import EXACT, Precision, tie_tolerance
from hpcscan.toys.coverage import Ask, Covered, Experiments, coverage, direct
from hpcscan.toys.rounds import Counted, Make, Places, Rounds, Toymaker, ToyTally
from hpcscan.toys.toy_fits import Making, ToyFitter
from hpcscan.toys.toy_regions import ToyInterval, ToyLine, around_levels, at_the_rim, inside, intervals, widened

#: Toys for the goodness of fit: p to 1.5 %.
MOST_FOR_GOODNESS = 1000
#: χ² that is known no better than this orders no toys.
COARSE = 1e-3


class NoToysError(Exception):
    """Toys would mean nothing; says why."""


@dataclass(frozen=True)
class ToyPlan:
    """What is asked of toys.

    Attributes
    ----------
    n_toys : int
        At a place, at most.
    is_everywhere : bool
        At all points of the grid; else around the contours of these levels.
    is_asimov : bool
        Whether the data are the model's own prediction at the best fit: the expected result.
    coverage_at : array, shape (n, n_scanned)
        True values at which coverage is found; possibly none.
    n_experiments : int
        There.
    precision : Precision
        Of the model's numbers.
    """

    n_toys: int
    cl: tuple[float, ...]
    is_everywhere: bool
    is_adaptive: bool
    constraints_fluctuate: bool
    is_asimov: bool
    coverage_at: Array
    n_experiments: int
    seed: int
    max_iter: int
    precision: Precision = EXACT


@dataclass(frozen=True)
class ToyFindings:
    """What toys say.

    Attributes
    ----------
    frame : Frame
        With the range in which the scanned parameters were released.
    best : array, shape (n_coordinates,)
        The best fit in that range.
    t : array, shape (n_points,)
        χ² of the data minus that of the best fit.
    tally : ToyTally
        At all points of the grid; those without toys have none.
    is_in : mapping of float to bool array
        Points of the region of each confidence level.
    goodness : ToyTally
        At the best fit, with nothing held.
    intervals : tuple of ToyInterval
        Of the scanned parameter, where there is one.
    observed : array, shape (n_data,)
    n_made : dict of str to int
        Toys in all, by what they were made for.
    """

    frame: Frame
    best: Array
    t: Array
    tally: ToyTally
    is_in: dict[float, BoolArray]
    goodness: ToyTally
    intervals: tuple[ToyInterval, ...]
    covered: tuple[Covered, ...]
    observed: Array
    n_made: dict[str, int]


@dataclass(frozen=True)
class ToyMeans:
    """By what toys are made.

    Attributes
    ----------
    problem : Problem
        Without axes.
    compute : callable
        Does the fits of a wave to data.
    maker : callable
        From a `Making`, give what makes and fits blocks of toys.
    ask : callable
        Does what calls the model at once.
    """

    problem: Problem
    compute: Compute
    maker: Callable[[Making], Make]
    ask: Ask = direct


def toys(frame: Frame, places: Array, shape: tuple[int, ...], wanted: ToyPlan, means: ToyMeans) -> ToyFindings:
    """Find what toys say of a grid.

    Parameters
    ----------
    frame : Frame
        Of the grid.
    places : array, shape (n_points, n_coordinates)
        The fits of the grid; NaN where one failed.
    shape : tuple of int
        Of the grid.

    Raises
    ------
    NoToysError
    """
    # The data in the range of the toys; for an expected result, what the model says of itself.
    frame, compute = widened(frame, means.problem), means.compute
    observed = means.problem.observed
    grid, minima = _fit_data(frame, places, shape, wanted, compute)
    if wanted.is_asimov:
        fitter = ToyFitter(means.problem, _making(frame, minima, observed, wanted))
        observed = means.ask(lambda: fitter.expected(minima.z[:1]))[0]
        grid, minima = _fit_expected(frame, grid, minima.take([0]), observed, compute)
    _refuse(frame, grid, minima, wanted)

    # Toys at the points, and at the best fit.
    making = _making(frame, minima, observed, wanted)
    base = float(minima.chi2[0])
    tie = float(tie_tolerance(np.array(base), wanted.precision))
    rounds = Rounds(wanted.n_toys, wanted.cl, wanted.is_adaptive, tie)
    counted = Counted(means.maker(making))
    maker = Toymaker(rounds, compute, counted, itertools.count(len(places) + 1))
    t = np.where(np.isfinite(grid.chi2), np.maximum(grid.chi2 - base, 0.0), np.nan)
    tally, is_in = _on_grid(grid, t, shape, wanted, maker)
    n_made = {"points": counted.taken()}
    # A number −2 ln L alone says nothing of the goodness of a fit.
    of_best = np.full(1, np.nan) if means.problem.is_scalar else minima.chi2[:1]
    best = Places(np.array([len(places)]), minima.z[:1], of_best, is_held=False, is_checked=False)
    goodness = maker.toys_at(best, n_toys=min(MOST_FOR_GOODNESS, wanted.n_toys), is_adaptive=False)
    n_made |= {"best fit": counted.taken()}

    # Between the points, and in experiments at true values.
    line = ToyLine(frame, grid, is_in, tally, base, observed)
    ends = intervals(line, maker) if len(shape) == 1 else ()
    n_made |= {"ends of intervals": counted.taken()}
    library = Library(grid, minima, frame.width)
    experiments = Experiments(ToyFitter(means.problem, making), wanted.n_experiments, means.ask)
    covered = [coverage(experiments, library, at, maker) for at in wanted.coverage_at]
    n_made |= {"experiments": counted.taken()}
    return ToyFindings(frame, minima.z[0], t, tally, is_in, goodness, ends, tuple(covered), observed, n_made)


def _making(frame: Frame, minima: Fits, observed: Array, wanted: ToyPlan) -> Making:
    precision = wanted.precision.relative or None
    how = precision, wanted.constraints_fluctuate, wanted.precision.floor
    return Making(frame, minima.z, observed, wanted.seed, wanted.max_iter, *how)


def _fit_data(
    frame: Frame, places: Array, shape: tuple[int, ...], wanted: ToyPlan, compute: Compute
) -> tuple[Fits, Fits]:
    """Evaluate the fits of the grid, and find the minima in the range of the toys."""
    [grid] = compute([Asked(frame.scanned, places[:, None], descends=False)])
    if not np.isfinite(grid.chi2).any():
        raise NoToysError("no point of the grid has a chi2")
    lowest_places = grid.z[local_minima(grid.chi2, shape)[:MOST_LOCAL]]
    begin = np.concatenate([random_starts(frame, grid, wanted.seed, N_RANDOM), lowest_places])
    reach = max(level_of(cl, max(len(frame.axes), 1)) for cl in wanted.cl)
    lowest = float(np.min(grid.chi2[np.isfinite(grid.chi2)]))
    tie = float(tie_tolerance(np.array(lowest), wanted.precision))
    [best] = together([best_fit(frame, begin, reach, tie)], compute)
    return grid, best.minima


def _fit_expected(frame: Frame, grid: Fits, best: Fits, observed: Array, compute: Compute) -> tuple[Fits, Fits]:
    """Fit the grid to the model's own prediction at the best fit, which stays the best fit."""
    rows = np.flatnonzero(np.isfinite(grid.chi2))
    data = np.tile(observed, (len(rows), 1))
    [fits] = compute([Asked(frame.scanned, grid.z[rows][:, None], observed=data)])
    grid.put(rows, fits)
    [again] = compute([Asked((), best.z[:, None], observed=observed[None])])
    return grid, again


def _refuse(frame: Frame, grid: Fits, minima: Fits, wanted: ToyPlan) -> None:
    """Refuse where t means nothing, or not the same for the data and the toys."""
    known, base = grid.chi2[np.isfinite(grid.chi2)], float(minima.chi2[0])
    if frame.scanned and known.max() - base <= max(FLAT, FLAT_RELATIVE * abs(base)):
        raise NoToysError("chi2 is the same at all points of the grid: the data say nothing of the scanned parameters")
    noise = float(wanted.precision.noise(np.array(base)))
    if wanted.precision.relative and noise > COARSE:
        raise NoToysError(f"chi2 is known to {noise:.1g} only, because the model's numbers are no more precise")
    side = frame.side(minima.z[:1])[0]
    for k in frame.scanned:
        about = frame.coordinates[k]
        if side[k] and (about.lower_end if side[k] < 0 else about.upper_end) == "grid":
            end = float(about.natural(np.array(about.lower if side[k] < 0 else about.upper)))
            raise NoToysError(
                f"the best fit lies beyond {about.name} = {end:g}, one width of the grid outside it; declare the "
                f"bounds of {about.name} in the model, or scan where the minimum is"
            )


def _on_grid(
    grid: Fits, t: Array, shape: tuple[int, ...], wanted: ToyPlan, maker: Toymaker
) -> tuple[ToyTally, dict[float, BoolArray]]:
    """Make toys at points, and tell which are in the region of each level."""
    n_axes = max(sum(n > 1 for n in shape), 1)
    levels = {cl: level_of(cl, n_axes) for cl in wanted.cl}
    # Where nothing is scanned, there is the best fit alone.
    is_todo = np.isfinite(t) if shape else np.zeros(1, bool)
    if shape and not wanted.is_everywhere:
        is_todo &= around_levels(t, shape, tuple(levels.values()))
    tally, is_in = ToyTally(Places(np.arange(len(t)), grid.z, t), maker.rounds.tie), dict.fromkeys(levels, ~is_todo)
    while is_todo.any():
        rows = np.flatnonzero(is_todo)
        tally.put(rows, maker.toys_at(Places(rows, grid.z[rows], t[rows])))
        made = tally.n_toys > 0
        is_in = {cl: inside(tally.p_value, made, t, cl, level) for cl, level in levels.items()}
        # Where the edge is nearer than the levels have it, toys are made there, too.
        is_todo = np.logical_or.reduce([at_the_rim(one, made, shape) for one in is_in.values()]) & np.isfinite(t)
    return tally, is_in
