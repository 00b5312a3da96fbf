"""What is known before a search begins, and from where its fits start."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hpcscan.answer.fits import Asked, Fits, Search
from hpcscan.arrays import Array, BoolArray

#: Fits so near in a held coordinate, relative to its width, are at the same place.
SAME_PLACE = 1e-9
#: Places that are compared with everything known at once.
AT_ONCE = 64


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
    """

    grid: Fits
    minima: Fits
    width: Array

    @property
    def base(self) -> float:
        """The lowest χ²: the zero of Δχ²."""
        return float(self.minima.chi2[0])

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
