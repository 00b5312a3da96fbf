"""Toys in rounds, and their tally: p-values by counts with the binomial interval of Clopper and Pearson."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from math import lgamma
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from hpcscan.answer.held_fits import Compute
from hpcscan.arrays import Array, BoolArray, IntArray
from hpcscan.toys.toy_fits import BLOCK, Blocks, Statistics

#: Halvings of a probability: all that a double can tell.
HALVINGS = 60
#: Terms of the continued fraction, and what ends it.
MOST_TERMS, SMALL = 10_000, 3e-16
TINY = 1e-300

#: A place is done where Clopper and Pearson's interval of this confidence holds no level: over all looks 95 % is left.
CONFIDENCE = 0.995
#: Ends are quoted at one standard deviation.
ONE_SIGMA = 0.6827
#: More than this share of failed toys, or of those that rest on an end of the range, and there is no p.
MOST_FAILED = MOST_AT_END = 0.01
#: So many of the first toys of a place, a block at most, are fitted from random places, too; all others where one came
#: out lower.
N_CHECKED = 25

#: Makes toys and fits them.
Make = Callable[[Blocks], Statistics]

_log_gamma = np.frompyfunc(lgamma, 1, 1)


def at_least(k: ArrayLike, n: ArrayLike, p: ArrayLike) -> Array:
    """Compute P(X ≥ k) of a binomial distribution: I_p(k, n − k + 1)."""
    k, n, p = (np.asarray(one, float) for one in (k, n, p))
    k, n, p = np.broadcast_arrays(k, n, p)
    inside = (k > 0) & (k <= n)
    # A legal pair stands where the answer is known without it.
    value = _incomplete_beta(np.where(inside, k, 1.0), np.where(inside, n - k + 1, 1.0), p)
    result: Array = np.where(inside, value, np.where(k <= 0, 1.0, 0.0))
    return result


def at_most(k: ArrayLike, n: ArrayLike, p: ArrayLike) -> Array:
    """Compute P(X ≤ k): the same of what is left."""
    k, n, p = (np.asarray(one, float) for one in (k, n, p))
    return at_least(n - k, n, 1 - p)


def clopper_pearson(k: ArrayLike, n: ArrayLike, cl: float) -> tuple[Array, Array]:
    """Return the ends between which a probability lies of which k of n trials were seen, at least at this confidence.

    C. J. Clopper, E. S. Pearson, Biometrika 26, 404 (1934).
    """
    # Each end leaves half of what is left: the smallest p with P(X ≥ k) above it, the largest with P(X ≤ k).
    outside = (1 - cl) / 2
    k, n = np.broadcast_arrays(np.asarray(k, float), np.asarray(n, float))
    lower = _bisect(lambda p: at_least(k, n, p) > outside, k.shape)
    upper = _bisect(lambda p: at_most(k, n, p) <= outside, k.shape)
    return np.where(k <= 0, 0.0, lower), np.where(k >= n, 1.0, upper)


def _bisect(is_above: Callable[[Array], BoolArray], shape: tuple[int, ...]) -> Array:
    low, high = np.zeros(shape), np.ones(shape)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        above = is_above(middle)
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    result: Array = (low + high) / 2
    return result


def _incomplete_beta(a: Array, b: Array, x: Array) -> Array:
    """Compute I_x(a, b) by its continued fraction, from the side on which that converges."""
    # I_x(a, b) = 1 − I_{1−x}(b, a): the fraction converges quickly on one of the two sides.
    swaps = x > (a + 1) / (a + b + 2)
    first, second, at = np.where(swaps, b, a), np.where(swaps, a, b), np.where(swaps, 1 - x, x)
    with np.errstate(divide="ignore"):
        log_front = first * np.log(at) + second * np.log1p(-at)
    gammas = _log_gamma(first + second) - _log_gamma(first) - _log_gamma(second)
    value = np.exp(log_front + np.asarray(gammas, float)) / first / _fraction(first, second, at)
    value = np.where(at <= 0, 0.0, value)
    return np.where(swaps, 1 - value, value)


def _fraction(a: Array, b: Array, x: Array) -> Array:
    """Evaluate the fraction 1 + d₁/(1 + d₂/(1 + …)) by Lentz's method (DLMF 8.17.22)."""
    value, c, d = np.ones_like(x), np.ones_like(x), np.zeros_like(x)
    for term in range(1, MOST_TERMS):
        m = term // 2
        if term % 2:
            step = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            step = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d = 1 / _not_zero(1 + step * d)
        c = _not_zero(1 + step / c)
        value = value * c * d
        if np.all(np.abs(c * d - 1) < SMALL):
            break
    return value


