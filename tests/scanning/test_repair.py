"""Neighbour repair removes spikes that an unrepaired scan shows, and depends on nothing but the configuration."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
from toy_models import Valleys, leptons

from hpcscan.analysis.landscape import spikes
from hpcscan.fitting.records import UNTRIED
from hpcscan.settings import FitSettings
from scanning.serial import first_pass, make_grid, repaired

BETA_W = make_grid(beta=np.linspace(2.95, 3.25, 16), w=np.geomspace(0.005, 0.05, 10))
U_V = make_grid(u=np.linspace(-2, 2, 21), v=np.linspace(0, 1, 11))


def n_above(chi2: np.ndarray, minimum: np.ndarray) -> int:
    return int(np.count_nonzero(~(chi2 <= minimum + np.maximum(1e-9 * minimum, 1e-6))))


def test_a_weak_fit_of_the_published_box_is_repaired_to_the_floor() -> None:
    """One start, 4 iterations, no certificate: most points are above the floor before, none after."""
    model, weak = leptons(box="published"), FitSettings(starts=1, max_iter=4, proof=None)
    floor = first_pass(model, BETA_W, FitSettings()).chi2
    results = first_pass(model, BETA_W, weak)
    assert n_above(results.chi2, floor) > 80
    assert spikes(BETA_W, results.chi2).sum() > 10
    waves = repaired(model, BETA_W, weak, results)
    assert waves[0] > 80
    assert n_above(results.chi2, floor) == 0
    assert spikes(BETA_W, results.chi2).sum() == 0
    assert results.repaired.sum() >= waves[0]


def test_a_multimodal_surface_loses_its_spikes() -> None:
    model, few = Valleys(), FitSettings(starts=3)
    results = first_pass(model, U_V, few)
    before = n_above(results.chi2, np.zeros(U_V.n_points))
    assert before > 20
    assert spikes(U_V, results.chi2).sum() > 0
    repaired(model, U_V, few, results)
    assert n_above(results.chi2, np.zeros(U_V.n_points)) == 0
    assert spikes(U_V, results.chi2).sum() == 0


def test_the_outcome_does_not_depend_on_the_order_of_arrival_or_the_cutting() -> None:
    model, weak = leptons(box="published"), FitSettings(starts=1, max_iter=4, proof=None)
    outcomes = []
    for ranks, order in ((1, 1), (7, -1)):
        results = first_pass(model, BETA_W, weak, ranks)
        repaired(model, BETA_W, weak, results, order)
        outcomes.append(results)
    for x, y in zip(outcomes[0].arrays(), outcomes[1].arrays(), strict=True):
        assert x is outcomes[0].fit_seconds or x.tobytes() == y.tobytes()


def test_the_outcome_does_not_depend_on_when_a_task_is_made() -> None:
    """One at a time, after the results of those before it, or all before the first result; a point to a task."""
    model, few = Valleys(), FitSettings(starts=2, max_iter=30)
    grid = make_grid(u=np.linspace(-2, 2, 15), v=[0.0, 1.0])
    outcomes = [first_pass(model, grid, few) for _ in range(2)]
    waves = [repaired(model, grid, few, results, order) for results, order in zip(outcomes, (1, -1), strict=True)]
    assert waves[0] == waves[1]
    assert len(waves[0]) > 2
    assert outcomes[0].profiled_parameter.tobytes() == outcomes[1].profiled_parameter.tobytes()


def test_no_waves_change_nothing() -> None:
    model, weak = Valleys(), FitSettings(starts=2, repair_waves=0)
    results = first_pass(model, U_V, weak)
    before = deepcopy(results)
    assert repaired(model, U_V, weak, results) == []
    assert results.chi2.tobytes() == before.chi2.tobytes()


def test_waves_carry_a_minimum_across_the_grid() -> None:
    """One good point in the middle is enough, if there are enough waves."""
    model, weak = Valleys(), FitSettings(starts=1, max_iter=30, repair_waves=100)
    grid = make_grid(u=np.linspace(-2, 2, 41), v=[0.5])
    results = first_pass(model, grid, weak)
    results.profiled_parameter[:, 0] += np.where(np.arange(41) == 20, 0, np.pi)
    results.chi2[:] = np.where(np.arange(41) == 20, 0.0, 10.0)
    results.profiled_parameter[20, 0] = 0.0
    waves = repaired(model, grid, weak, results)
    assert len(waves) > 5
    assert (results.chi2 < 1e-6).all()


def test_waves_that_ran_out_are_told() -> None:
    """Points that improved in the last wave that was allowed are marked, but not where there was none to improve."""
    model, marks = Valleys(), {}
    for n_waves in (0, 2, 100):
        settings = FitSettings(starts=1, max_iter=30, repair_waves=n_waves)
        results = first_pass(model, U_V, settings)
        waves = repaired(model, U_V, settings, results)
        marks[n_waves] = int(np.count_nonzero(results.repaired == UNTRIED)), waves
    assert marks[0] == (0, [])
    assert marks[2][0] == marks[2][1][-1] > 0
    assert marks[100][0] == 0
