"""The audit of a surface: spikes, proofs and the bounds that cost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from toy_models import leptons

from hpcscan.analysis.certainty import EvidenceSummary, active_bounds, evidence
from hpcscan.analysis.landscape import Landscape, spikes
from hpcscan.dataset.scan import ScanData, scan_in_memory
from hpcscan.fitting.records import PointResults
from hpcscan.grid import Grid
from hpcscan.model.problem import Problem
from hpcscan.settings import FitSettings
from hpcscan.tolerance import GAP_ABSOLUTE
from scanning.serial import first_pass, make_grid

SQUARE = make_grid(x=np.linspace(-1, 1, 9), y=np.geomspace(0.1, 1, 7))


def in_memory(model: Problem, grid: Grid, results: PointResults) -> tuple[ScanData, Landscape]:
    scan = scan_in_memory(grid, model, results, {})
    return scan, Landscape.of(scan)


def proof(model: Problem, grid: Grid, results: PointResults) -> EvidenceSummary:
    return evidence(*in_memory(model, grid, results), GAP_ABSOLUTE)


def on_grid(function, grid=SQUARE) -> np.ndarray:
    return function(*grid.points(np.arange(grid.n_points)).T)


@given(st.floats(-2, 2), st.floats(-1, 2), st.floats(-3, 3), st.floats(0, 5))
def test_a_parabola_has_no_spikes_wherever_its_minimum_is(x0: float, y0: float, slope: float, bend: float) -> None:
    chi2 = on_grid(lambda x, y: (x - x0) ** 2 + bend * (y - y0) ** 2 + slope * x * 0.3)
    assert not spikes(SQUARE, chi2).any()


@given(st.integers(0, 62), st.sampled_from([-1.0, 1.0]))
def test_one_point_out_of_line_is_found_and_nothing_far_from_it(index: int, sign: float) -> None:
    chi2 = on_grid(lambda x, y: x + y)
    chi2[index] += sign * 50
    found = np.flatnonzero(spikes(SQUARE, chi2))
    row, column = divmod(index, 7)
    if 0 < row < 8 or 0 < column < 6:
        assert index in found
    assert all(abs(i // 7 - row) <= 1 and abs(i % 7 - column) <= 1 for i in found)


@given(arrays(float, 63, elements=st.floats(-1e9, 1e9) | st.just(np.nan)))
def test_points_without_a_chi2_are_no_spikes_and_hide_none_elsewhere(chi2: np.ndarray) -> None:
    assert not spikes(SQUARE, chi2)[np.isnan(chi2)].any()


@pytest.mark.parametrize("n", [1, 2, 3])
def test_short_axes_have_no_spikes(n: int) -> None:
    grid = make_grid(x=np.arange(n), y=[1.0])
    assert not spikes(grid, np.array([1e9, 0.0, 1e9])[:n]).any()


def test_a_flat_landscape_has_no_spikes_within_the_tolerance() -> None:
    rng = np.random.default_rng(0)
    assert not spikes(SQUARE, 1e-7 * rng.random(63)).any()
    assert not spikes(SQUARE, 1.6e7 + 1e-3 * rng.random(63)).any()


def test_costly_bounds_come_first() -> None:
    model, grid = leptons(box="published"), make_grid(beta=[3.1], w=[0.015])
    results = first_pass(model, grid, FitSettings())
    bounds = active_bounds(*in_memory(model, grid, results))
    assert [(b.parameter, b.side) for b in bounds[:2]] == [("muon.U", "lower"), ("tau.U", "upper")]
    assert len(bounds) == 6
    costs = [b.cost for b in bounds]
    assert costs == sorted(costs, reverse=True)


def test_proofs_are_counted_with_the_closed_ones_apart() -> None:
    model, grid = leptons(box="published"), make_grid(beta=[3.0, 3.1], w=[0.01, 0.02])
    results = first_pass(model, grid, FitSettings())
    results.chi2_lower_bound[:] = results.chi2 - [0.0, 1e-4, 5.0, np.nan]
    results.chi2[3] = np.nan
    found = proof(model, grid, results)
    assert (found.n_known, found.n_bounded, found.n_closed) == (3, 3, 2)
    assert found.largest_gap == pytest.approx(5.0)
    assert found.median_gap == pytest.approx(5.0), "of the open ones"


def test_a_chi2_below_its_bound_is_counted_apart() -> None:
    model, grid = leptons(box="published"), make_grid(beta=[3.0, 3.1], w=[0.01, 0.02])
    results = first_pass(model, grid, FitSettings())
    results.chi2_lower_bound[:] = results.chi2 - [0.0, -3.0, -5e2, 5e-4]
    found = proof(model, grid, results)
    assert (found.n_bounded, found.n_closed, found.n_contradicted) == (4, 2, 2)
    assert found.lowest_gap == pytest.approx(-5e2)
    assert np.isnan(found.median_gap)
