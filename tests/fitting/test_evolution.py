"""Differential evolution as published, through the same records as the multistart."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import differential_evolution
from toy_models import Holes, leptons

from hpcscan.fitting.block import fit_block
from hpcscan.fitting.records import Status
from hpcscan.likelihood.objective import Given, Objective
from hpcscan.settings import FitSettings


@pytest.mark.parametrize("seed", [2**32 - 1, 2**32, 2**63 - 1])
def test_any_seed_of_the_configuration_will_do(seed: int) -> None:
    """Scipy takes no number beyond 32 bits."""
    fit = FitSettings(method="differential_evolution", max_iter=2, seed=seed)
    one, again = (fit_block(leptons(), np.array([[3.1, 0.015]]), np.arange(1), fit).chi2[0] for _ in range(2))
    assert one == again
    assert np.isfinite(one)


def test_it_is_scipys_with_the_published_settings() -> None:
    model, point, generations = leptons(box="published"), np.array([[3.1], [0.015]]), 3
    objective = Objective(model)
    run = differential_evolution(
        lambda x: float(objective.evaluate(Given(point), x[:, None]).chi2[0]),
        [(p.lower, p.upper) for p in model.parameters],
        seed=42,
        maxiter=generations,
        tol=1e-8,
        atol=1e-8,
    )
    fit = FitSettings(method="differential_evolution", max_iter=generations)
    result = fit_block(model, point.T, np.arange(1), fit)
    np.testing.assert_array_equal(result.profiled_parameter[0], run.x)
    assert result.n_evaluations[0] == run.nfev
    assert result.n_iterations[0] == run.nit
    assert result.start_status[0, 0] == Status.NOT_CONVERGED, "it ran out of generations"
    assert result.edm[0] > 1


def test_it_stops_above_the_floor_that_the_multistart_reaches() -> None:
    """The published settings end about 1.5e4 above the floor at this point: more than the landscape varies in β."""
    model, points = leptons(box="published"), np.array([[3.1, 0.015]])
    floor = fit_block(model, points, np.arange(1), FitSettings()).chi2[0]
    evolved = fit_block(model, points, np.arange(1), FitSettings(method="differential_evolution"))
    assert floor + 1e3 < evolved.chi2[0] < floor + 1e5
    assert evolved.status[0] == Status.NOT_CONVERGED
    assert evolved.optimality_gap[0] == pytest.approx(evolved.chi2[0] - floor, abs=0.1), "the gap shows it"


def test_it_lives_with_a_model_that_is_not_finite_everywhere() -> None:
    fit = FitSettings(method="differential_evolution", max_iter=30)
    result = fit_block(Holes(), np.array([[0.1], [-0.1]]), np.arange(2), fit)
    assert np.isfinite(result.chi2[0])
    assert result.status[1] == Status.FAILED
