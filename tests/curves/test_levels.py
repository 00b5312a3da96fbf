"""Levels and probabilities come from the χ² distribution."""

import numpy as np
import pytest
from scipy.stats import chi2 as distribution

from hpcscan.statistics.levels import confidence, delta_chi2_level, survival


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


@pytest.mark.parametrize("n_parameters", range(1, 7))
def test_a_level_encloses_the_probability_of_its_sigmas(n_parameters):
    for n_sigma in (1, 2, 3):
        level = delta_chi2_level(n_sigma, n_parameters)
        assert distribution.cdf(level, n_parameters) == pytest.approx(confidence(n_sigma), rel=1e-12)
