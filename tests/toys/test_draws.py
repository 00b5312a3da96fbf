"""Data of toys: the distributions that the terms stand for, from streams that belong to the toys."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm, poisson

from hpcscan.model import Gaussian, Model, Parameter, Poisson
from hpcscan.model.posing import pose
from hpcscan.toys.draws import LARGE, TOYS, Draw, counts, normals

COVARIANCE = np.array([[4.0, 1.5, 0.0], [1.5, 1.0, -0.3], [0.0, -0.3, 2.0]])


class Everything(Model):
    parameters = (Parameter("a", 0.0, 9.0), Parameter("b", -1.0, 1.0, constraint=(0.2, 0.1)))
    data = (
        Gaussian("plain", [1.0, 2.0], [0.5, 0.1]),
        Poisson("counts", [3, 0]),
        Gaussian("together", [1.0, 1.0, 1.0], covariance=COVARIANCE),
    )

    def predict(self, a, b):
        raise NotImplementedError


EXPECTED = np.array([[1.0, -2.0, 4.5, 0.2, 10.0, 20.0, 30.0, 0.3]])


def drawn(n=40_000, **options):
    free = pose(Everything(), ()).released()
    observed = np.array([o.observed for o in free.observables])
    return Draw(free, observed, **options)(EXPECTED, normals(1, 0, n, 8))[0]


def test_every_term_fluctuates():
    data, error = drawn(), 1 / np.sqrt(40_000)
    sigma = np.sqrt([0.25, 0.01, 4.5, 0.2, 4, 1, 2, 0.01])
    assert np.abs((data.mean(axis=0) - EXPECTED[0]) / sigma).max() < 4 * error
    assert data.std(axis=0) == pytest.approx(sigma, rel=0.03)
    assert np.cov(data[:, 4:7].T) == pytest.approx(COVARIANCE, abs=0.1)
    assert (data[:, 2:4] == np.rint(data[:, 2:4])).all()


def test_constraints_may_stay():
    """Those that are no measurements stay where the data have them; nothing else changes."""
    data, all_of_it = drawn(100, constraints_fluctuate=False), drawn(100)
    assert (data[:, 7] == 0.2).all()
    assert (data[:, :7] == all_of_it[:, :7]).all()


@pytest.mark.parametrize("mu", [1e-320, 1e-9, 0.3, 3.0, 50.0, 1e4, LARGE])
def test_counts_are_quantiles(mu):
    z = normals(1, 0, 2_000, 1)[:, 0]
    u = norm.cdf(z)
    assert (counts(mu, u, z) == poisson.ppf(u, mu)).all()


def test_large_counts_are_nearly_quantiles():
    z = normals(1, 0, 10_000, 1)[:, 0]
    off = counts(1.5 * LARGE, norm.cdf(z), z) - poisson.ppf(norm.cdf(z), 1.5 * LARGE)
    assert np.abs(off).max() <= 1
    assert np.count_nonzero(off) < 10


def test_what_is_no_expectation_gives_no_counts():
    z = np.array([-1.0, 0.5])
    assert np.isnan(counts(-0.1, norm.cdf(z), z)).all()
    assert np.isnan(counts(np.nan, norm.cdf(z), z)).all()
    assert (counts(0.0, norm.cdf(z), z) == 0).all()


def test_a_toy_has_a_stream_of_its_own():
    """That of numpy with its number as key, whatever is drawn with it."""
    together, apart = normals(7, 0, 300, 5), normals(7, 200, 100, 5)
    assert (together[200:] == apart).all()
    stream = np.random.Generator(np.random.PCG64(np.random.SeedSequence(7, spawn_key=(TOYS, 250, 0))))
    assert (together[250] == stream.standard_normal(5)).all()
    assert not (normals(8, 0, 1, 5) == together[0]).any()
