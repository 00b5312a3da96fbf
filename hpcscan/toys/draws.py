"""The data of toys: every toy has a random stream of its own, the same at every place.

So toys move continuously with the place where they are made, and errors of neighbours are alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from math import erfc, exp, floor, lgamma, log, sqrt

import numpy as np

from hpcscan.arrays import Array
from hpcscan.fitting.starts import Words, generators
from hpcscan.model.problem import CONSTRAINT, Observable, Problem

#: In the keys of streams, so that no toy has that of a grid point: for their data, starts, and what a model draws.
TOYS, STARTS, DATA = 0x746F7973, 0x74737472, 0x74646174
#: Expectations above this have counts by Cornish and Fisher's expansion, off by less than 1e-3 of a count there.
LARGE = 1e6
#: Standard deviations, and counts besides, over which a table of probabilities reaches.
REACH, MORE = 9.0, 40

_erfc = np.frompyfunc(erfc, 1, 1)


@lru_cache(maxsize=128)
def normals(seed: int, first: int, n: int, size: int) -> Array:
    """Draw standard normal numbers for the toys [first, first + n): shape (n, size); read-only."""
    drawn = np.empty((n, size))
    for row, generator in zip(drawn, generators(seed, _keys(TOYS, first, n)), strict=True):
        generator.standard_normal(out=row)
    drawn.flags.writeable = False
    return drawn


@lru_cache(maxsize=8)
def uniforms(seed: int, first: int, n: int, shape: tuple[int, ...]) -> Array:
    """Draw numbers between 0 and 1 for the starts of the same toys: shape (n, *shape); read-only."""
    drawn = np.empty((n, *shape))
    for row, generator in zip(drawn, generators(seed, _keys(STARTS, first, n)), strict=True):
        generator.random(out=row)
    drawn.flags.writeable = False
    return drawn


def streams(seed: int, first: int, n: int) -> Iterator[np.random.Generator]:
    """Return what a model draws from for the same toys, one after the other."""
    return generators(seed, _keys(DATA, first, n))


def _keys(about: int, first: int, n: int) -> Words:
    number = np.arange(first, first + n, dtype=np.uint64)
    return np.stack([np.full(n, about, np.uint32), number.astype(np.uint32), (number >> 32).astype(np.uint32)], axis=1)


class Draw:
    """Turns expectations and standard normal numbers into the data of toys.

    Parameters
    ----------
    observed : array, shape (n_observables,)
        The first of all data; those that a scalar model draws come after them.
    constraints_fluctuate : bool
        Else they stay where the data have them.
    """

    def __init__(self, problem: Problem, observed: Array, *, constraints_fluctuate: bool = True) -> None:
        self._sigma = np.array([o.sigma for o in problem.observables], float)
        self._observed = observed
        self._roots = {first: np.linalg.cholesky((v + v.T) / 2) for first, v in problem.covariances.items()}
        self._counts = np.flatnonzero([o.kind == "poisson" for o in problem.observables])
        is_kept = [is_constraint(o) and not constraints_fluctuate for o in problem.observables]
        self._kept = np.flatnonzero(is_kept)

    def __call__(self, expected: Array, z: Array) -> Array:
        """Draw data.

        Parameters
        ----------
        expected : array, shape (n_places, n_observables)
            Scaled predictions.
        z : array, shape (n_toys, n_observables)

        Returns
        -------
        array, shape (n_places, n_toys, n_observables)
            NaN where an expectation is no expectation of counts.
        """
        # Normal errors: y = f + σ z, or f + L z with V = L Lᵀ.
        with np.errstate(invalid="ignore"):
            data = expected[:, None] + self._sigma * z
        for first, root in self._roots.items():
            place = slice(first, first + len(root))
            data[:, :, place] = expected[:, None, place] + np.einsum("tj,ij->ti", z[:, place], root)
        if len(self._counts):
            # Counts by their quantile at Φ(z): they move with the expectation, and jump as late as they can.
            u = 0.5 * np.asarray(_erfc(-z[:, self._counts] / sqrt(2)), float)
            for column, k in enumerate(self._counts.tolist()):
                for row, mu in enumerate(expected[:, k].tolist()):
                    data[row, :, k] = counts(mu, u[:, column], z[:, k])
        data[:, :, self._kept] = self._observed[self._kept]
        return data


def counts(mu: float, u: Array, z: Array) -> Array:
    """Return the quantiles u = Φ(z) of a Poisson distribution, shape (n,)."""
    if not mu >= 0:
        return np.full(len(u), np.nan)
    if mu == 0:
        return np.zeros(len(u))
    if mu > LARGE:
        return np.asarray(np.rint(mu + sqrt(mu) * z + (z * z - 1) / 6))
    lowest = max(0, floor(mu - REACH * sqrt(mu)))
    n = np.arange(lowest, floor(mu + REACH * sqrt(mu)) + MORE)
    steps = np.concatenate([[0.0], np.log(n[1:])])
    probability = np.exp(n * log(mu) - mu - lgamma(lowest + 1) - np.cumsum(steps)) if mu > exp(-700) else n == 0
    return np.asarray(lowest + np.searchsorted(np.cumsum(probability), u), float)


def is_constraint(observable: Observable) -> bool:
    """Whether it is the constraint of a parameter."""
    return observable.name.startswith(CONSTRAINT)
