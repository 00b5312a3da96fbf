"""What is around the best fit: what the data determine, what a bound holds; and so what may be said of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from hpcscan.answer.coordinates import Frame
from hpcscan.answer.cubics import TOLERANCE
from hpcscan.answer.held_fits import Asked, Fits, Fitter, Search
from hpcscan.arrays import Array, BoolArray
from hpcscan.fitting.curvature import bound_multipliers, held_by_bounds, held_with_others, parameter_columns, ranks
from hpcscan.likelihood.objective import Evaluation, Given, Objective
from hpcscan.likelihood.scalar import AnyObjective, ScalarObjective
from hpcscan.tolerance import tie_tolerance

#: Steps of the differences of gradients, in standard deviations with all others held.
STEP = 0.02
#: A parameter with this share of a direction that changes nothing is not determined.
TOUCHED = 1e-3
#: A level below this × the rounding of χ² is none.
ROUNDINGS = 1e3 * float(np.finfo(float).eps)
#: χ² that changes over the whole grid by less than this, or than this share of it, is flat.
FLAT, FLAT_RELATIVE = 1e-6, 1e-9
#: Minima so near in a coordinate, relative to its width, have one value of it.
AGREE = 1e-6


@dataclass(frozen=True)
class Surroundings:
    """What is around a best fit, for all n coordinates.

    Attributes
    ----------
    rank : int
        Of the Jacobian of everything that is free, scales included.
    is_held : bool array, shape (n,)
        Whether a bound keeps it from lowering χ².
    multiplier : array, shape (n,)
        dχ²/d(bound) then; zero otherwise.
    is_determined : bool array, shape (n,)
        Whether no direction that changes nothing touches it.
    gradient : array, shape (n,)
        dχ²/dz.
    sigma : array, shape (n,)
        Standard deviations with all others held.
    predicted : array, shape (n_observables,)
    parts : mapping of str to array
        Parts of predictions, where the model names some.
    tie, noise : float
        Differences of χ² that are none, and its error.
    """

    rank: int
    is_held: BoolArray
    multiplier: Array
    is_determined: BoolArray
    gradient: Array
    sigma: Array
    predicted: Array
    parts: Mapping[str, Array]
    tie: float
    noise: float

    def rank_of_parameters(self, frame: Frame) -> int:
        """Return the rank that the Jacobian by the parameters may have here: what a bound holds may add its own."""
        is_fixed = frame.lower == frame.upper
        n_flat = int(np.count_nonzero(~(self.is_held | is_fixed))) - self.rank
        return int(np.count_nonzero(~is_fixed[list(frame.parameters)])) - n_flat


def surroundings(fitter: Fitter, z: Array) -> Surroundings:
    """Look around one place, shape (n_coordinates,)."""
    # Two equal rows: one alone would have other last bits than in a batch.
    everything = tuple(range(len(z)))
    objective = fitter.objective((), everything)
    x, given = np.ascontiguousarray(np.stack([z, z], axis=1)), Given(np.empty((0, 2)))
    at = objective.evaluate(given, x)
    if isinstance(objective, ScalarObjective):
        gradient, jacobian = objective.gradient(given, x, at), parameter_columns(objective, given, x)
    else:
        gradient, jacobian = _of_terms(objective, given, x)
    curvature, box = objective.curvature(jacobian, at), objective.box
    released = _released_curvature(jacobian[:, :, 0], _at_grid_ends(fitter.frame, z), curvature[:, 0])
    tie = tie_tolerance(at.chi2, objective.precision)
    is_held = held_by_bounds(box, x, gradient, np.stack([released, released], axis=1), tie)
    if not isinstance(objective, ScalarObjective):
        gradient, is_held = held_with_others(box, x, at, (gradient, jacobian), is_held, tie)
    # The rank is that of what moves: a column that is held, or is no number, adds none.
    is_free = ~(is_held | box.is_fixed)
    columns = np.where(np.isfinite(jacobian) & is_free, jacobian, 0.0)
    null = objective.null(at)
    with np.errstate(all="ignore"):
        sigma = box.width[:, 0] / np.sqrt(curvature[:, 0])
    return Surroundings(
        rank=int(ranks(columns, null)[0]),
        is_held=is_held[:, 0],
        multiplier=bound_multipliers(box, gradient, is_held)[:, 0],
        is_determined=_determined(columns[:, :, 0], is_free[:, 0], float(null[0])),
        gradient=(2 * gradient / box.width)[:, 0],
        sigma=sigma,
        predicted=objective.predicted(at)[:, 0],
        parts=_parts(objective, given, x, at),
        tie=float(tie_tolerance(at.chi2, objective.precision)[0]),
        noise=float(objective.precision.noise(at.chi2)[0]),
    )


def _parts(objective: AnyObjective, given: Given, x: Array, at: Evaluation) -> dict[str, Array]:
    """Ask the model for the parts of its predictions."""
    names = [one.name for one in objective.problem.derived if one.part_of]
    found = objective.derive(given, x, at) if names else {}
    return {name: np.array(found[name][0], float) for name in names}


def _of_terms(objective: Objective, given: Given, x: Array) -> tuple[Array, Array]:
    at = objective.evaluate(given, x)
    jacobian = objective.jacobian(given, x, at)
    with np.errstate(all="ignore"):
        return (jacobian * at.residual[:, None]).sum(axis=0), jacobian


def _at_grid_ends(frame: Frame, z: Array) -> BoolArray:
    """Mark the coordinates that rest on an end of the grid, which is no bound of the model's."""
    side = frame.side(z[None])[0]
    ends = [{-1: c.lower_end, 0: "", 1: c.upper_end}[int(s)] for c, s in zip(frame.coordinates, side, strict=True)]
    return np.array([end == "grid" for end in ends], bool)


