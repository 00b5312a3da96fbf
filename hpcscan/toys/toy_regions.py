"""Regions of fixed coverage: the range they may reach, the points of a grid in them, and ends between the points."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Literal

import numpy as np

from hpcscan.answer.coordinates import Coordinate, Frame
from hpcscan.answer.held_fits import Asked, Fits
from hpcscan.arrays import Array, BoolArray
from hpcscan.model.problem import Problem
from hpcscan.toys.rounds import Places, Rounds, Toymaker, ToyTally

#: An end is found to this share of its statistical error, but in no more halvings of a step of the grid than this.
SHARE, MOST_HALVINGS = 0.1, 12

EndKind = Literal["crossed", "bound", "grid", "hole"]


def widened(frame: Frame, free: Problem) -> Frame:
    """Let scanned parameters go beyond the grid by its width where no bound is declared.

    Parameters
    ----------
    frame : Frame
        Of the grid.
    free : Problem
        With everything profiled.
    """
    lowest = {parameter.name: parameter.lower for parameter in free.parameters}
    return Frame(tuple(_widened(c, lowest[c.name]) if c.role == "scanned" else c for c in frame.coordinates))


def _widened(about: Coordinate, lowest: float) -> Coordinate:
    lower = about.lower - about.width if about.lower_end == "grid" else about.lower
    upper = about.upper + about.width if about.upper_end == "grid" else about.upper
    # In the logarithm a bound at zero is infinitely far: one width of the grid below it there is nothing more to gain.
    is_zero = about.is_log and lowest == 0
    return replace(about, lower=lower, upper=upper, lower_end="bound" if is_zero else about.lower_end)


def around_levels(delta_chi2: Array, shape: tuple[int, ...], levels: Sequence[float]) -> BoolArray:
    """Mark the corners of the cells of a grid that a level crosses, and their neighbours: shape (n_points,).

    Parameters
    ----------
    delta_chi2 : array, shape (n_points,)
        NaN where it is not known: then nothing crosses there.
    """
    values = delta_chi2.reshape(shape)
    lowest, highest = (_over_cells(values, pick) for pick in (np.fmin, np.fmax))
    is_crossed = np.zeros(lowest.shape, bool)
    for level in levels:
        is_crossed |= (lowest < level) & (level <= highest)
    marked = np.zeros(shape, bool)
    for corner in product((0, 1), repeat=len(shape)):
        place = tuple(
            slice(c, c + n) if m > 1 else slice(None) for c, n, m in zip(corner, lowest.shape, shape, strict=True)
        )
        marked[place] |= is_crossed
    result: BoolArray = with_neighbours(marked) & np.isfinite(values)
    # Where no level is crossed, the lowest point stands for all.
    if not result.any() and np.isfinite(values).any():
        result.ravel()[np.nanargmin(values)] = True
    return result.ravel()


def _over_cells(values: Array, pick: np.ufunc) -> Array:
    for axis, n in enumerate(values.shape):
        if n > 1:
            first, second = (np.take(values, np.arange(k, n - 1 + k), axis=axis) for k in (0, 1))
            values = pick(first, second)
    return values


def with_neighbours(marked: BoolArray) -> BoolArray:
    """Mark what is marked, and everything one step away, also diagonally."""
    padded = np.pad(marked, 1)
    result = np.zeros_like(marked)
    for offset in product((0, 1, 2), repeat=marked.ndim):
        result |= padded[tuple(slice(o, o + n) for o, n in zip(offset, marked.shape, strict=True))]
    return result


def inside(p_value: Array, is_made: BoolArray, delta_chi2: Array, cl: float, level: float) -> BoolArray:
    """Mark which points are in the region; by Δχ² where no toys were made, which is far from its edge."""
    is_in: BoolArray = np.where(is_made, p_value > 1 - cl, delta_chi2 < level)
    return is_in


def at_the_rim(is_in: BoolArray, is_made: BoolArray, shape: tuple[int, ...]) -> BoolArray:
    """Mark points without toys beside one with toys that is on the other side: the edge is nearer than it seemed."""
    result = np.zeros(shape, bool)
    sides, made = is_in.reshape(shape), is_made.reshape(shape)
    for side in (True, False):
        result |= with_neighbours(made & (sides == side)) & ~made & (sides != side)
    return result.ravel()


@dataclass(frozen=True)
class ToyEnd:
    """One end of an interval, in the coordinate.

    Attributes
    ----------
    value, error : float
        The error is that of the number of toys; zero where p does not decide.
    kind : {"crossed", "bound", "grid", "hole"}
    """

    value: float
    error: float
    kind: EndKind


@dataclass(frozen=True)
class ToyInterval:
    """One region of a confidence level."""

    cl: float
    lower: ToyEnd
    upper: ToyEnd


@dataclass
class _Bracket:
    """Two places between which p falls through 1 − CL, and the error of what is looked for."""

    cl: float
    inner: Array
    outer: Array
    error: float
    is_done: bool = False

    def width(self, k: int) -> float:
        return abs(float(self.outer[k] - self.inner[k]))


@dataclass(frozen=True)
class ToyLine:
    """What is known along the scanned parameter.

    Attributes
    ----------
    grid : Fits
        At its points.
    is_in : mapping of float to bool array
        By confidence level.
    tally : ToyTally
        Of the points.
    base : float
        χ² of the best fit.
    observed : array, shape (n_data,)
    """

    frame: Frame
    grid: Fits
    is_in: dict[float, BoolArray]
    tally: ToyTally
    base: float
    observed: Array


def intervals(line: ToyLine, maker: Toymaker) -> tuple[ToyInterval, ...]:
    """Find all regions of all levels."""
    # An end lies between two points, or is an end of the grid or of what is known.
    found: list[tuple[float, list[ToyEnd | _Bracket]]] = []
    for cl in maker.rounds.cl:
        for first, last in _runs(line.is_in[cl]):
            found.append((cl, [_end(line, cl, first, -1, maker.rounds), _end(line, cl, last, +1, maker.rounds)]))
    # All brackets are halved together, until they are short beside the error by the number of toys.
    brackets = [end for _, ends in found for end in ends if isinstance(end, _Bracket)]
    k = line.frame.scanned[0]
    for _ in range(MOST_HALVINGS):
        todo = [bracket for bracket in brackets if not bracket.is_done]
        if not todo:
            break
        _halve(line, todo, maker)
        for bracket in todo:
            bracket.is_done |= bracket.width(k) <= SHARE * bracket.error
    return tuple(ToyInterval(cl, *(_found(end, k) for end in ends)) for cl, ends in found)


def _runs(is_in: BoolArray) -> Iterator[tuple[int, int]]:
    """Return the first and last point of every stretch."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], is_in, [False]]).astype(np.int8)))
    yield from ((int(a), int(b) - 1) for a, b in zip(edges[::2], edges[1::2], strict=True))


