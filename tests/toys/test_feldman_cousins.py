"""Intervals of toys are those of Feldman and Cousins, by integration and by sums of their construction.

The references are computed here without toys and without a fit, and held to the numbers of their tables: Phys. Rev. D
57, 3873 (1998). For no count and a background of 3 these have 1.08, because limits were made monotonic in the
background there; the construction itself gives 0.95.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import poisson

from toys.models import BoundedMean, Counting, toys_of


def density(x):
    return np.exp(-0.5 * x * x) / np.sqrt(2 * np.pi)


def mean_interval(x0, cl=0.9):
    """The bounded mean: order by exp(−(x − μ)²/2) / exp(−(x − max(0, x))²/2), integrate over x."""
    x = np.linspace(-8, 14, 11001)
    inside = []
    for mu in np.arange(0, 8, 0.01):
        order = (x - mu) ** 2 - np.where(x < 0, x**2, 0)
        of_data = (x0 - mu) ** 2 - (x0**2 if x0 < 0 else 0)
        inside.append(density(x[order < of_data] - mu).sum() * (x[1] - x[0]) < cl)
    at = np.arange(0, 8, 0.01)[inside]
    return at.min(), at.max()


def count_interval(n, background=3.0, cl=0.9):
    """A count: order by the ratio of likelihoods, and sum."""
    counts = np.arange(80)
    at = np.arange(0, 15, 0.01)
    best = poisson.pmf(counts, np.maximum(counts, background))
    inside = []
    for signal in at:
        pmf = poisson.pmf(counts, signal + background)
        ratio = pmf / best
        inside.append(pmf[ratio > ratio[n] + 1e-12].sum() < cl)
    return at[inside].min(), at[inside].max()


@pytest.mark.parametrize(("x0", "upper"), [(-1, 0.81), (0, 1.64), (1, 2.64), (3, 4.64)])
def test_bounded_mean(x0, upper):
    low, high = mean_interval(x0)
    assert high == pytest.approx(upper, abs=0.015)
    [region] = toys_of(BoundedMean(x0), {"mu": np.linspace(0, 8, 17)}, n_toys=6400).intervals
    assert region.upper.value == pytest.approx(high, abs=3 * region.upper.error)
    assert region.upper.error < 0.03
    if low == 0:
        assert (region.lower.value, region.lower.kind) == (0, "bound")
    else:
        assert region.lower.value == pytest.approx(low, abs=3 * region.lower.error)


@pytest.mark.parametrize(("n", "published"), [(0, (0, 0.95)), (3, (0, 4.42)), (5, (0, 6.99)), (8, (1.51, 10.99))])
def test_count_with_known_background(n, published):
    assert count_interval(n) == pytest.approx(published, abs=0.015)
    [region] = toys_of(Counting(n), {"signal": np.linspace(0, 15, 31)}, n_toys=6400).intervals
    assert region.lower.value == pytest.approx(published[0], abs=max(3 * region.lower.error, 1e-12))
    assert region.upper.value == pytest.approx(published[1], abs=3 * region.upper.error)
    assert max(region.lower.error, region.upper.error) < 0.06
