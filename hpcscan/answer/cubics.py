"""Cubics through values and slopes: where χ² crosses a level between two fits, and arcs between points of a contour.

Crossings are found by the root of a cubic and a fit there; arcs are drawn in the metric of the covariance, never as
chords.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hpcscan.answer.held_fits import Asked, Fits, Search
from hpcscan.arrays import Array, BoolArray, IntArray

#: An end is found when Δχ² is so near its level.
TOLERANCE = 1e-3
#: Rounds at most, and from which on every second one bisects.
MOST_ROUNDS, BISECT_FROM = 40, 4
#: A bracket so short, relative to the coordinate's width, is as short as it can be.
SHORTEST = 1e-13
#: χ² so much above what the cubic foresees is looked at again from another start.
SURPRISE = 0.05
#: A rise over so short a stretch, relative to the width, along which slopes explain less than this share of the
#: tolerance is a step.
STEP, JUMP = 1e-6, 1e-3
#: Bisections of a cubic on [0, 1].
N_BISECTIONS = 50

#: Points that stand for an arc where it is drawn, its end left out.
N_DRAWN = 8

#: Places at which a cubic is searched for an extremum.
PLACES = np.linspace(0, 1, 65)[1:-1]


@dataclass(frozen=True)
class Edges:
    """n stretches of a function, each over a unit of length: values and slopes at both ends, shape (n,)."""

    first: Array
    last: Array
    slope_first: Array
    slope_last: Array

    @property
    def is_known(self) -> BoolArray:
        """Whether all four are finite."""
        return np.asarray(np.isfinite([self.first, self.last, self.slope_first, self.slope_last]).all(axis=0))

    @property
    def jumps(self) -> BoolArray:
        """Whether values differ by more than any slope there explains: the function has a step."""
        rise, slope = np.abs(self.last - self.first), np.maximum(np.abs(self.slope_first), np.abs(self.slope_last))
        return (slope < JUMP * TOLERANCE) & (rise > TOLERANCE)

    def times(self, sign: float, is_usable: BoolArray) -> Edges:
        """Change the sign, and put zeros where they are of no use."""
        parts = (self.first, self.last, self.slope_first, self.slope_last)
        return Edges(*(np.where(is_usable, sign * part, 0.0) for part in parts))

    def at(self, t: Array | float) -> Array:
        """Interpolate by a cubic (Hermite) at places in [0, 1]."""
        left, right = self.first * (1 + 2 * t) * (1 - t) ** 2, self.last * t * t * (3 - 2 * t)
        result: Array = left + right + t * (1 - t) * ((1 - t) * self.slope_first - t * self.slope_last)
        return result

    def root(self) -> Array:
        """Find the root between values of unlike sign; the middle where something is not finite."""
        low, high = np.zeros(self.first.shape), np.ones(self.first.shape)
        is_negative = self.first < 0
        with np.errstate(all="ignore"):
            for _ in range(N_BISECTIONS):
                middle = (low + high) / 2
                is_left = (self.at(middle) < 0) == is_negative
                low, high = np.where(is_left, middle, low), np.where(is_left, high, middle)
        return np.where(self.is_known, (low + high) / 2, 0.5)

    def lowest(self) -> tuple[Array, Array]:
        """Find the lowest place within (0, 1), and its value: NaN where it is not below both ends."""
        inside = np.array([self.at(t) for t in PLACES])
        place, value = PLACES[inside.argmin(axis=0)], inside.min(axis=0)
        is_inside = value < np.minimum(self.first, self.last)
        return np.where(is_inside, place, np.nan), np.where(is_inside, value, np.nan)


@dataclass(frozen=True)
class Brackets:
    """n pairs of fits between which χ² crosses a target.

    Attributes
    ----------
    along : int array, shape (n,)
        The coordinate in which the two differ.
    low, high : Fits
        In increasing order of it.
    target : array, shape (n,)
    """

    along: IntArray
    low: Fits
    high: Fits
    target: Array

    def take(self, rows: IntArray) -> Brackets:
        """Select pairs."""
        return Brackets(self.along[rows], self.low.take(rows), self.high.take(rows), self.target[rows])

    @property
    def length(self) -> Array:
        """Distances, shape (n,)."""
        rows = np.arange(len(self.along))
        return np.asarray(self.high.z[rows, self.along] - self.low.z[rows, self.along])

    @property
    def edges(self) -> Edges:
        """χ² − target over each."""
        rows, length = np.arange(len(self.along)), self.length
        slopes = (fits.gradient[rows, self.along] * length for fits in (self.low, self.high))
        return Edges(self.low.chi2 - self.target, self.high.chi2 - self.target, *slopes)


def between(low: Fits, high: Fits, t: Array) -> Array:
    """Mix the ends of brackets, shape (n, n_coordinates)."""
    mixed: Array = low.z + t[:, None] * (high.z - low.z)
    return mixed


@dataclass(frozen=True)
class Crossings:
    """n places at which χ² is at its target, as near as they were sought.

    Attributes
    ----------
    fits : Fits
        With |χ² − target| up to `TOLERANCE`, or as near as the numbers of the coordinate allow.
    length : array, shape (n,)
        Of the stretches in which the crossings are.
    bend : array, shape (n,)
        |d²χ²/dz²| there, from the slopes on both sides; NaN where these are not known.
    """

    fits: Fits
    length: Array
    bend: Array


def crossings(held: tuple[int, ...], brackets: Brackets, width: Array) -> Search[Crossings]:
    """Find where χ² equals its target between fits of which one is below and one above.

    Parameters
    ----------
    held : tuple of int
        Coordinates that are held.
    brackets : Brackets
        n of them.
    width : array, shape (n_coordinates,)
    """
    todo = np.arange(len(brackets.target))
    brackets, found, bend = brackets.take(todo), brackets.low.take(todo), np.full(len(todo), np.nan)
    for round_number in range(MOST_ROUNDS):
        if not len(todo):
            break
        now = brackets.take(todo)
        bisects = now.edges.jumps | (round_number >= BISECT_FROM and round_number % 2 == 0)
        fits = yield from _at_root(held, now, np.asarray(bisects))
        found.put(todo, fits)
        bend[todo] = _bend(now, fits)

        # The bracket's end of the same sign is replaced; a fit that failed ends it.
        rest = fits.chi2 - now.target
        is_left = (rest < 0) == (now.edges.first < 0)
        brackets.low.put(todo[is_left], fits.take(is_left))
        brackets.high.put(todo[~is_left], fits.take(~is_left))
        left = brackets.take(todo)
        least = np.where(left.edges.jumps, STEP, SHORTEST)
        is_short = left.length <= least * width[now.along]
        todo = todo[(np.abs(rest) > TOLERANCE) & ~is_short & np.isfinite(rest)]
    return Crossings(found, brackets.length, bend)


def _bend(brackets: Brackets, fits: Fits) -> Array:
    """Compute |d²χ²/dz²| at fits within brackets, linear between what the slopes on either side say; shape (n,)."""
    rows, along = np.arange(len(fits)), brackets.along
    at, slope = fits.z[rows, along], fits.gradient[rows, along]
    before, after = (np.abs(at - end.z[rows, along]) for end in (brackets.low, brackets.high))
    with np.errstate(all="ignore"):
        left = np.abs(slope - brackets.low.gradient[rows, along]) / before
        right = np.abs(slope - brackets.high.gradient[rows, along]) / after
        # An end that is nearer than the crossing says nothing: slopes differ by their errors there.
        reach = np.abs((fits.chi2 - brackets.target) / slope)
        both = (left * after + right * before) / (before + after)
    bend: Array = np.where(before <= reach, right, np.where(after <= reach, left, both))
    return bend


def _at_root(held: tuple[int, ...], brackets: Brackets, bisects: BoolArray) -> Search[Fits]:
    """Fit where the cubic has its root, or in the middle, beginning between the ends of the bracket."""
    edges = brackets.edges
    t = np.where(bisects, 0.5, edges.root())
    fits = yield Asked(held, between(brackets.low, brackets.high, t)[:, None])

    # Higher than foreseen: perhaps another branch, which a start from the lower end would not take.
    with np.errstate(all="ignore"):
        foreseen = np.where(edges.is_known, edges.at(t), np.inf)
    high_up = np.flatnonzero(fits.chi2 - brackets.target > foreseen + SURPRISE)
    if len(high_up):
        other = yield Asked(held, _from_lower_end(held, brackets, t)[high_up, None])
        is_lower = other.chi2 < fits.chi2[high_up]
        fits.put(high_up[is_lower], other.take(is_lower))
    return fits


def _from_lower_end(held: tuple[int, ...], brackets: Brackets, t: Array) -> Array:
    low, high = brackets.low, brackets.high
    start = np.where((low.chi2 < high.chi2)[:, None], low.z, high.z)
    start[:, held] = between(low, high, t)[:, held]
    return start


def hidden_extrema(edges: Edges, levels: Array, margin: float, is_usable: BoolArray) -> Array:
    """Find where, between values on one side of a level, the cubic comes near or beyond it.

    Parameters
    ----------
    edges : Edges
        n of them.
    levels : array, shape (n_levels,)
    margin : float
        How near, relative to the level.
    is_usable : bool array, shape (n,)

    Returns
    -------
    array, shape (n,)
        A place in (0, 1) worth a fit; NaN where there is none.
    """
    result = np.full(len(edges.first), np.nan)
    for sign in (1.0, -1.0):
        signed = edges.times(sign, is_usable)
        place, value = signed.lowest()
        nearer = np.minimum(signed.first, signed.last)
        for level in levels:
            beyond = sign * level + margin * abs(level)
            is_near = is_usable & (nearer > sign * level) & (value < beyond)
            result = np.where(is_near & np.isnan(result), place, result)
    return result


@dataclass(frozen=True)
class Arcs:
    """Curves from p to q that are perpendicular to the gradients there, as seen in units of the errors.

    Attributes
    ----------
    p, q : array, shape (n, 2)
    leaving, arriving : array, shape (n, 2)
        Tangents at the ends, as for a cubic over a unit of time.
    turn : array, shape (n,)
        Angle between them, in units of the errors.
    """

    p: Array
    q: Array
    leaving: Array
    arriving: Array
    turn: Array

    @classmethod
    def between(cls, ends: tuple[Array, Array], slopes: tuple[Array, Array], whitening: Array) -> Arcs:
        """Make arcs of ends, gradients (n, 2), and matrices (n, 2, 2) for which |W d| = 1 at one standard deviation."""
        p, q = ends
        chord = np.einsum("nij,nj->ni", whitening, q - p)
        back = np.asarray(np.linalg.inv(whitening), np.float64)
        leaving, arriving = _tangent(slopes[0], back), _tangent(slopes[1], back)

        # The level lies on one side all along: both tangents are turned by one sign, the one that leads from p to q.
        forward = ((leaving + arriving) * chord).sum(axis=1)
        sign = np.where(forward < 0, -1.0, 1.0)[:, None]
        leaving, arriving = leaving * sign, arriving * sign
        turn = np.arccos(np.clip((leaving * arriving).sum(axis=1), -1, 1))
        # For the arc of a circle this length makes the cubic's middle lie on it.
        length = np.sqrt((chord**2).sum(axis=1)) / np.cos(turn / 4) ** 2
        out, inward = (np.einsum("nij,nj->ni", back, tangent * length[:, None]) for tangent in (leaving, arriving))
        return cls(p, q, out, inward, turn)

    def at(self, t: float) -> Array:
        """Return the points at a time between 0 and 1, shape (n, 2)."""
        left, right = (1 + 2 * t) * (1 - t) ** 2 * self.p, t * t * (3 - 2 * t) * self.q
        result: Array = left + right + t * (1 - t) * ((1 - t) * self.leaving - t * self.arriving)
        return result

    def drawn(self) -> Array:
        """Return the points that stand for each arc, without its end: shape (n, N_DRAWN, 2)."""
        return np.stack([self.at(k / N_DRAWN) for k in range(N_DRAWN)], axis=1)


def _tangent(slope: Array, back: Array) -> Array:
    """Turn gradients by a right angle, and bring them to unit length, in units of the errors."""
    along = np.einsum("nji,nj->ni", back, slope)
    turned = np.stack([-along[:, 1], along[:, 0]], axis=1)
    length = np.sqrt((turned**2).sum(axis=1))
    return np.asarray(turned / np.where(length > 0, length, 1.0)[:, None])
