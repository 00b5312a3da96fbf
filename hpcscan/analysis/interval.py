"""The interval of one parameter below a level of Δχ², and how well it is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import nan

import numpy as np
from numpy.typing import NDArray

from hpcscan.analysis.interpolation import interpolate, slopes
from hpcscan.arrays import Array

#: Halvings of a cell: far below the error of any interpolation.
BISECTIONS = 60
#: By how much the difference of two curves is multiplied, where nodes on both sides speak, and where one side ends.
TWO_SIDED, ONE_SIDED = 2.0, 4.0
#: Nodes beyond a cell on either side on which the curve in it may depend.
REACH = 2


@dataclass(frozen=True)
class End:
    """One end of an interval.

    Attributes
    ----------
    value : float
        Where Δχ² crosses the level; NaN where it does not.
    error : float
        Numerical error of `value`: the difference of two interpolations, and what `noise` in Δχ² can do.
    reason : {"crossed", "edge", "hole", "bound"}
        Why the interval ends here: the level, the end of the axis, a point without a value, or a declared bound.
    """

    value: float
    error: float
    reason: str

    @property
    def is_open(self) -> bool:
        """Whether the level is not reached."""
        return self.reason != "crossed"


@dataclass(frozen=True)
class Interval:
    """The connected stretch around the lowest node in which Δχ² stays below a level.

    Attributes
    ----------
    n_others : int
        Further nodes below the level, outside it.
    regions : tuple of (End, End)
        The ends of other regions, where all were fitted.
    """

    level: float
    lower: End
    upper: End
    n_others: int
    regions: tuple[tuple[End, End], ...] = ()


def interval(x: Array, delta: Array, level: float, noise: float = 0.0) -> Interval | None:
    """Find the interval around the lowest node; None where no node is below the level.

    Parameters
    ----------
    x, delta : array, shape (n,)
        NaN in `delta` where it is not known.
    noise : float
        Error of `delta`.
    """
    if not np.isfinite(delta).any() or np.nanmin(delta) > level:
        return None
    is_below = delta <= level
    first, last = stretch(is_below, int(np.nanargmin(delta)))
    return Interval(
        level,
        _end(x, delta, level, (first, -1), noise),
        _end(x, delta, level, (last, 1), noise),
        int(np.count_nonzero(is_below)) - (last - first + 1),
    )


def intervals(x: Array, delta: Array, level: float, noise: float = 0.0) -> list[Interval]:
    """Find every stretch below the level; the arguments are those of `interval`."""
    is_below = np.isfinite(delta) & (delta <= level)
    # Where the mask changes, a stretch begins or has ended: pairs of first node and node after the last.
    changes = np.flatnonzero(np.diff(np.concatenate([[False], is_below, [False]]).astype(np.int8)))
    return [
        Interval(
            level,
            _end(x, delta, level, (int(first), -1), noise),
            _end(x, delta, level, (int(after) - 1, 1), noise),
            int(is_below.sum() - (after - first)),
        )
        for first, after in changes.reshape(-1, 2)
    ]


def stretch(is_inside: NDArray[np.bool_], node: int) -> tuple[int, int]:
    """Find the first and the last node of the stretch inside to which a node belongs."""
    # Two nodes outside enclose the stretch; the ends of the axis count as outside.
    outside = np.concatenate([[-1], np.flatnonzero(~is_inside), [len(is_inside)]])
    after = int(np.searchsorted(outside, node))
    return int(outside[after - 1]) + 1, int(outside[after]) - 1


def _end(x: Array, delta: Array, level: float, place: tuple[int, int], noise: float) -> End:
    """Look for the crossing between the last node inside and the next one in a direction."""
    inside, direction = place
    outside = inside + direction
    if not 0 <= outside < len(x):
        return End(nan, nan, "edge")
    if not np.isfinite(delta[outside]):
        return End(nan, nan, "hole")
    x, delta, inside = _around(x, delta, inside, outside)
    outside, place = inside + direction, (inside, direction)
    ends = x[inside], x[outside]
    column = delta[:, None]
    slope = slopes(x, column)
    curve = _crossing(lambda at: float(interpolate(x, column, np.array([at]), slope)[0, 0]), *ends, level)
    # An error in Δχ² moves the crossing by error / slope.
    steepness = abs(delta[outside] - delta[inside]) / abs(ends[1] - ends[0])
    error = _disagreement(x, delta, level, place, curve) + noise / steepness
    return End(curve, float(error), "crossed")


def _around(x: Array, delta: Array, inside: int, outside: int) -> tuple[Array, Array, int]:
    """Cut out the nodes on which the curve between two neighbours depends, and place the first of the two there."""
    first = max(0, min(inside, outside) - REACH)
    nodes = slice(first, max(inside, outside) + REACH + 1)
    return x[nodes], delta[nodes], inside - first


def _disagreement(x: Array, delta: Array, level: float, place: tuple[int, int], curve: float) -> float:
    """Compare a crossing with those of other curves through the same two nodes.

    These are parabolas through one more node on either side or, where one side ends, two on the other. With three
    values it is the straight line too, and with two half the cell is all that is known. The
    largest difference counts, several times: curves that know one side alone err together.
    """
    inside, direction = place
    outside = inside + direction
    others = _present(delta, [inside - direction, outside + direction])
    is_one_sided = len(others) < 2
    if is_one_sided:
        others += _present(delta, [inside - 2 * direction, outside + 2 * direction])
    if not others:
        # Nothing to compare with: the crossing is somewhere in the cell.
        return float(abs(x[outside] - x[inside])) / 2
    curves = [[inside, outside, node] for node in others]
    if len(others) == 1:
        # One parabola alone agrees with itself; the straight line is the other opinion.
        curves.append([inside, outside])
    found = [_polynomial_crossing(x, delta, level, nodes) for nodes in curves]
    return (ONE_SIDED if is_one_sided else TWO_SIDED) * max(abs(crossing - curve) for crossing in found)


def _present(delta: Array, nodes: list[int]) -> list[int]:
    return [node for node in nodes if 0 <= node < len(delta) and np.isfinite(delta[node])]


def _polynomial_crossing(x: Array, delta: Array, level: float, nodes: list[int]) -> float:
    """Find the crossing, between the first two nodes, of the polynomial through all of them."""
    polynomial = np.polynomial.Polynomial.fit(x[nodes], delta[nodes], len(nodes) - 1)
    return _crossing(lambda at: float(polynomial(at)), x[nodes[0]], x[nodes[1]], level)


def _crossing(curve: Callable[[float], float], inside: float, outside: float, level: float) -> float:
    for _ in range(BISECTIONS):
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if curve(middle) <= level else (inside, middle)
    return float((inside + outside) / 2)
