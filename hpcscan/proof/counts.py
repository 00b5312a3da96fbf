"""Counts: what the deviance of a Poisson term is at least, as a square of which the proof knows how to bound sums.

    D(μ) = 2 (μ − n + n ln(n/μ)) for μ > 0,    2 μ for n = 0,    ∞ for μ < 0

On a range of μ every row is replaced by s² (μ − y)² + c ≤ D(μ) with numbers s, y, c of its own. Where n > 0, s² is
half of the least curvature there, and both touch at m: D − s² (μ − y)² is convex and thus above its tangent. Where
n = 0, D is a straight line: the parabola is below it between its ends, by s² (width/2)² at most in the middle. Both
errors vanish with the width, in the second or third order; s and y are any numbers, and only c has to be rigorous.

Factors of single data: a constrained parameter that multiplies one prediction alone is minimised out in closed form.

With ν the prediction for t = 1, the datum and the constraint of its factor t together are

    L(ν) = min over t of  D(t ν) + ((t − t₀)/δ)²    (D the deviance of counts, or (t ν − y)² in units of σ)

in t_low ≤ t ≤ t_high, where t_low ≥ 0. By the envelope theorem L′ = ∂D/∂ν at the best t. L falls to ν = y/t₀ and rises
from there. Its curvature is

    L″ = 2 n/ν² − 2 δ² t²/(t² + n δ²)    (counts),    L″ = 2 t² − 2 δ² (2 t ν − y)²/(1 + δ² ν²)    (values)

and without the second term where t rests on a bound. On a range of ν every L is replaced by a parabola that is below
it, as the deviance is in `proof.counts`. Without any counts L is a minimum of straight lines, and thus concave.

Barlow and Beeston, Comput. Phys. Commun. 77 (1993) 219; Conway, arXiv:1103.0354.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from hpcscan.arrays import Array, BoolArray, IntArray
from hpcscan.proof.intervals import ULP, Pair

#: What a parabola may be below a straight line; and the least and the largest curvature that it is given.
SAG, LEAST_CURVATURE, LARGEST_CURVATURE = 1e-4, 1e-6, 1.0
#: A parabola touches at no less than this share of the end of the range, or its minimum would be far below.
LEAST_SHARE = 1 / 16
#: Ranges up to here are replaced; squares are finite.
LARGEST = 1e100

#: The least curvature over a range is that of so many pieces of it.
PIECES = 16


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


@dataclass(frozen=True, eq=False)
class Factors:
    """The factors of k data; predictions ν have shape (..., k).

    Attributes
    ----------
    parameter, row : array of int, shape (k,)
        Index of the free parameter, and place of its datum.
    reference : array, shape (k,)
        Its value for t = 1.
    mean, sigma : array, shape (k,)
        t₀ and δ.
    lower, upper : array, shape (k,)
        Bounds of t, no narrower than those of the parameter.
    target : array, shape (k,)
        n, or y in units of σ.
    is_count : bool array, shape (k,)
    """

    parameter: IntArray
    row: IntArray
    reference: Array
    mean: Array
    sigma: Array
    lower: Array
    upper: Array
    target: Array
    is_count: BoolArray

    def best(self, expected: Array) -> Array:
        """Return the best t, in floating point."""
        with np.errstate(all="ignore"):
            variance = self.sigma**2
            b = self.mean - expected * variance
            root = np.sqrt(b * b + 4 * self.target * variance)
            # The positive root of t² − b t = n δ², without cancellation.
            counted = np.where(b > 0, 0.5 * (b + root), 2 * self.target * variance / np.where(b > 0, 1.0, root - b))
            valued = (self.mean + variance * expected * self.target) / (1 + variance * expected**2)
            t = np.where(self.is_count, np.where((self.target == 0) | np.isnan(counted), b, counted), valued)
        return np.asarray(np.clip(np.where(np.isnan(t), self.mean, t), self.lower, self.upper))

    def loss(self, expected: Array) -> Array:
        """Compute L in floating point."""
        t = self.best(expected)
        with np.errstate(all="ignore"):
            datum = np.where(self.is_count, deviance(t * expected, self.target), (t * expected - self.target) ** 2)
            return np.asarray(datum + ((t - self.mean) / self.sigma) ** 2)

    def slope(self, expected: Array) -> Array:
        """Compute L′ in floating point."""
        t = self.best(expected)
        with np.errstate(all="ignore"):
            counted = 2 * (t - np.where(self.target > 0, self.target / expected, 0.0))
        return np.where(self.is_count, counted, 2 * t * (t * expected - self.target))

    def weight(self, expected: Array) -> Array:
        """Compute the inverse standard deviation of data in a step, from both errors."""
        positive, relative = np.maximum(expected, 1e-3), self.sigma / np.where(self.mean > 0, self.mean, 1.0)
        counted = 1 / np.sqrt(positive + (relative * positive) ** 2)
        return np.where(self.is_count, counted, 1 / np.sqrt(1 + (relative * expected) ** 2))

    def least(self, span: Pair) -> Array:
        """Bound L from below over ranges of ν."""
        with np.errstate(all="ignore"):
            lowest = self.target / np.clip(self.mean, self.lower, self.upper)
            lowest = np.where(np.isfinite(lowest), lowest, np.where(lowest > 0, span[1], span[0]))
            nearest = np.minimum(np.maximum(span[0], lowest), span[1])
            least = self._lowered(np.where(self.is_count, np.maximum(nearest, 0.0), nearest))[0]
            least = np.where(self.is_count & (nearest <= 0) & (self.target > 0), np.inf, least)
        return np.asarray(np.fmax(least, 0.0))

    def parabola(self, span: Pair, middle: Array) -> Parabola:
        """Replace L over ranges of ν by s² (ν − y)² + c ≤ L, which touches it at `middle`."""
        with np.errstate(all="ignore"):
            width = span[1] - span[0]
            is_valid = (
                np.isfinite(middle) & np.isfinite(width) & (np.maximum(np.abs(span[0]), np.abs(span[1])) < LARGEST)
            )
            is_valid &= ~self.is_count | (span[1] > 0)
            upper = np.where(is_valid, span[1], 1.0)
            lower = np.where(
                is_valid, np.minimum(np.where(self.is_count, np.maximum(span[0], 0.0), span[0]), upper), 1.0
            )
            is_empty = self.is_count & (self.target == 0)
            touching = self._touching((lower, upper), np.where(is_valid, middle, 1.0))
            between = self._between((lower, upper))
            factor, target, constant, loss = (np.where(is_empty, b, t) for b, t in zip(between, touching, strict=True))
        return Parabola(factor, target, constant, loss, is_valid & np.isfinite(constant + factor + target))

    def _touching(self, span: Pair, middle: Array) -> tuple[Array, ...]:
        """Return s, s y, c and the loss of curvature."""
        lower, upper = span
        least = np.where(self.is_count, np.maximum(lower, LEAST_SHARE * upper), lower)
        m = np.minimum(np.maximum(middle, least), upper)
        value, slope, error = self._lowered(m)
        curvature = self._least_curvature(span)
        width = np.maximum(upper - lower, 1e-150)
        flat = np.clip(SAG / width**2, LEAST_CURVATURE, LARGEST_CURVATURE)
        square = np.where(curvature > 2 * LEAST_CURVATURE * SAG, 0.5 * curvature, flat)
        s = np.sqrt(square) * (1 - 4 * ULP)
        y = m - 0.5 * slope / (s * s)
        apart = m - y
        bent = (s * apart) ** 2
        # What is left of the slope, with its rounding, and of a curvature that is not enough.
        tilt = np.abs(slope - 2 * s * s * apart) + error + 16 * ULP * (np.abs(slope) + s * s * np.abs(apart))
        reach = np.maximum(upper - m, m - lower) * (1 + 4 * ULP)
        short = 0.5 * np.maximum(2 * s * s - curvature, 0.0) * reach**2
        lost = (tilt * reach + short) * (1 + 8 * ULP)
        constant = value - bent - lost - 16 * ULP * (bent + lost + np.abs(value))
        here = self._least_curvature((m, m))
        return (
            s,
            s * y,
            constant,
            np.maximum(0.5 * here / (s * s) - 1, (curvature <= 2 * s * s) * short / (SAG + short)),
        )

    def _between(self, span: Pair) -> tuple[Array, ...]:
        """Return the same for what is concave: its difference from a parabola is least at an end."""
        lower, upper = span
        width = np.maximum(upper - lower, 1e-150)
        curvature = np.clip(SAG / width**2, LEAST_CURVATURE, LARGEST_CURVATURE)
        s = np.sqrt(curvature)
        values = [self._lowered(end)[0] for end in span]
        chord = np.where(upper > lower, (values[1] - values[0]) / width, self.slope(lower))
        y = 0.5 * (lower + upper) - 0.5 * np.where(np.isfinite(chord), chord, 0.0) / curvature
        squares = [(s * (end - y)) ** 2 for end in span]
        ends = [value - q - 16 * ULP * (np.abs(value) + q) for value, q in zip(values, squares, strict=True)]
        return s, s * y, np.minimum(*ends), np.ones_like(s)

    def _lowered(self, expected: Array) -> tuple[Array, Array, Array]:
        """Bound L from below; give L′ and what it may err by.

        What is minimised over t has a curvature of 2/δ² at least: so where its slope is g, the minimum is lower by
        g² δ²/4 at most, and t is off by g δ²/2. On a bound only a slope that leads back inside counts.
        """
        n, variance = self.target, self.sigma**2
        t = self.best(expected)
        mu = t * expected
        if_count = 2 * expected - np.where(n > 0, 2 * n / t, 0.0), 2 * expected + np.where(n > 0, 2 * n / t, 0.0)
        if_value = 2 * expected * (mu - n), 2 * np.abs(expected) * (np.abs(mu) + np.abs(n))
        by_datum, size = (np.where(self.is_count, c, v) for c, v in zip(if_count, if_value, strict=True))
        gradient = by_datum + 2 * (t - self.mean) / variance
        rounding = 16 * ULP * (size + 2 * (t + np.abs(self.mean)) / variance)
        slack = np.where(t <= self.lower, -gradient, np.where(t >= self.upper, gradient, np.abs(gradient)))
        slack = np.maximum(slack + rounding, 0.0)
        pull = np.abs(t - self.mean) / self.sigma
        pull = np.maximum(pull - 8 * ULP * (t + np.abs(self.mean)) / self.sigma, 0.0)
        distance = np.maximum(np.abs(mu - n) - 8 * ULP * (np.abs(mu) + np.abs(n)), 0.0)
        datum = np.where(self.is_count, lowered_deviance(mu, n), distance**2)
        value = (datum + pull**2) * (1 - 8 * ULP) - 8 * ULP * np.abs(datum) - 0.25 * slack**2 * variance * (1 + 8 * ULP)
        off = 0.5 * slack * variance
        error = 2 * off, 2 * off * (2 * t * np.abs(expected) + np.abs(n) + off * np.abs(expected))
        slope = self.slope(expected)
        parts = np.where(
            self.is_count, 2 * t + np.where(n > 0, 2 * n / expected, 0.0), 2 * t * (np.abs(mu) + np.abs(n))
        )
        return value, slope, np.where(self.is_count, *error) + 16 * ULP * parts

    def _least_curvature(self, span: Pair) -> Array:
        """Bound L″ from below over ranges, piece by piece; t falls with ν for counts."""
        lower, width = span[0], span[1] - span[0]
        share = np.linspace(0.0, 1.0, PIECES + 1)
        edges = [np.minimum(np.maximum(lower + x * width, lower), span[1]) for x in share]
        edges[-1] = span[1]
        pieces = [self._curvature(a, b) for a, b in pairwise(edges)]
        return np.asarray(np.minimum.reduce(pieces))

    def _curvature(self, a: Array, b: Array) -> Array:
        """Bound L″ from below for a ≤ ν ≤ b."""
        n, variance, margin = self.target, self.sigma**2, 64 * ULP
        most = self.best(a) * (1 + margin)
        # t²/(t² + n δ²) rises with t.
        share = np.where(n > 0, most**2 / (most**2 + n * variance), 1.0)
        counted = 2 * n / b**2 * (1 - margin) - 2 * variance * share * (1 + margin)
        # Values: t = (t₀ + δ² y ν)/(1 + δ² ν²) in intervals.
        smallest, largest = np.where((a <= 0) & (b >= 0), 0.0, np.minimum(a * a, b * b)), np.maximum(a * a, b * b)
        top = [self.mean + variance * n * end for end in (a, b)]
        slip = margin * (np.abs(self.mean) + variance * np.abs(n) * np.maximum(np.abs(a), np.abs(b)))
        low, high = np.minimum(*top) - slip, np.maximum(*top) + slip
        below, above = 1 + variance * smallest * (1 - margin), 1 + variance * largest * (1 + margin)
        t_low = np.clip(np.where(low > 0, low / above, low / below) * (1 - margin), self.lower, self.upper)
        t_high = np.clip(np.where(high > 0, high / below, high / above) * (1 + margin), self.lower, self.upper)
        products = [2 * t * nu - n for t in (t_low, t_high) for nu in (a, b)]
        size = np.maximum.reduce([np.abs(p) for p in products])
        size = size + margin * (2 * t_high * np.maximum(np.abs(a), np.abs(b)) + np.abs(n))
        valued = 2 * t_low**2 * (1 - margin) - 2 * variance * size**2 / below * (1 + margin)
        return np.where(self.is_count, np.where(b > 0, counted, -2 * variance), valued)
