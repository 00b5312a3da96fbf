"""Every method of fitting says what it asks for, and how it runs."""

from __future__ import annotations

import numpy as np
import pytest
from toy_models import Decay

from hpcscan.fitting.block import fit_block
from hpcscan.fitting.methods import RUNS
from hpcscan.method import METHODS
from hpcscan.settings import FitSettings, StartRange


def test_every_method_runs():
    assert RUNS.keys() == METHODS.keys()
    assert FitSettings().method == next(iter(METHODS))


@pytest.mark.parametrize("method", METHODS)
def test_as_many_runs_as_it_says(method):
    """The number of starts is for those that have no number of their own."""
    settings = FitSettings(method=method, starts=StartRange(2, 3), max_iter=5)
    n = METHODS[method].n_runs
    expected = StartRange(2, 3) if n is None else StartRange(n, n)
    assert settings.start_range == expected
    results = fit_block(Decay(), np.array([[1.0, 0.1], [1.2, 0.2]]), np.arange(2), settings)
    assert results.start_chi2.shape == (2, expected.max)
    assert (results.n_starts >= expected.min).all()
