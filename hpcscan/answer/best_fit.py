"""The best fit: everything free that is not fixed, from minima of the grid and random starts; and its proof."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from hpcscan.answer.coordinates import Frame
from hpcscan.answer.held_fits import Asked, Fits, Search
from hpcscan.arrays import Array, IntArray
from hpcscan.fitting.evidence import is_agreed
from hpcscan.fitting.records import Evidence, PointResults
from hpcscan.grid import Grid
from hpcscan.model.problem import Problem, scale_names
from hpcscan.proof.branch import Proof
from hpcscan.proof.condition import NotEnclosable
from hpcscan.proof.posed import pose_proof
from hpcscan.tolerance import Precision, contradicts_bound, is_gap_closed, tie_tolerance

#: Points of a grid whose coordinates are held at once: of a large grid those of all would be more than its results.
AT_ONCE = 2048

#: Local minima of the grid that are tried, the lowest ones, and random starts besides.
MOST_LOCAL, N_RANDOM = 16, 16
#: Steps of the first look at a start; what is on its way after them goes on where it may matter.
FIRST_STEPS = 40
#: Minima so near in every scanned parameter, relative to their widths, are one.
APART = 1e-3
#: Distinct minima that are kept.
MOST_KEPT = 40


@dataclass(frozen=True)
class Beginning:
    """What is known before: the fits of the grid.

    Attributes
    ----------
    results : PointResults
        Of all its points.
    """

    frame: Frame
    grid: Grid
    results: PointResults

    @classmethod
    def of(cls, problem: Problem, grid: Grid, results: PointResults) -> Beginning:
        """Lay out the coordinates of a scan."""
        # Scales have no bounds of their own: those of the lowest point say how large they are.
        lowest = int(np.argmin(np.where(np.isfinite(results.chi2), results.chi2, np.inf)))
        sizes = np.where(np.isfinite(results.scale[lowest]), results.scale[lowest], 1.0)
        frame = Frame.of(problem.released(), grid, dict(zip(scale_names(problem), sizes.tolist(), strict=True)))
        return cls(frame, grid, results)

    @property
    def chi2(self) -> Array:
        """χ² of all points, shape (n_points,); not finite where a fit failed."""
        return self.results.chi2

    def places(self, rows: IntArray) -> Array:
        """Return the coordinates of some points, shape (n, n_coordinates)."""
        parts = (self.grid.points(rows), self.results.profiled_parameter[rows], self.results.scale[rows])
        return self.frame.coordinates_of(np.concatenate(parts, axis=1))

    def blocks(self) -> list[IntArray]:
        """Cut all points into blocks, in order."""
        n = len(self.results.chi2)
        return [np.arange(first, min(first + AT_ONCE, n)) for first in range(0, n, AT_ONCE)]


def local_minima(chi2: Array, shape: tuple[int, ...]) -> IntArray:
    """Find the points that are not higher than any neighbour, also diagonal ones; the lowest first."""
    if not shape:
        return np.arange(1)
    values = np.where(np.isfinite(chi2), chi2, np.inf).reshape(shape)
    padded, is_lowest = np.pad(values, 1, constant_values=np.inf), np.isfinite(values)
    for offset in product((0, 1, 2), repeat=len(shape)):
        neighbour = padded[tuple(slice(o, o + n) for o, n in zip(offset, shape, strict=True))]
        is_lowest &= values <= neighbour
    found = np.flatnonzero(is_lowest)
    return found[np.argsort(chi2[found], kind="stable")]


def random_starts(frame: Frame, grid: Fits, seed: int, n: int) -> Array:
    """Draw scanned parameters within the grid; profiled ones from the nearest point, or every second time anew."""
    rng = np.random.default_rng([seed, n])
    size = len(frame.coordinates)
    low = np.array([c.first for c in frame.coordinates])
    drawn = np.clip(low + rng.random((n, size)) * frame.width, frame.lower, frame.upper)
    alive = np.flatnonzero(np.isfinite(grid.chi2))
    scanned = list(frame.scanned)
    if scanned and len(alive):
        apart = np.abs(drawn[:, None, scanned] - grid.z[None, alive][:, :, scanned]) / frame.width[scanned]
        near = grid.z[alive[apart.max(axis=2).argmin(axis=1)]]
        others = [k for k in range(size) if k not in scanned]
        drawn[::2, others] = near[::2, others]
    return drawn


@dataclass(frozen=True)
class FoundMinima:
    """Minima with everything free.

    Attributes
    ----------
    minima : Fits
        Distinct ones, the lowest first.
    n_hits : int
        Random starts, of `N_RANDOM`, that ended as low as the lowest; what starts from the grid is no evidence.
    largest_rank : int
        Of the Jacobian, seen at beginnings and ends of random starts.
    """

    minima: Fits
    n_hits: int
    largest_rank: int

    @property
    def is_agreed(self) -> bool:
        """Whether enough random starts ended there."""
        return bool(is_agreed(np.array(N_RANDOM), np.array(self.n_hits)))


def best_fit(frame: Frame, places: Array, reach: float, tie: float) -> Search[FoundMinima]:
    """Find the minima with everything free.

    Parameters
    ----------
    places : array, shape (n, n_coordinates)
        From where to begin.
        The first `N_RANDOM` of them are random.
    reach : float
        Minima are kept up to this χ² above the lowest.
    tie : float
        What is nearer is equal.
    """
    fits = yield Asked((), places[:, None], most_steps=FIRST_STEPS, with_ranks=True)
    largest = int(fits.rank[:N_RANDOM].max())
    found = FoundMinima(distinct(frame, fits, reach), _hits(fits, tie), largest)
    # Some starts crawl. Those that are high up do not matter where enough others agree.
    is_low = fits.chi2 <= (fits.chi2.min() + reach if found.is_agreed else np.inf)
    late = np.flatnonzero(~fits.is_good & is_low & np.isfinite(fits.chi2))
    if not len(late):
        return found
    further = yield Asked((), fits.z[late, None])
    fits.put(late, further)
    return FoundMinima(distinct(frame, fits, reach), _hits(fits, tie), largest)


def _hits(fits: Fits, tie: float) -> int:
    """Count the random starts that ended as low as the lowest."""
    random = fits.take(np.arange(N_RANDOM))
    return int(np.count_nonzero(random.is_good & (random.chi2 <= fits.chi2.min() + tie)))


def distinct(frame: Frame, fits: Fits, reach: float) -> Fits:
    """Keep one of each minimum, the lowest first."""
    fits = fits.take(np.argsort(fits.chi2, kind="stable"))
    own = list(frame.scanned or frame.parameters)
    kept: list[int] = []
    for row in range(len(fits)):
        is_low = fits.chi2[row] <= fits.chi2[0] + reach
        apart = np.abs(fits.z[row, own] - fits.z[kept][:, own]) / frame.width[own] > APART
        if is_low and len(kept) < MOST_KEPT and apart.any(axis=1).all():
            kept.append(row)
    return fits.take(kept or [0])


@dataclass(frozen=True)
class Proven:
    """What a proof says of a best fit.

    Attributes
    ----------
    lower_bound : float
        No χ² within the bounds is below; −∞ where nothing was proven.
    lower : array, shape (n, n_coordinates)
        Where χ² is lower than at the best fit: nowhere, or at one place. Its scales are not known.
    unique_within : float
        In how many standard deviations around it there is no other minimum; 0 where that is not shown, NaN where nobody
        has looked: a proof says more.
    """

    lower_bound: float
    lower: Array
    n_boxes: int = 0
    unique_within: float = np.nan

    def evidence(self, chi2: float, precision: Precision, *, is_agreed: bool) -> Evidence:
        """Judge a best fit with this χ²; agreement is no evidence for what contradicts its bound."""
        at, bound = np.array([chi2]), np.array([self.lower_bound])
        if is_gap_closed(at, bound, precision)[0]:
            return Evidence.PROVEN
        if is_agreed and not contradicts_bound(at, bound, precision)[0]:
            return Evidence.AGREED
        return Evidence.UNIQUE if self.unique_within > 0 else Evidence.NONE


def nothing_proven(z: Array) -> Proven:
    """Return that there is no proof, beside coordinates of shape (n_coordinates,)."""
    return Proven(-np.inf, np.empty((0, len(z))))


def prove(free: Problem, frame: Frame, z: Array, chi2: float, most_boxes: int | None) -> Proven:
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
    most_boxes : int or None
        None where a proof is out of reach: then only the neighbourhood of the best fit is looked at.
    """
    # The proof knows parameters alone: scales are minimised out in it, in closed form.
    places = [frame.names.index(p.name) for p in free.parameters]
    lower, upper, here = (frame.natural(row)[places] for row in (frame.lower, frame.upper, z))
    try:
        posed, nowhere, place = pose_proof(free, (lower, upper)), np.empty((1, 0)), np.clip(here, lower, upper)[None]
        known = np.array([chi2]), place
        found = posed.prove(nowhere, known, most_boxes) if most_boxes else Proof.none(known)
        is_lower = bool(found.chi2[0] < chi2 - tie_tolerance(np.array(chi2)))
        # Neither what is proven nor what is not the minimum needs to be the only one near.
        is_settled = is_lower or is_gap_closed(known[0], found.lower_bound)[0]
        near = np.nan if is_settled else float(posed.unique_within(nowhere, place).within[0])
    except NotEnclosable:
        return nothing_proven(z)
    # A lower place starts the answer again; its scales are found by the fit there.
    natural = frame.natural(z)[None].copy()
    natural[:, places] = found.parameters
    lower_place = frame.coordinates_of(natural)[: int(is_lower)]
    return Proven(float(found.lower_bound[0]), lower_place, int(found.n_boxes[0]), near)
