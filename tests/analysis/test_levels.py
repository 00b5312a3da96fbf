"""Levels and probabilities come from the χ² distribution."""

import numpy as np
import pytest
from scipy.stats import chi2 as distribution
from scipy.stats import norm

from hpcscan.distribution import confidence, delta_chi2_level, largest_pull, survival


@pytest.mark.parametrize(
    ("n_parameters", "expected"),
    [(1, (1, 4, 9)), (2, (2.295749, 6.180074, 11.829158)), (3, (3.526741, 8.024882, 14.156414))],
)
def test_the_levels_are_those_of_the_textbooks(n_parameters, expected):
    found = [delta_chi2_level(n_sigma, n_parameters) for n_sigma in (1, 2, 3)]
    assert found == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("n", range(1, 9))
def test_survival_is_that_of_scipy(n):
    values = np.linspace(0, 40, 81)
    assert [survival(value, n) for value in values] == pytest.approx(distribution.sf(values, n), rel=1e-12)


@pytest.mark.parametrize("n", [341, 400, 1501, 10_000])
def test_survival_is_that_of_scipy_for_many_data(n):
    values = n * np.array([0, 0.5, 0.95, 1, 1.05, 1.2])
    assert [survival(value, n) for value in values] == pytest.approx(distribution.sf(values, n), rel=1e-9, abs=1e-15)


@pytest.mark.parametrize("n", [1, 9, 1000])
@pytest.mark.parametrize("probability", [0.001, 0.05])
def test_the_largest_of_many_pulls_exceeds_its_limit_with_the_probability(n, probability):
    within = 1 - 2 * norm.sf(largest_pull(n, probability))
    assert 1 - within**n == pytest.approx(probability, rel=1e-9)


@pytest.mark.parametrize(("probability", "limit"), [(0, np.inf), (1, 0)])
def test_the_limits_of_a_pull_at_the_ends_of_probability(probability, limit):
    assert largest_pull(5, probability) == limit


@pytest.mark.parametrize("n_parameters", range(1, 7))
def test_a_level_encloses_the_probability_of_its_sigmas(n_parameters):
    for n_sigma in (1, 2, 3):
        level = delta_chi2_level(n_sigma, n_parameters)
        assert distribution.cdf(level, n_parameters) == pytest.approx(confidence(n_sigma), rel=1e-12)
