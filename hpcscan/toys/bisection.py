"""The ends of intervals of fixed coverage of one parameter, by bisection with the same toys everywhere.

p of counts jumps, so that nothing is interpolated: an end is where p falls to 1 − CL, found by toys made there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from hpcscan.answer.fits import Asked, Fits
from hpcscan.answer.frame import Frame
from hpcscan.arrays import Array, BoolArray
from hpcscan.toys.rounds import Places, Rounds, Tally, Toymaker

#: An end is found to this share of its statistical error, but in no more halvings of a step of the grid than this.
SHARE, MOST_HALVINGS = 0.1, 12

EndKind = Literal["crossed", "bound", "grid", "hole"]


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
class Interval:
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
class Line:
    """What is known along the scanned parameter.

    Attributes
    ----------
    frame : Frame
    grid : Fits
        At its points.
    is_in : mapping of float to bool array
        By confidence level.
    tally : Tally
        Of the points.
    base : float
        χ² of the best fit.
    observed : array, shape (n_data,)
    """

    frame: Frame
    grid: Fits
    is_in: dict[float, BoolArray]
    tally: Tally
    base: float
    observed: Array


def intervals(line: Line, maker: Toymaker) -> tuple[Interval, ...]:
    """Find all regions of all levels."""
    found: list[tuple[float, list[ToyEnd | _Bracket]]] = []
    for cl in maker.rounds.cl:
        for first, last in _runs(line.is_in[cl]):
            found.append((cl, [_end(line, cl, first, -1, maker.rounds), _end(line, cl, last, +1, maker.rounds)]))
    brackets = [end for _, ends in found for end in ends if isinstance(end, _Bracket)]
    k = line.frame.scanned[0]
    for _ in range(MOST_HALVINGS):
        todo = [bracket for bracket in brackets if not bracket.is_done]
        if not todo:
            break
        _halve(line, todo, maker)
        for bracket in todo:
            bracket.is_done |= bracket.width(k) <= SHARE * bracket.error
    return tuple(Interval(cl, *(_found(end, k) for end in ends)) for cl, ends in found)


def _runs(is_in: BoolArray) -> Iterator[tuple[int, int]]:
    """Give the first and last point of every stretch."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], is_in, [False]]).astype(np.int8)))
    yield from ((int(a), int(b) - 1) for a, b in zip(edges[::2], edges[1::2], strict=True))


def _end(line: Line, cl: float, point: int, step: int, rounds: Rounds) -> ToyEnd | _Bracket:
    k, about = line.frame.scanned[0], line.frame.coordinates[line.frame.scanned[0]]
    z, beyond = line.grid.z, point + step
    value, has_p = float(z[point, k]), line.tally.has_p | (line.tally.n_toys == 0)
    if not 0 <= beyond < len(z):
        bound, kind = (about.lower, about.lower_end) if step < 0 else (about.upper, about.upper_end)
        is_bound = kind == "bound" and abs(value - bound) <= 1e-9 * about.width
        return ToyEnd(value, 0.0, "bound" if is_bound else "grid")
    if not (np.isfinite(line.grid.chi2[beyond]) and has_p[beyond]):
        return ToyEnd(value, 0.0, "hole")
    p = line.tally.p_value[[point, beyond]]
    slope = abs(float(p[0] - p[1])) / abs(float(z[beyond, k]) - value)
    noise = float(np.sqrt(cl * (1 - cl) / rounds.n_toys))
    error = min(noise / slope, abs(float(z[beyond, k]) - value)) if slope > 0 else abs(float(z[beyond, k]) - value)
    return _Bracket(cl, z[point], z[beyond], error)


def _halve(line: Line, todo: list[_Bracket], maker: Toymaker) -> None:
    """Make toys in the middle of brackets, and keep the half in which p falls through."""
    frame, k = line.frame, line.frame.scanned[0]
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
