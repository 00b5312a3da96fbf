"""A block of points: statuses, agreement of starts, and the same bits however the points are cut."""

from __future__ import annotations

from dataclasses import fields
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcscan.fit.block import fit_block
from hpcscan.fit.box import Box
from hpcscan.fit.records import PointResults, Status
from hpcscan.fit.settings import FitSettings
from hpcscan.fit.starts import draw_starts
from hpcscan.model.leptons import LeptonModel

from .toys import Decay, Holes


def grid_points(n: int) -> np.ndarray:
    beta, w = np.meshgrid(np.linspace(2.95, 3.25, n), np.geomspace(0.005, 0.05, n), indexing="ij")
    return np.stack([beta.ravel(), w.ravel()], axis=1)


def assert_same_bits(a: PointResults, b: PointResults) -> None:
    names = [field.name for field in fields(a)] + list(a.derived)
    for name, x, y in zip(names, a.arrays(), b.arrays(), strict=False):
        assert x.tobytes() == y.tobytes(), name


@settings(max_examples=12, deadline=None)
@given(cuts=st.lists(st.integers(1, 15), max_size=6), box=st.sampled_from(["published", "widened"]))
def test_the_lepton_model_has_the_same_bits_for_any_block_size(cuts: list[int], box: str) -> None:
    model, points, fit = LeptonModel(box=box), grid_points(4), FitSettings(starts=4)
    whole = fit_block(model, points, np.arange(16), fit)
    pieces = PointResults.not_run(model, np.arange(16), 4)
    edges = sorted({0, 16, *cuts})
    for first, stop in pairwise(edges):
        pieces.put(fit_block(model, points[first:stop], np.arange(first, stop), fit))
    assert_same_bits(whole, pieces)


def test_a_block_of_one_row_has_the_same_bits_as_a_larger_one() -> None:
    model, points, fit = LeptonModel(), grid_points(3), FitSettings(starts=1)
    whole = fit_block(model, points, np.arange(9), fit)
    alone = PointResults.joined([fit_block(model, points[i : i + 1], np.arange(i, i + 1), fit) for i in range(9)])
    assert_same_bits(whole, alone)


@given(seed=st.integers(0, 2**63 - 1), few=st.integers(1, 5), more=st.integers(0, 20))
def test_more_starts_continue_the_same_sequence(seed: int, few: int, more: int) -> None:
    box, points = Box.of(LeptonModel()), grid_points(2)
    assert np.array_equal(draw_starts(box, points, seed, few), draw_starts(box, points, seed, few + more)[:, :, :few])


def test_starts_belong_to_the_coordinates_of_a_point() -> None:
    box, points = Box.of(Decay()), np.array([[1.0, 0.0], [2.0, 0.5], [1.0, -0.0]])
    starts = draw_starts(box, points, 42, 3)
    assert np.array_equal(starts[:, 0], starts[:, 2]), "-0 and 0 are the same coordinate"
    assert np.array_equal(starts[:, [1]], draw_starts(box, points[[1]], 42, 3))
    assert not np.isclose(starts[:, 0], starts[:, 1]).any()
    assert not np.isclose(starts, draw_starts(box, points, 43, 3)).any()


@given(st.integers(0, 1000))
def test_starts_lie_in_their_range_and_fixed_parameters_at_their_value(seed: int) -> None:
    model = LeptonModel(bounds={"muon.U": (0.1, 0.1)})
    starts = draw_starts(Box.of(model), grid_points(2), seed, 8)
    for parameter, values in zip(model.parameters, starts, strict=True):
        assert ((parameter.lower <= values) & (values <= parameter.upper)).all()


def test_a_fixed_parameter_stays_fixed() -> None:
    model = LeptonModel(bounds={"muon.U": (0.03, 0.03)})
    result = fit_block(model, grid_points(2), np.arange(4), FitSettings())
    assert (result.profiled_parameter[:, 4] == 0.03).all()
    assert (result.at_bound[:, 4] == 0).all()
    assert (result.chi2 < 1e-10).all()


def test_a_start_that_is_not_finite_fails_and_the_others_go_on() -> None:
    result = fit_block(Holes(), np.array([[0.1]]), np.arange(1), FitSettings(starts=32))
    failed = result.start_status[0] == Status.FAILED
    assert 0 < failed.sum() < 32
    assert np.isnan(result.start_chi2[0, failed]).all()
    assert result.status[0] == Status.CONVERGED
    assert result.n_starts_converged[0] == 32 - failed.sum()


def test_a_point_without_any_finite_start_has_failed() -> None:
    result = fit_block(Holes(), np.array([[-0.1], [0.1]]), np.arange(2), FitSettings())
    assert list(result.status) == [Status.FAILED, Status.CONVERGED]
    assert np.isnan([result.chi2[0], result.edm[0]]).all()
    assert np.isnan(result.profiled_parameter[0]).all()


def test_a_single_start_cannot_confirm_itself() -> None:
    result = fit_block(LeptonModel(), grid_points(2), np.arange(4), FitSettings(starts=1))
    assert (result.start_status == Status.CONVERGED).all()
    assert (result.status == Status.NOT_CONVERGED).all()


def test_predictions_and_scales_belong_to_the_reported_parameters() -> None:
    model = Decay()
    result = fit_block(model, np.array([[1.2, 0.4]]), np.arange(1), FitSettings())
    raw = model.predict(np.array([[1.2, 0.4]]), result.profiled_parameter)[0]
    observed, sigma = (np.array([getattr(o, name) for o in model.observables]) for name in ("observed", "sigma"))
    f, m, s = raw[:12], observed[:12], sigma[:12]
    assert result.scale[0, 0] == pytest.approx((m * f / s**2).sum() / (f**2 / s**2).sum(), rel=1e-12)
    np.testing.assert_allclose(result.predicted[0], [*(result.scale[0, 0] * f), raw[12]], rtol=1e-12)
    assert result.chi2[0] == pytest.approx((((result.predicted[0] - observed) / sigma) ** 2).sum(), rel=1e-9)
    assert result.derived["half_life"][0] == np.log(2) / (1.2 + result.profiled_parameter[0, 0])