def _released_curvature(columns: Array, is_at_end: BoolArray, curvature: Array) -> Array:
    """Return the curvature along each coordinate that rests on an end, where those that do not may follow it.

    In a stiff valley a coordinate alone can hardly move, and would not lower χ²; together with the others it does.
    """
    released, known = curvature.copy(), np.isfinite(columns).all(axis=0)
    inside = columns[:, ~is_at_end & known]
    for k in np.flatnonzero(is_at_end & known):
        follow, *_ = np.linalg.lstsq(inside, columns[:, k], rcond=None)
        rest = columns[:, k] - inside @ follow
        released[k] = min(curvature[k], float(rest @ rest))
    return released


def _determined(columns: Array, is_free: BoolArray, null: float) -> BoolArray:
    """Mark which free parameters no null vector touches; columns are brought to one length first."""
    length = np.sqrt((columns**2).sum(axis=0))
    is_determined: BoolArray = is_free & (length > null * max(float(length.max(initial=0.0)), 1e-300))
    rows = np.flatnonzero(is_determined)
    if len(rows):
        # Null vectors are those of singular values below the noise of the Jacobian.
        _, singular, directions = np.linalg.svd(columns[:, rows] / length[rows])
        singular = np.concatenate([singular, np.zeros(len(rows) - len(singular))])
        flat = directions[singular <= null * singular[0]]
        is_determined[rows] = (np.abs(flat) < TOUCHED).all(axis=0)
    return is_determined


def covariance(frame: Frame, z: Array, around: Surroundings) -> Search[Array]:
    """Invert half the Hessian of χ², by central differences of its gradient.

    Returns
    -------
    array, shape (n_coordinates, n_coordinates)
        NaN for what a bound holds, is fixed, or the data do not determine, and everywhere if χ² bends down.
    """
    size, free = len(z), np.flatnonzero(around.is_determined)
    result = np.full((size, size), np.nan)
    if not len(free):
        return result
    step = STEP * np.where(np.isfinite(around.sigma), around.sigma, frame.width)
    places = np.repeat(z[None], 2 * len(free), axis=0)
    for row, k in enumerate(free):
        places[2 * row, k] = min(z[k] + step[k], frame.upper[k])
        places[2 * row + 1, k] = max(z[k] - step[k], frame.lower[k])
    fits = yield Asked(tuple(range(size)), places[:, None], descends=False)

    rows = np.arange(len(free))
    apart = fits.z[2 * rows, free] - fits.z[2 * rows + 1, free]
    bend = (fits.gradient[0::2] - fits.gradient[1::2])[:, free] / apart[:, None]
    unit = np.sqrt(np.abs(np.diag(bend)))
    with np.errstate(all="ignore"):
        scaled = 0.5 * (bend + bend.T) / unit / unit[:, None]
    if np.isfinite(scaled).all() and np.linalg.eigvalsh(scaled)[0] > 0:
        result[np.ix_(free, free)] = 2 * np.linalg.inv(scaled) / unit / unit[:, None]
    return result