def _not_zero(values: Array) -> Array:
    return np.where(np.abs(values) < TINY, TINY, values)


@dataclass(frozen=True)
class Places:
    """n places at which toys are made.

    Attributes
    ----------
    number : int array, shape (n,)
    z : array, shape (n, n_coordinates)
    t : array, shape (n,)
        What the data have there.
    is_held : bool
        Whether the scanned parameters are held there.
    is_checked : bool
        Whether the first toys are fitted from random places, too.
    """

    number: IntArray
    z: Array
    t: Array
    is_held: bool = True
    is_checked: bool = True

    def __len__(self) -> int:
        return len(self.number)


@dataclass(frozen=True)
class Rounds:
    """How many toys are made.

    Attributes
    ----------
    n_toys : int
        At a place, at most; in blocks.
    cl : tuple of float
        Confidence levels to decide upon.
    is_adaptive : bool
        Whether a place may stop early.
    tie : float
        Values of t so near are equal.
    """

    n_toys: int
    cl: tuple[float, ...]
    is_adaptive: bool
    tie: float

    @property
    def n_blocks(self) -> int:
        """Blocks at a place, at most."""
        return -(-self.n_toys // BLOCK)


@dataclass
class ToyTally:
    """What is known of the toys at n places.

    Attributes
    ----------
    t : list of array, shape (n_toys,)
        NaN of those that failed.
    n_negative, n_lower, n_at_end : int array, shape (n,)
    """

    places: Places
    tie: float
    t: list[Array] = field(default_factory=list)
    n_negative: IntArray = field(init=False)
    n_lower: IntArray = field(init=False)
    n_at_end: IntArray = field(init=False)

    def __post_init__(self) -> None:
        self.t = [np.empty(0) for _ in range(len(self.places))]
        self.n_negative, self.n_lower, self.n_at_end = (np.zeros(len(self.places), np.int64) for _ in range(3))

    def add(self, rows: IntArray, n_blocks: int, found: Statistics) -> None:
        """Add the same number of blocks to some places, those of a place in succession."""
        values = found.t.reshape(len(rows), n_blocks * BLOCK)
        for row, more in zip(rows.tolist(), values, strict=True):
            self.t[row] = np.concatenate([self.t[row], more])
        for name in ("n_negative", "n_lower", "n_at_end"):
            getattr(self, name)[rows] += getattr(found, name).reshape(len(rows), n_blocks).sum(axis=1)

    def put(self, rows: IntArray, part: ToyTally) -> None:
        """Take what is known of some places from another tally."""
        for row, t in zip(rows.tolist(), part.t, strict=True):
            self.t[row] = t
        for name in ("n_negative", "n_lower", "n_at_end"):
            getattr(self, name)[rows] = getattr(part, name)

    @property
    def n_toys(self) -> IntArray:
        """Toys at each place."""
        return np.array([len(t) for t in self.t], np.int64)

    @property
    def n_failed(self) -> IntArray:
        """Those that failed."""
        return np.array([np.count_nonzero(np.isnan(t)) for t in self.t], np.int64)

    @property
    def n_as_large(self) -> IntArray:
        """Those at least as large as the data; ties are."""
        observed = self.places.t - self.tie
        return np.array([np.count_nonzero(t >= o) for t, o in zip(self.t, observed, strict=True)], np.int64)

    @property
    def has_p(self) -> BoolArray:
        """Whether p may be told."""
        some = np.maximum(self.n_toys, 1)
        has_p: BoolArray = (self.n_toys > 0) & np.isfinite(self.places.t) & (self.n_failed <= MOST_FAILED * some)
        return has_p & ~self.is_open_ended

    @property
    def is_open_ended(self) -> BoolArray:
        """Whether the end of a grid is felt by the toys."""
        is_open: BoolArray = self.n_at_end > MOST_AT_END * np.maximum(self.n_toys, 1)
        return is_open

    @property
    def is_hopeless(self) -> BoolArray:
        """Whether there will be no p, however many toys are made."""
        outside, most = (1 - CONFIDENCE) / 2, np.maximum(self.n_failed, self.n_at_end)
        # By a test of the share of failures: it lies above what is allowed, surely.
        is_hopeless: BoolArray = at_least(most, np.maximum(self.n_toys, 1), max(MOST_FAILED, MOST_AT_END)) < outside
        return is_hopeless

    @property
    def p_value(self) -> Array:
        """(k + 1)/(n + 1); NaN where it may not be told."""
        p = (self.n_as_large + 1) / (self.n_toys - self.n_failed + 1)
        return np.where(self.has_p, p, np.nan)

    @property
    def p_ends(self) -> tuple[Array, Array]:
        """Ends of p, with the failed toys on either side."""
        n, k = np.maximum(self.n_toys, 1), self.n_as_large
        lower, upper = clopper_pearson(k, n, ONE_SIGMA)[0], clopper_pearson(k + self.n_failed, n, ONE_SIGMA)[1]
        return np.where(self.has_p, lower, np.nan), np.where(self.has_p, upper, np.nan)

    def is_decided(self, cl: tuple[float, ...]) -> BoolArray:
        """Mark the places at which no level is possible any more."""
        n, k, outside = self.n_toys, self.n_as_large, (1 - CONFIDENCE) / 2
        is_decided: BoolArray = np.ones(len(self.places), bool)
        for level in cl:
            is_above = at_least(k, n, 1 - level) < outside
            is_below = at_most(k + self.n_failed, n, 1 - level) < outside
            is_decided &= is_above | is_below
        return is_decided

    def critical(self, cl: float) -> tuple[Array, Array, Array]:
        """Return the value of t below which this share of the toys lies, and its ends; NaN where it is not known.

        The ends are those of the order statistics: the quantile lies between the k-th values for which k is within
        one standard deviation of what is expected.
        """
        value, lower, upper = (np.full(len(self.places), np.nan) for _ in range(3))
        for row in np.flatnonzero(self.has_p).tolist():
            t = np.sort(self.t[row][np.isfinite(self.t[row])])
            n, spread = len(t), float(np.sqrt(len(t) * cl * (1 - cl)))
            value[row] = t[min(max(int(np.ceil(n * cl)), 1), n) - 1]
            low, high = int(np.floor(n * cl - spread)), int(np.ceil(n * cl + spread))
            lower[row] = t[low - 1] if low >= 1 else 0.0
            upper[row] = t[high - 1] if high <= n else np.inf
        return value, lower, upper


@dataclass
class Counted:
    """Makes toys, and counts them for what they are used."""

    make: Make
    n_toys: int = 0

    def __call__(self, blocks: Blocks) -> Statistics:
        """Make some blocks."""
        self.n_toys += BLOCK * len(blocks)
        return self.make(blocks)

    def taken(self) -> int:
        """Return how many there were since this was asked last."""
        n, self.n_toys = self.n_toys, 0
        return n


@dataclass(frozen=True)
class Toymaker:
    """By what toys are made, and how many.

    Attributes
    ----------
    compute : callable
        Does fits to data.
    make : callable
        Makes and fits blocks of toys.
    numbers : iterator of int
        For places between the points of the grid.
    """

    rounds: Rounds
    compute: Compute
    make: Make
    numbers: Iterator[int]

    def numbered(self, n: int) -> IntArray:
        """Return the numbers of the next n places."""
        return np.array([next(self.numbers) for _ in range(n)], np.int64)

    def toys_at(self, places: Places, **changes: Any) -> ToyTally:
        """Make toys at places; with changes to the rounds."""
        return make_rounds(places, replace(self.rounds, **changes), self.make)


def make_rounds(places: Places, rounds: Rounds, make: Make) -> ToyTally:
    """Make toys at places, the first block, then as many again and again; a place that is decided gets no more.

    Whether a place is decided follows from its complete rounds alone.
    """
    tally, done = ToyTally(places, rounds.tie), 0
    is_open = np.isfinite(places.t)
    n_random = np.full(len(places), N_CHECKED if places.is_checked else 0)
    while done < rounds.n_blocks and is_open.any():
        # The toys double with every round: few looks share the error that they may make together.
        size, rows = min(max(done, 1), rounds.n_blocks - done), np.flatnonzero(is_open)
        if not rounds.is_adaptive and done:
            size = rounds.n_blocks - done
        tally.add(rows, size, make(_blocks(places, rows, np.arange(done, done + size), n_random)))
        if not done:
            n_random = np.where(tally.n_lower > 0, BLOCK, 0)
        done += size
        if rounds.is_adaptive:
            is_open &= ~(tally.is_decided(rounds.cl) & tally.has_p)
        is_open &= ~tally.is_hopeless
    return tally


def _blocks(places: Places, rows: IntArray, numbers: IntArray, n_random: IntArray) -> Blocks:
    n = len(numbers)
    return Blocks(
        z=np.repeat(places.z[rows], n, axis=0),
        place=np.repeat(places.number[rows], n),
        number=np.tile(numbers, len(rows)),
        is_held=np.full(len(rows) * n, places.is_held),
        n_random=np.repeat(n_random[rows], n),
    )
