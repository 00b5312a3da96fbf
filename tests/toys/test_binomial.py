"""Binomial tails and Clopper and Pearson's ends are those of scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import beta, binom

from hpcscan.toys.rounds import at_least, at_most, clopper_pearson

N = np.array([1, 10, 100, 1000, 10000])


@pytest.mark.parametrize("share", [0.0, 0.003, 0.05, 0.5, 0.97, 1.0])
@pytest.mark.parametrize("p", [1e-4, 0.0455, 0.3173, 0.9])
def test_tails(share, p):
    k = np.rint(share * N)
    assert at_least(k, N, p) == pytest.approx(binom.sf(k - 1, N, p), rel=1e-9, abs=1e-300)
    assert at_most(k, N, p) == pytest.approx(binom.cdf(k, N, p), rel=1e-9, abs=1e-300)


@pytest.mark.parametrize("cl", [0.6827, 0.95, 0.995])
def test_ends(cl):
    n = np.repeat(N, 4)
    k = np.concatenate([[0, m // 20, m - 1, m] for m in N])
    lower, upper = clopper_pearson(k, n, cl)
    outside = (1 - cl) / 2
    assert lower == pytest.approx(np.nan_to_num(beta.ppf(outside, k, n - k + 1)), abs=1e-12)
    assert upper == pytest.approx(np.where(k < n, beta.ppf(1 - outside, k + 1, np.maximum(n - k, 1)), 1), abs=1e-12)
