"""Counts: what the deviance of a Poisson term is at least, as a square of which the proof knows how to bound sums.

    D(μ) = 2 (μ − n + n ln(n/μ)) for μ > 0,    2 μ for n = 0,    ∞ for μ < 0

On a range of μ every row is replaced by s² (μ − y)² + c ≤ D(μ) with numbers s, y, c of its own. Where n > 0, s² is
half of the least curvature there, and both touch at m: D − s² (μ − y)² is convex and thus above its tangent. Where
n = 0, D is a straight line: the parabola is below it between its ends, by s² (width/2)² at most in the middle. Both
errors vanish with the width, in the second or third order; s and y are any numbers, and only c has to be rigorous.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hpcscan.arrays import Array, BoolArray
from hpcscan.proof.intervals import ULP, Pair

#: What a parabola may be below a straight line; and the least and the largest curvature that it is given.
SAG, LEAST_CURVATURE, LARGEST_CURVATURE = 1e-4, 1e-6, 1.0
#: A parabola touches at no less than this share of the end of the range, or its minimum would be far below.
LEAST_SHARE = 1 / 16
#: Ranges up to here are replaced; squares are finite.
LARGEST = 1e100


@dataclass(frozen=True, eq=False)
class Parabola:
    """s² (μ − y)² + c, not above the deviance anywhere in a range.

    Attributes
    ----------
    factor, target : array
        s and s y.
    constant : array
        c.
    loss : array
        By how much the curvature in the middle, or what the parabola may err by, exceeds its own curvature, relative
        to that: an estimate.
    is_valid : bool array
        Whether there is one; the range is neither endless nor wholly outside.
    """

    factor: Array
    target: Array
    constant: Array
    loss: Array
    is_valid: BoolArray


def deviance(expected: Array, counts: Array) -> Array:
    """Compute D, in floating point."""
    with np.errstate(all="ignore"):
        # With x = μ/n − 1 it is 2 n (x − ln(1 + x)), which does not cancel where μ is near n.
        excess = (expected - counts) / counts
        logarithm = np.where(np.abs(excess) < 0.5, np.log1p(excess), np.log(expected / counts))
        value = np.where(counts > 0, 2 * counts * (excess - logarithm), 2 * expected)
    is_legal = (expected > 0) | ((expected == 0) & (counts == 0))
    return np.where(is_legal, np.maximum(value, 0.0), np.inf)


def least_deviance(lower: Array, upper: Array, counts: Array) -> Array:
    """Bound D from below over ranges of μ: it falls to n and rises from there."""
    nearest = np.maximum(np.minimum(np.maximum(lower, counts), upper), 0.0)
    least = np.where((nearest == 0) & (counts > 0), np.inf, lowered_deviance(nearest, counts))
    return np.asarray(np.fmax(least, 0.0))


def is_impossible(upper: Array, counts: Array) -> BoolArray:
    """Whether D is infinite over a whole range, by its upper end."""
    return np.asarray((upper < 0) | ((upper <= 0) & (counts > 0)))


def parabola(span: Pair, middle: Array, counts: Array) -> Parabola:
    """Replace the deviance of counts over ranges of μ.

    Parameters
    ----------
    span : pair of arrays
        No μ is outside.
    middle : array
        Where both should touch: the prediction in the middle of the box.
    counts : array
    """
    with np.errstate(all="ignore"):
        upper = span[1]
        is_valid = (upper > 0) & (upper < LARGEST) & np.isfinite(middle)
        upper = np.where(is_valid, upper, 1.0)
        lower = np.where(is_valid, np.minimum(np.maximum(span[0], 0.0), upper), 1.0)
        touching = _touching((lower, upper), np.where(is_valid, middle, 1.0), counts)
        between = _below_a_line((lower, upper))
        is_empty = counts == 0
        factor, target, constant, loss = (np.where(is_empty, b, t) for b, t in zip(between, touching, strict=True))
    return Parabola(factor, target, constant, loss, is_valid & np.isfinite(constant + factor + target))


def _touching(span: Pair, middle: Array, counts: Array) -> tuple[Array, ...]:
    """Return s, s y, c and the loss of curvature for n > 0."""
    lower, upper = span
    n = np.where(counts > 0, counts, 1.0)
    m = np.minimum(np.maximum(middle, np.maximum(lower, LEAST_SHARE * upper)), upper)
    # s² ≤ n/μ² in the whole range; two roundings.
    s = np.sqrt(n) / upper * (1 - 4 * ULP)
    y = m - (1 - n / m) / (s * s)
    apart = m - y
    square = (s * apart) ** 2
    slope = np.abs(2 * ((1 - n / m) - s * s * apart)) + 16 * ULP * (1 + n / m + s * s * np.abs(apart))
    tilt = slope * np.maximum(upper - m, m - lower) * (1 + 8 * ULP)
    return (
        s,
        s * y,
        lowered_deviance(m, n) - square - tilt - 16 * ULP * (square + tilt + np.abs(lowered_deviance(m, n))),
        n / (m * s) ** 2 - 1,
    )


def _below_a_line(span: Pair) -> tuple[Array, ...]:
    """Return the same for n = 0: 2 μ − s² (μ − y)² is concave, and least at an end."""
    lower, upper = span
    width = np.maximum(upper - lower, 1e-150)
    curvature = np.clip(SAG / width**2, LEAST_CURVATURE, LARGEST_CURVATURE)
    s = np.sqrt(curvature)
    y = 0.5 * (lower + upper) - 1 / curvature
    squares = [(s * (end - y)) ** 2 for end in span]
    ends = [2 * end - q - 16 * ULP * (2 * end + q) for end, q in zip(span, squares, strict=True)]
    return s, s * y, np.minimum(*ends), np.ones_like(s)


def lowered_deviance(expected: Array, counts: Array) -> Array:
    """Bound D(μ) from below: its terms are rounded a few times, and the logarithm by 4 units at most."""
    with np.errstate(all="ignore"):
        ratio = np.where(counts > 0, counts, 1.0) / expected
        term = np.where(counts > 0, counts * np.log(ratio), 0.0)
    size = expected + counts + np.abs(term)
    return np.asarray(2 * (expected - counts + term) - 16 * ULP * size)
