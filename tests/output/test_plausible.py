"""What a fit leaves is believed; what none leaves is not."""

from __future__ import annotations

import numpy as np
import pytest
from toy_models import Decay, Valleys, leptons

from hpcscan.fitting.block import fit_block
from hpcscan.fitting.records import PointResults, Status
from hpcscan.output.journal_record import implausibility
from hpcscan.settings import FitSettings

POINTS = np.array([[3.0, 0.01], [3.1, 0.02], [3.05, 0.015]])


@pytest.mark.parametrize("model", [Valleys(), Decay(), leptons(box="published")])
@pytest.mark.parametrize("fit", [{"starts": 3}, {"starts": 1, "max_iter": 0}, {"method": "differential_evolution"}])
def test_what_a_fit_leaves(model, fit):
    results = fit_block(model, POINTS, np.arange(3), FitSettings(**({"max_iter": 5} | fit)))
    assert np.isfinite(results.chi2).all()
    assert implausibility(results) == ""
    failed = PointResults.not_run(model, np.arange(3), 2)
    failed.status[:] = Status.FAILED
    assert implausibility(failed) == ""


@pytest.mark.parametrize(
    ("column", "value", "what"),
    [
        ("start_status", 9, "a status"),
        ("at_bound", 2, "a side of a bound"),
        ("repaired", -1, "a mark of repair"),
        ("n_starts", 4, "a number of starts"),
        ("n_starts_at_minimum", -1, "a number of starts"),
        ("n_iterations", -1, "a number of evaluations"),
        ("n_flat_directions", -2, "a number of directions"),
        ("n_determined_axes", -2, "a number of axes"),
        ("chi2", np.inf, "a chi2"),
        ("profiled_parameter", np.nan, "a minimum"),
        ("bound_multiplier", 1.0, "a multiplier"),
    ],
)
def test_what_no_fit_leaves(column, value, what):
    results = fit_block(Valleys(), POINTS, np.arange(3), FitSettings(starts=3))
    assert not results.at_bound.any()
    getattr(results, column)[1] = value
    assert implausibility(results) == what
