"""The best fit: everything free that is not fixed, from every local minimum of the grid and from random starts."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from hpcscan.answer.fits import Asked, Fits, Search
from hpcscan.answer.frame import Frame
from hpcscan.arrays import Array, IntArray
from hpcscan.fitting.evidence import is_agreed

#: Local minima of the grid that are tried, the lowest ones, and random starts besides.
MOST_LOCAL, N_RANDOM = 16, 16
#: Steps of the first look at a start; what is on its way after them goes on where it may matter.
FIRST_STEPS = 40
#: Minima so near in every scanned parameter, relative to their widths, are one.
APART = 1e-3
#: Distinct minima that are kept.
MOST_KEPT = 40


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
class Found:
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


def best_fit(frame: Frame, places: Array, reach: float, tie: float) -> Search[Found]:
    """Find the minima with everything free.

    Parameters
    ----------
    frame : Frame
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
    found = Found(distinct(frame, fits, reach), _hits(fits, tie), largest)
    # Some starts crawl. Those that are high up do not matter where enough others agree.
    is_low = fits.chi2 <= (fits.chi2.min() + reach if found.is_agreed else np.inf)
    late = np.flatnonzero(~fits.is_good & is_low & np.isfinite(fits.chi2))
    if not len(late):
        return found
    further = yield Asked((), fits.z[late, None])
    fits.put(late, further)
    return Found(distinct(frame, fits, reach), _hits(fits, tie), largest)


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