class BestFitStanding(IntEnum):
    """What a best fit is."""

    POINT = 0
    SEVERAL_POINTS = 1
    NOT_A_POINT = 2
    AT_GRID_END = 3
    FLAT = 4
    NOISE = 5
    NONE = 6


#: Names of the values, as in a result file.
STANDING_FLAGS = tuple((int(standing), standing.name.lower()) for standing in BestFitStanding)


@dataclass(frozen=True)
class Judgement:
    """What may be said, and why.

    Attributes
    ----------
    sentence : str
        Empty for a point.
    is_determined : bool array, shape (n_coordinates,)
        Parameters that have a value and an error.
    is_one_place : bool array, shape (n_coordinates,)
        Parameters in which all minima that are equally low agree.
    """

    standing: BestFitStanding
    sentence: str
    is_determined: BoolArray
    is_one_place: BoolArray

    @property
    def has_value(self) -> bool:
        """Whether the best fit is one place."""
        return self.standing == BestFitStanding.POINT

    @property
    def has_intervals(self) -> bool:
        """Whether levels are crossed where it means something."""
        return self.standing in {BestFitStanding.POINT, BestFitStanding.SEVERAL_POINTS, BestFitStanding.NOT_A_POINT}


def judge(frame: Frame, grid: Fits, minima: Fits, around: Surroundings, lowest_level: float) -> Judgement:
    """Decide what may be said of a best fit, refusals first.

    Parameters
    ----------
    minima : Fits
        The lowest first.
    around : Surroundings
        Of the lowest.
    lowest_level : float
        Of Δχ² that is asked for.
    """
    standing, sentence = _refusal(frame, grid, minima, around, lowest_level)
    equal = minima.z[minima.chi2 <= minima.chi2[0] + around.tie]
    is_one_place = (np.abs(equal - minima.z[0]) <= AGREE * frame.width).all(axis=0)
    return Judgement(standing, sentence, around.is_determined, np.asarray(is_one_place))


def _refusal(
    frame: Frame, grid: Fits, minima: Fits, around: Surroundings, lowest_level: float
) -> tuple[BestFitStanding, str]:
    # One value without declared bounds is a parameter that is fixed.
    scanned, base = [k for k in frame.scanned if frame.lower[k] < frame.upper[k]], float(minima.chi2[0])
    determined = int(around.is_determined[scanned].sum() + around.is_held[scanned].sum())
    of_all = f"the data determine {determined} of {len(scanned)} scanned parameters"

    known = grid.chi2[np.isfinite(grid.chi2)]
    rise = float(known.max() - base) if len(known) else 0.0
    if scanned and len(known) > 1 and rise <= max(FLAT, FLAT_RELATIVE * abs(base)):
        return BestFitStanding.FLAT, f"chi2 is the same at all grid points (within {rise:.1g}): {of_all}"
    if outward := _outward(frame, minima, around):
        return BestFitStanding.AT_GRID_END, f"chi2 is lowest where the grid ends and falls outward: {outward}"
    if around.noise > TOLERANCE or lowest_level < ROUNDINGS * abs(base):
        return (
            BestFitStanding.NOISE,
            f"chi2 is known to {around.noise:.1g} only: too coarse for a level of {lowest_level:g}",
        )
    if determined < len(scanned):
        return BestFitStanding.NOT_A_POINT, f"the minimum is not a point: {of_all} there"
    # Places that differ along a direction that changes nothing are one.
    equal = minima.z[minima.chi2 <= base + around.tie][:, around.is_determined]
    steps = np.round((equal - equal[0]) / (AGREE * frame.width[around.is_determined]))
    n_equal = len(np.unique(steps, axis=0))
    if n_equal > 1:
        return BestFitStanding.SEVERAL_POINTS, f"{n_equal} places are equally low"
    return BestFitStanding.POINT, ""


def _outward(frame: Frame, minima: Fits, around: Surroundings) -> str:
    """Describe how χ² falls beyond the ends of the grid that hold the best fit; empty where none does."""
    side, parts = frame.side(minima.z[0]), []
    for k in frame.scanned:
        about = frame.coordinates[k]
        kind = about.lower_end if side[k] < 0 else about.upper_end
        if side[k] and kind == "grid" and around.is_held[k]:
            fall = abs(around.gradient[k]) * about.width
            where = "lower" if side[k] < 0 else "upper"
            parts.append(f"{about.name} by {fall:.1e} per length of the axis at its {where} end")
    return ", ".join(parts)
