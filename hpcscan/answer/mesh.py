"""A mesh of fits over two coordinates, all others free, and the refinement that a contour needs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hpcscan.answer.coordinates import Frame
from hpcscan.answer.cubics import Edges, hidden_extrema
from hpcscan.answer.fitted_intervals import MARGIN, merged
from hpcscan.answer.held_fits import SAME_PLACE, Asked, Fits, Library, Search
from hpcscan.arrays import Array, BoolArray

#: Lines through so many of the lowest minima; lines nearer than this, relative to the width, are one.
MOST_MINIMA, LEAST_APART = 12, 1e-4
#: Rounds in which edges are searched for hidden crossings, and steps beyond the grid, each twice as long.
MOST_LOOKS, MOST_STEPS = 4, 40
#: Lines of one coordinate beyond which none are added: of a surface with jumps no number is enough.
MOST_LINES = 65
#: A cell is divided where its centre is so far, in Δχ², from the surface through its corners.
SURPRISE = 0.3
#: Edges shorter than this, relative to the width, are not looked at again.
SHORT = 1e-3


class Mesh:
    """Fits at the crossings of lines of two coordinates; lines are added as they are needed.

    Attributes
    ----------
    lines : list of array
        Values of both coordinates, increasing.
    """

    def __init__(self, frame: Frame, library: Library, pair: tuple[int, int], levels: Sequence[float]) -> None:
        self.frame, self.library, self.pair, self.levels = frame, library, pair, np.array(levels, float)
        self._pool: list[Fits] = []
        self._row: dict[tuple[float, float], int] = {}
        self._checked: set[tuple[float, float]] = set()
        self.lines = [self._first_lines(k) for k in pair]
        if set(frame.scanned) == set(pair):
            self._keep(library.grid)

    @property
    def fits(self) -> Fits:
        """The fits at all crossings, in C order."""
        pool = self._everything()
        rows = [self._row[x, y] for x in self.lines[0].tolist() for y in self.lines[1].tolist()]
        return pool.take(rows)

    @property
    def delta(self) -> Array:
        """Δχ² at all crossings, shape (n, m)."""
        return self.fits.chi2.reshape(self.shape) - self.library.base

    @property
    def shape(self) -> tuple[int, int]:
        """Number of lines of both coordinates."""
        return len(self.lines[0]), len(self.lines[1])

    def prepared(self) -> Search[None]:
        """Fit all crossings; go on outward where the level is not reached; look for what the lines do not show."""
        yield from self.filled()
        yield from self.looked_at()

    def looked_at(self) -> Search[None]:
        """Add lines where an edge hides crossings, beyond the grid, and where a cell is not what its corners say."""
        # Outward first: what is hidden between lines is looked for where they are.
        yield from self._outward()
        for _ in range(MOST_LOOKS):
            found = yield from self._hidden()
            if not self.add(found):
                break
            yield from self.filled()
            yield from self._outward()
        centres = yield from self._surprising_centres()
        if self.add(centres):
            yield from self.filled()
            yield from self.looked_at()

    def filled(self) -> Search[None]:
        """Fit the crossings that are not known."""
        places = [(x, y) for x in self.lines[0].tolist() for y in self.lines[1].tolist()]
        wanted = np.array([place for place in places if place not in self._row]).reshape(-1, 2)
        if len(wanted):
            others = self._everything() if self._pool else None
            self._keep((yield from self.library.fits(self.pair, wanted, others)))

    def fit(self, places: Array, starts: Array) -> Search[Fits]:
        """Fit at places, shape (n, 2), from starts (n, n_coordinates); what is known is not fitted again."""
        keys = [(float(x), float(y)) for x, y in places]
        new = {key: row for row, key in enumerate(keys) if key not in self._row}
        if new:
            chosen = starts[list(new.values())]
            chosen[:, self.pair] = list(new)
            self._keep((yield Asked(self.pair, chosen[:, None])))
        return self._everything().take([self._row[key] for key in keys])

    def centres(self, cells: Sequence[tuple[int, int]]) -> Search[Fits]:
        """Fit at the centres of cells, beginning between their corners."""
        (x, y), z = self.lines, self.fits.z.reshape(*self.shape, -1)
        places = [((x[a] + x[a + 1]) / 2, (y[b] + y[b + 1]) / 2) for a, b in cells]
        starts = [z[a : a + 2, b : b + 2].mean(axis=(0, 1)) for a, b in cells]
        return (yield from self.fit(np.array(places), np.array(starts)))

    def add(self, places: Sequence[tuple[float | None, float | None]]) -> bool:
        """Add lines, one for each gap between lines; tell whether there was any to add."""
        has_grown = False
        for axis, k in enumerate(self.pair):
            new = np.array([place[axis] for place in places if place[axis] is not None], float)
            gaps = np.searchsorted(self.lines[axis], new)
            chosen = [np.sort(new[gaps == gap])[np.count_nonzero(gaps == gap) // 2] for gap in np.unique(gaps)]
            if chosen and len(self.lines[axis]) < MOST_LINES:
                together = merged(np.concatenate([self.lines[axis], chosen]), self.frame.width[k], LEAST_APART)
                has_grown |= len(together) > len(self.lines[axis])
                self.lines[axis] = together
        return has_grown

    def _first_lines(self, k: int) -> Array:
        about, minima = self.frame.coordinates[k], self.library.minima
        is_low = minima.chi2 <= self.library.base + self.levels.max()
        values, width = np.array(about.values), about.width
        for place in minima.z[is_low, k][:MOST_MINIMA]:
            # The grid's own values stay, since their fits are known.
            if np.abs(values - place).min() > LEAST_APART * width:
                values = np.sort(np.append(values, place))
        return np.asarray(np.clip(values, about.lower, about.upper), float)

    def _everything(self) -> Fits:
        if len(self._pool) > 1:
            self._pool = [Fits.joined(self._pool)]
        return self._pool[0]

    def _keep(self, fits: Fits) -> None:
        first = sum(map(len, self._pool))
        self._pool.append(fits)
        for row, (x, y) in enumerate(fits.z[:, self.pair].tolist()):
            self._row.setdefault((x, y), first + row)

    def _outward(self) -> Search[None]:
        """Add lines beyond the outermost ones while some level is open there and the coordinate does not end."""
        steps = np.array([np.ptp(line) / 2 for line in self.lines])[:, None] * np.ones(2)
        for _ in range(MOST_STEPS):
            delta, highest, has_grown = self.delta, self.levels.max(), False
            for axis, k in enumerate(self.pair):
                about = self.frame.coordinates[k]
                for side, sign, end in ((0, -1, about.lower), (-1, 1, about.upper)):
                    last = self.lines[axis][side]
                    # Open where the outermost line still has a place below the highest level.
                    is_open = (np.take(delta, side, axis=axis) < highest).any()
                    if is_open and sign * (end - last) > SAME_PLACE * about.width:
                        beyond = last + sign * steps[axis, side]
                        place = min(beyond, end) if sign > 0 else max(beyond, end)
                        self.lines[axis] = np.sort(np.append(self.lines[axis], place))
                        steps[axis, side] *= 2
                        has_grown = True
            if not has_grown:
                break
            yield from self.filled()

    def _hidden(self) -> Search[list[tuple[float | None, float | None]]]:
        """Fit where an edge's cubic comes near a level or beyond it; give the places that are on its other side."""
        fits, delta = self.fits, self.delta
        found, beside, starts = [], [], []
        for axis in (0, 1):
            # Edges along this axis: values, and slopes times lengths, at both ends.
            z = np.moveaxis(fits.z.reshape(*self.shape, -1), axis, 0)
            line, width = self.lines[axis], self.frame.width[self.pair[axis]]
            slope = np.moveaxis(fits.gradient[:, self.pair[axis]].reshape(self.shape), axis, 0)
            values, length = np.moveaxis(delta, axis, 0), np.diff(line)[:, None]
            parts = (values[:-1], values[1:], slope[:-1] * length, slope[1:] * length)
            edges = Edges(*(part.ravel() for part in parts))
            is_long = np.broadcast_to(length > SHORT * width, parts[0].shape)
            t = hidden_extrema(edges, self.levels, MARGIN, edges.is_known & is_long.ravel()).reshape(is_long.shape)
            for a, b in np.argwhere(np.isfinite(t)):
                along, across = float(line[a] + t[a, b] * length[a, 0]), float(self.lines[1 - axis][b])
                found.append((axis, along, across))
                beside.append(float(values[a, b]))
                starts.append(z[a, b] + t[a, b] * (z[a + 1, b] - z[a, b]))
        if not found:
            return []
        places = np.array([(p, q) if axis == 0 else (q, p) for axis, p, q in found])
        # A line is added where a fit confirms what the cubic foresees.
        probes = yield from self.fit(places, np.array(starts))
        is_other = self._sides(probes.chi2 - self.library.base) != self._sides(np.array(beside))
        hits = [one for one, hit in zip(found, is_other.any(axis=1), strict=True) if hit]
        return [(along, None) if axis == 0 else (None, along) for axis, along, _ in hits]

    def _sides(self, delta: Array) -> BoolArray:
        """Mark which levels values are below, shape (n, n_levels)."""
        is_below: BoolArray = delta[:, None] < self.levels
        return is_below

    def crossed_cells(self) -> BoolArray:
        """Mark which cells have corners on both sides of a level and no hole, shape (n − 1, m − 1)."""
        delta = self.delta
        corners = np.stack([delta[:-1, :-1], delta[1:, :-1], delta[:-1, 1:], delta[1:, 1:]])
        is_below = corners[..., None] < self.levels
        crossed = (is_below.any(axis=0) & ~is_below.all(axis=0)).any(axis=-1)
        return np.asarray(crossed & np.isfinite(corners).all(axis=0))

    def _surprising_centres(self) -> Search[list[tuple[float | None, float | None]]]:
        """Fit at the centres of cells that a level crosses; give those that the corners do not foresee."""
        cells = [(a, b) for a, b in np.argwhere(self.crossed_cells()).tolist()]
        middles = [(line[:-1] + line[1:]) / 2 for line in self.lines]
        spans = [np.diff(line) / self.frame.width[k] for line, k in zip(self.lines, self.pair, strict=True)]
        places = {
            (a, b): (float(middles[0][a]), float(middles[1][b]))
            for a, b in cells
            if spans[0][a] > SHORT and spans[1][b] > SHORT
        }
        new = {cell: place for cell, place in places.items() if place not in self._checked}
        if not new:
            return []
        self._checked.update(new.values())
        foreseen = self._middle_of_corners()
        centres = yield from self.centres(list(new))
        seen = centres.chi2 - self.library.base
        return [
            place
            for (cell, place), value in zip(new.items(), seen, strict=True)
            if np.isfinite(value) and abs(value - foreseen[cell]) > SURPRISE
        ]

    def _middle_of_corners(self) -> Array:
        """Interpolate at the centres of cells, from values and slopes at their corners (Hermite without twist)."""
        delta, fits = self.delta, self.fits
        values = (delta[:-1, :-1] + delta[1:, :-1] + delta[:-1, 1:] + delta[1:, 1:]) / 4
        for axis, k in enumerate(self.pair):
            slope, length = fits.gradient[:, k].reshape(self.shape), np.diff(self.lines[axis])
            # Each edge bends by its difference of slopes; the two edges along an axis are averaged.
            fall = -np.diff(slope, axis=axis) * (length[:, None] if axis == 0 else length)
            values = values + (fall[:, :-1] + fall[:, 1:] if axis == 0 else fall[:-1] + fall[1:]) / 16
        return np.asarray(values)