def _end(line: ToyLine, cl: float, point: int, step: int, rounds: Rounds) -> ToyEnd | _Bracket:
    k, about = line.frame.scanned[0], line.frame.coordinates[line.frame.scanned[0]]
    z, beyond = line.grid.z, point + step
    value, has_p = float(z[point, k]), line.tally.has_p | (line.tally.n_toys == 0)
    if not 0 <= beyond < len(z):
        bound, kind = (about.lower, about.lower_end) if step < 0 else (about.upper, about.upper_end)
        is_bound = kind == "bound" and abs(value - bound) <= 1e-9 * about.width
        return ToyEnd(value, 0.0, "bound" if is_bound else "grid")
    if not (np.isfinite(line.grid.chi2[beyond]) and has_p[beyond]):
        return ToyEnd(value, 0.0, "hole")
    # Toys know p to √(CL (1 − CL)/n); over its slope that is the error of the end.
    p = line.tally.p_value[[point, beyond]]
    slope = abs(float(p[0] - p[1])) / abs(float(z[beyond, k]) - value)
    noise = float(np.sqrt(cl * (1 - cl) / rounds.n_toys))
    error = min(noise / slope, abs(float(z[beyond, k]) - value)) if slope > 0 else abs(float(z[beyond, k]) - value)
    return _Bracket(cl, z[point], z[beyond], error)


def _halve(line: ToyLine, todo: list[_Bracket], maker: Toymaker) -> None:
    """Make toys in the middle of brackets, and keep the half in which p falls through."""
    frame, k = line.frame, line.frame.scanned[0]
    # Fits in the middle begin from both ends of the bracket.
    starts = np.array([[b.inner, b.outer] for b in todo])
    starts[:, :, k] = starts[:, :, k].mean(axis=1, keepdims=True)
    observed = np.tile(line.observed, (len(todo), 1))
    [fits] = maker.compute([Asked(frame.scanned, starts, observed=observed)])
    t = np.where(fits.is_good, np.maximum(fits.chi2 - line.base, 0.0), np.nan)
    needs_check = bool((line.tally.n_lower > 0).any())
    places = Places(maker.numbered(len(todo)), fits.z, t, is_checked=needs_check)
    # A middle decides about its own level alone.
    for cl in maker.rounds.cl:
        rows = np.flatnonzero([b.cl == cl for b in todo])
        if not len(rows):
            continue
        own = Places(places.number[rows], places.z[rows], places.t[rows], is_checked=needs_check)
        p = maker.toys_at(own, cl=(cl,)).p_value
        for row, value in zip(rows.tolist(), p.tolist(), strict=True):
            bracket = todo[row]
            if not np.isfinite(value):
                # Nothing can be told between here and there.
                bracket.error, bracket.is_done = bracket.width(k), True
            elif value > 1 - cl:
                bracket.inner = places.z[row]
            else:
                bracket.outer = places.z[row]


def _found(end: ToyEnd | _Bracket, k: int) -> ToyEnd:
    if isinstance(end, ToyEnd):
        return end
    width = end.width(k)
    return ToyEnd(float(end.inner[k] + end.outer[k]) / 2, float(np.hypot(end.error, width / 2)), "crossed")
