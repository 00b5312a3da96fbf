"""Intervals of one coordinate: every region in which Δχ² stays below a level with all others free."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hpcscan.answer.coordinates import Frame
from hpcscan.answer.cubics import TOLERANCE, Brackets, Edges, crossings, hidden_extrema
from hpcscan.answer.held_fits import SAME_PLACE, Asked, Fits, Library, Search
from hpcscan.arrays import Array

#: A cubic that comes so near a level, relative to it, is worth a fit.
MARGIN = 0.15
#: Times that a line is searched for what its nodes do not show, and steps outward, each twice as long.
MOST_LOOKS, MOST_STEPS = 4, 60
#: Nodes nearer than this, relative to the width, have nothing between them.
SHORT = 1e-6
#: To this share of themselves slopes are known, which are differences at fits that are nearly minima.
SLOPE_ERROR = 1e-3
#: Nodes of a line that has no grid, in standard deviations.
FIRST_NODES = 1.3


@dataclass(frozen=True)
class FittedEnd:
    """One end of a region.

    Attributes
    ----------
    value : float
        In the coordinate.
    kind : {"crossed", "bound", "grid", "hole"}
    error : float
        How far the crossing may be from it at most, in the coordinate; 0 where the level is not crossed.
    held : tuple of str
        Other parameters that rest there on an end of the grid.
    z : array, shape (n_coordinates,)
        Everything there.
    residual : float
        Δχ² − level.
    """

    value: float
    kind: str
    error: float
    held: tuple[str, ...]
    z: Array
    residual: float


@dataclass(frozen=True)
class FittedRegion:
    """A stretch of a coordinate below a level."""

    lower: FittedEnd
    upper: FittedEnd


@dataclass(frozen=True)
class FittedLine:
    """One coordinate with all others free.

    Attributes
    ----------
    nodes : Fits
        In increasing order of it.
    regions : mapping of level to tuple of FittedRegion
    """

    coordinate: int
    nodes: Fits
    regions: dict[float, tuple[FittedRegion, ...]]


def line(
    frame: Frame, library: Library, k: int, levels: Sequence[float], sigma: float | None = None
) -> Search[FittedLine]:
    """Find all regions of a coordinate.

    Parameters
    ----------
    k : int
        The coordinate.
    levels : sequence of float
        Of Δχ².
    sigma : float, optional
        Its standard deviation, for a coordinate that has no grid.
    """
    return (yield from _Walk(frame, library, k, levels).line(sigma))


def merged(places: Array, width: float, least: float = 1e-7) -> Array:
    """Sort places, and drop those that are as good as equal to the one before."""
    places = np.unique(places)
    kept = [places[0]]
    for place in places[1:]:
        if place - kept[-1] > least * width:
            kept.append(place)
    return np.array(kept)


def resting(frame: Frame, z: Array, *but: int) -> tuple[str, ...]:
    """List the scanned parameters that rest on an end of the grid."""
    side = frame.side(z)
    return tuple(
        about.name
        for j, about in enumerate(frame.coordinates)
        if j not in but and side[j] and (about.lower_end if side[j] < 0 else about.upper_end) == "grid"
    )


class _Walk:
    """Goes along one coordinate."""

    def __init__(self, frame: Frame, library: Library, k: int, levels: Sequence[float]) -> None:
        self._frame, self._library, self._k, self._levels = frame, library, k, levels
        self._about = frame.coordinates[k]
        self._nodes: Fits | None = None

    @property
    def nodes(self) -> Fits:
        """All fits, in increasing order of the coordinate."""
        assert self._nodes is not None
        return self._nodes

    @property
    def places(self) -> Array:
        """Where they are."""
        return np.asarray(self.nodes.z[:, self._k])

    @property
    def delta(self) -> Array:
        """Δχ² there."""
        return self.nodes.chi2 - self._library.base

    def line(self, sigma: float | None) -> Search[FittedLine]:
        # Fit where the grid and the minima are, then as far out as a level is not reached.
        yield from self._fit(self._first_places(sigma))
        yield from self._go_outward()
        yield from self._look_between()
        # Cross every level; a step may hide a lower branch, which is followed from its other side.
        crossed = yield from self._crossed()
        for _ in range(MOST_LOOKS):
            if not (yield from self._other_branches(crossed)):
                break
            yield from self._go_outward()
            yield from self._look_between()
            crossed = yield from self._crossed()
        regions = {level: self._paired(level, crossed) for level in self._levels}
        return FittedLine(self._k, self.nodes, regions)

    def _first_places(self, sigma: float | None) -> Array:
        """Choose the values of the grid, and of all minima that matter."""
        about, minima = self._about, self._library.minima
        at_minima = minima.z[minima.chi2 <= self._library.base + max(self._levels), self._k]
        if about.role == "scanned":
            around = np.array(about.values)
        else:
            # A parabola has Δχ² = 1.7 there: beyond one standard deviation, so that a bracket closes.
            step = FIRST_NODES * (sigma if sigma is not None and np.isfinite(sigma) else 0.1 * about.width)
            around = np.concatenate([at_minima - step, at_minima + step])
        places = np.clip(np.concatenate([around, at_minima]), about.lower, about.upper)
        return merged(places, about.width)

    def _fit(self, places: Array) -> Search[None]:
        """Fit at places, and put them among what is there."""
        fits = yield from self._library.fits((self._k,), places[:, None], self._nodes)
        together = fits if self._nodes is None else Fits.joined([self._nodes, fits])
        self._nodes = together.take(np.argsort(together.z[:, self._k], kind="stable"))

    def _go_outward(self) -> Search[None]:
        """Go on where the outermost node is below a level and the coordinate does not end, in steps that double."""
        about, steps = self._about, np.full(2, np.ptp(self.places) / 2 or self._about.width)
        for _ in range(MOST_STEPS):
            found = []
            for side, end, sign in ((0, about.lower, -1.0), (-1, about.upper, 1.0)):
                last = self.places[side]
                if self.delta[side] < max(self._levels) and sign * (end - last) > SAME_PLACE * about.width:
                    # Never beyond a bound, or the end of the grid where none is declared.
                    beyond = last + sign * steps[side]
                    found.append(min(beyond, end) if sign > 0 else max(beyond, end))
                    steps[side] *= 2
            if not found:
                break
            yield from self._fit(np.array(found))

    def _look_between(self) -> Search[None]:
        """Fit where the cubic between two nodes crosses a level twice, or nearly."""
        for _ in range(MOST_LOOKS):
            delta, length, slope = self.delta, np.diff(self.places), self.nodes.gradient[:, self._k]
            # By values and slopes at both nodes: a hidden dip shows in the slopes.
            edges = Edges(delta[:-1], delta[1:], slope[:-1] * length, slope[1:] * length)
            is_usable = edges.is_known & (length > SHORT * self._about.width)
            t = hidden_extrema(edges, np.array(self._levels), MARGIN, is_usable)
            chosen = np.flatnonzero(np.isfinite(t))
            if not len(chosen):
                break
            yield from self._fit(self.places[chosen] + t[chosen] * length[chosen])

    def _crossed(self) -> Search[dict[tuple[float, int], FittedEnd]]:
        """Find every crossing between neighbouring nodes, by its level and the node before; all in one search."""
        delta = self.delta
        is_known = np.isfinite(delta[:-1]) & np.isfinite(delta[1:])
        jobs = [
            (level, i)
            for level in self._levels
            for i in np.flatnonzero(is_known & ((delta[:-1] < level) != (delta[1:] < level))).tolist()
        ]
        if not jobs:
            return {}
        before = np.array([i for _, i in jobs])
        target = self._library.base + np.array([level for level, _ in jobs])
        brackets = Brackets(np.full(len(jobs), self._k), self.nodes.take(before), self.nodes.take(before + 1), target)
        found = yield from crossings((self._k,), brackets, self._library.width)
        return {
            job: self._end(job[0], found.fits.take([row]), float(found.length[row]), float(found.bend[row]))
            for row, job in enumerate(jobs)
        }

    def _other_branches(self, crossed: dict[tuple[float, int], FittedEnd]) -> Search[bool]:
        """Fit the nodes beside a step again, from its other side: a minimum there may have been missed; say if so."""
        steps = [(i, end) for (_, i), end in crossed.items() if abs(end.residual) > TOLERANCE]
        if not steps:
            return False
        rows = np.array([row for i, _ in steps for row in (i, i + 1)])
        # Each node of a step is fitted again from the fit beyond it, and from the place of the step.
        others = self.nodes.z[[row for i, _ in steps for row in (i + 1, i)]]
        starts = np.stack([others, np.repeat([end.z for _, end in steps], 2, axis=0)], axis=1)
        starts[:, :, self._k] = self.nodes.z[rows, self._k, None]
        fits = yield Asked((self._k,), starts)
        has_found = False
        for n, row in enumerate(rows.tolist()):
            if fits.chi2[n] < self.nodes.chi2[row] - TOLERANCE:
                self.nodes.put([row], fits.take([n]))
                has_found = True
        return has_found

    def _end(self, level: float, fit: Fits, length: float, bend: float) -> FittedEnd:
        """Describe a crossing in a stretch of this length, along which χ² bends so much."""
        z, residual = fit.z[0], float(fit.chi2[0] - self._library.base - level)
        if not np.isfinite(residual):
            return FittedEnd(float(z[self._k]), "hole", np.nan, (), z, residual)
        error = self._error(fit, residual, length, bend)
        return FittedEnd(float(z[self._k]), "crossed", error, resting(self._frame, z, self._k), z, residual)

    def _error(self, fit: Fits, residual: float, length: float, bend: float) -> float:
        """Bound how far a level may be crossed from a fit that is off it by a residual, in a stretch of this length.

        The crossing lies in the stretch; it is no farther than where δχ² = s δ − ½ b δ² is what the residual and the
        errors of both χ² are together. The bend is taken twice, for what it changes on the way.
        """
        # The numbers of a model with noise p are differenced over p^⅓ of a width, with an error of p^⅔.
        share = max(SLOPE_ERROR, 3 * self._library.precision.relative ** (2 / 3))
        slope = abs(float(fit.gradient[0, self._k])) * (1 - share)
        rise = abs(residual) + self._library.error_of(float(fit.chi2[0]))
        turns = slope**2 - 4 * bend * rise
        # The stretch is all that is known at a step, where the fit has not converged, and where χ² may turn before.
        is_smooth = fit.is_good[0] and abs(residual) <= TOLERANCE and slope > 0 and turns >= 0
        error = 2 * rise / (slope + np.sqrt(turns)) if is_smooth else length
        return float(error + np.spacing(abs(fit.z[0, self._k])))

    def _paired(self, level: float, crossed: dict[tuple[float, int], FittedEnd]) -> tuple[FittedRegion, ...]:
        """Walk along the nodes and collect the stretches below the level."""
        is_below, last = self.delta < level, len(self.nodes) - 1
        regions: list[FittedRegion] = []
        begin: FittedEnd | None = None
        for i in np.flatnonzero(is_below).tolist():
            if i == 0 or not is_below[i - 1]:
                begin = self._outer(0, level, -1) if i == 0 else crossed.get((level, i - 1), self._hole(i))
            if begin is not None and (i == last or not is_below[i + 1]):
                end = self._outer(i, level, 1) if i == last else crossed.get((level, i), self._hole(i))
                regions.append(FittedRegion(begin, end))
        return tuple(regions)

    def _outer(self, i: int, level: float, sign: int) -> FittedEnd:
        """Describe the end of a region at the end of all that is looked at; infinite where that is no end."""
        about, z = self._about, self.nodes.z[i]
        kind, limit = (about.lower_end, about.lower) if sign < 0 else (about.upper_end, about.upper)
        is_there = abs(z[self._k] - limit) <= SAME_PLACE * about.width
        residual = float(self.delta[i] - level)
        value, error = float(z[self._k]) if is_there else sign * np.inf, 0.0
        # What ends as high as the level crosses it there, whatever rounding says.
        if is_there and abs(residual) <= TOLERANCE:
            kind, error = "crossed", self._error(self.nodes.take([i]), residual, about.width, 0.0)
        return FittedEnd(value, kind, error, resting(self._frame, z, self._k), z, residual)

    def _hole(self, i: int) -> FittedEnd:
        return FittedEnd(float(self.places[i]), "hole", 0.0, (), self.nodes.z[i], np.nan)
