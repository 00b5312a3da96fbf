"""A block of points: statuses, agreement of starts, and the same bits however the points are cut."""

from __future__ import annotations

from dataclasses import fields
from itertools import pairwise
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_models import Decay, Holes, Many, ManyWithJacobian, leptons

from hpcscan.fitting.block import fit_block, fit_starts
from hpcscan.fitting.evidence import is_agreed
from hpcscan.fitting.records import PointResults, Status
from hpcscan.fitting.starts import draw_starts
from hpcscan.likelihood.box import Box
from hpcscan.model import Parameter
from hpcscan.model.problem import Observable, Problem
from hpcscan.model.returned import PredictionRanges
from hpcscan.settings import FitSettings, ProofBudget, StartRange


def grid_points(n: int) -> np.ndarray:
    beta, w = np.meshgrid(np.linspace(2.95, 3.25, n), np.geomspace(0.005, 0.05, n), indexing="ij")
    return np.stack([beta.ravel(), w.ravel()], axis=1)


def assert_same_bits(a: PointResults, b: PointResults) -> None:
    names = [field.name for field in fields(a)] + list(a.derived)
    for name, x, y in zip(names, a.arrays(), b.arrays(), strict=False):
        assert x.tobytes() == y.tobytes(), name


@settings(max_examples=12)
@given(cuts=st.lists(st.integers(1, 15), max_size=6), box=st.sampled_from(["published", "widened"]))
def test_the_lepton_model_has_the_same_bits_for_any_block_size(cuts: list[int], box: str) -> None:
    model, points, fit = leptons(box=box), grid_points(4), FitSettings(starts=4)
    whole = fit_block(model, points, np.arange(16), fit)
    pieces = PointResults.not_run(model, np.arange(16), 4)
    edges = sorted({0, 16, *cuts})
    for first, stop in pairwise(edges):
        pieces.put(fit_block(model, points[first:stop], np.arange(first, stop), fit))
    assert_same_bits(whole, pieces)


def test_a_block_of_one_row_has_the_same_bits_as_a_larger_one() -> None:
    model, points, fit = leptons(), grid_points(3), FitSettings(starts=1)
    whole = fit_block(model, points, np.arange(9), fit)
    alone = PointResults.joined([fit_block(model, points[i : i + 1], np.arange(i, i + 1), fit) for i in range(9)])
    assert_same_bits(whole, alone)


@given(seed=st.integers(0, 2**63 - 1), few=st.integers(1, 5), more=st.integers(0, 20))
def test_more_starts_continue_the_same_sequence(seed: int, few: int, more: int) -> None:
    box, points = Box.of(leptons()), grid_points(2)
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
    model = leptons(bounds={"muon.U": (0.1, 0.1)})
    starts = draw_starts(Box.of(model), grid_points(2), seed, 8)
    for parameter, values in zip(model.parameters, starts, strict=True):
        assert ((parameter.lower <= values) & (values <= parameter.upper)).all()


@pytest.mark.parametrize("model", [Many(3, 0), Many(13, 0), ManyWithJacobian(3, 1), ManyWithJacobian(13, 1)])
def test_the_order_of_a_sum_over_many_observables_does_not_depend_on_the_block(model: Problem) -> None:
    """A plugin whose observables come last in memory, as they are written down."""
    points, fit = np.linspace(0.1, 1, 4)[:, None], FitSettings(starts=3, max_iter=30)
    whole = fit_block(model, points, np.arange(4), fit)
    alone = PointResults.joined([fit_block(model, points[i : i + 1], np.arange(i, i + 1), fit) for i in range(4)])
    assert_same_bits(whole, alone)


class Lines(Problem):
    """Parameters with start ranges inside and at their bounds, and of no width."""

    axes = (Parameter("u"),)
    parameters = (
        Parameter("inside", -9.0, 9.0, (-1.0, 2.0)),
        Parameter("free", start=(3.0, 4.0)),
        Parameter("point", start=(0.5, 0.5)),
        Parameter("zero", -1.0, 1.0, (0.0, 0.0)),
        Parameter("at its bound", 0.0, 1.0, (1.0, 1.0)),
    )
    observables = tuple(Observable(f"y{k}", 1.0, 0.1) for k in range(5))

    def predict(self, points: np.ndarray, parameters: np.ndarray) -> np.ndarray:
        return np.broadcast_to(parameters, parameters.shape)


@given(st.integers(0, 1000))
def test_starts_lie_in_their_start_ranges(seed: int) -> None:
    """A range of no width is a value."""
    starts = draw_starts(Box.of(Lines()), grid_points(2), seed, 8)
    for parameter, values in zip(Lines.parameters, starts, strict=True):
        low, high = parameter.start_range
        assert ((low <= values) & (values <= high)).all()
        assert len(np.unique(values)) == (1 if low == high else values.size)


def test_predictions_that_are_read_only_or_used_again_are_no_danger() -> None:
    class Thrifty(Decay):
        """Keeps one array for all predictions of a size, and shows it read-only."""

        kept: ClassVar[dict[int, np.ndarray]] = {}

        def predict(self, points: np.ndarray, parameters: np.ndarray) -> np.ndarray:
            result = self.kept.setdefault(len(points), np.empty((len(points), 13)))
            result[:] = super().predict(points, parameters)
            shown = result.view()
            shown.flags.writeable = False
            return shown

    points = np.array([[1.2, 0.4], [0.8, 0.1]])
    one, other = (fit_block(model, points, np.arange(2), FitSettings()) for model in (Decay(), Thrifty()))
    assert_same_bits(one, other)


def test_a_fixed_parameter_stays_fixed() -> None:
    model = leptons(bounds={"muon.U": (0.03, 0.03)})
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


def test_a_single_start_cannot_confirm_itself_but_a_proof_can() -> None:
    guessed, proven = (
        fit_block(leptons(), grid_points(2), np.arange(4), FitSettings(starts=1, proof=proof))
        for proof in (None, ProofBudget())
    )
    assert (guessed.start_status == Status.CONVERGED).all()
    assert (guessed.status == Status.NOT_CONVERGED).all()
    assert np.isnan(guessed.chi2_lower_bound).all()
    assert np.isnan(guessed.unexplored_fraction).all()
    assert (proven.status == Status.CONVERGED).all()
    assert (proven.unexplored_fraction == 0).all()


def test_starts_that_agree_on_a_wrong_minimum_do_not_make_a_point_converge() -> None:
    """Where there is a certificate its gap decides, however many starts agree."""
    model, points = leptons(box="published"), grid_points(3)
    runs = (fit_block(model, points, np.arange(9), FitSettings(starts=2, seed=seed)) for seed in range(40))
    wrong = next(run for run in runs if (run.optimality_gap > 1e5).any())
    here = wrong.optimality_gap > 1e5
    assert (wrong.n_starts_converged[here] == 2).all()
    assert (wrong.status[here] == Status.NOT_CONVERGED).all()


def test_ranges_that_exclude_what_the_model_predicts_prove_nothing() -> None:
    class Wrong(Decay):
        def prediction_ranges(self, points: np.ndarray) -> PredictionRanges:
            return PredictionRanges(np.full((len(points), 13), 50.0), np.full((len(points), 13), 60.0))

    points = np.array([[1.2, 0.4], [0.8, 0.1]])
    result = fit_block(Wrong(), points, np.arange(2), FitSettings())
    assert (result.optimality_gap < -100).all(), "kept, as evidence"
    assert (result.status == Status.NOT_CONVERGED).all()
    assert (result.unexplored_fraction > 0).all()


class Needle(Problem):
    """Almost everywhere flat, with a narrow hole that few starts find."""

    axes = (Parameter("u"),)
    parameters = (Parameter("x", 0.0, 10.0),)
    observables = (Observable("depth", 0.0, 0.1),)

    def predict(self, points: np.ndarray, parameters: np.ndarray) -> np.ndarray:
        return 0.3 + 0 * points - 0.29 * np.exp(-(((parameters - 7.7) / 0.12) ** 2))


def test_a_range_of_starts_goes_on_until_enough_agree_on_the_minimum() -> None:
    """However often the levels above it have been seen; where they never agree, nothing is claimed."""
    points = np.linspace(1, 3, 9)[:, None]
    adaptive = fit_block(Needle(), points, np.arange(9), FitSettings(starts=StartRange(16, 256)))
    fixed = fit_block(Needle(), points, np.arange(9), FitSettings(starts=16))
    agree = is_agreed(fixed.n_starts, fixed.n_starts_at_minimum)
    assert (fixed.unexplored_fraction <= 0.05).all(), "an estimate of levels alone would be satisfied"
    assert not agree.all()
    assert (adaptive.n_starts > 16).tolist() == (~agree).tolist()
    is_converged = is_agreed(adaptive.n_starts, adaptive.n_starts_at_minimum)
    assert (adaptive.status == Status.CONVERGED).tolist() == is_converged.tolist()
    assert (adaptive.n_starts[~is_converged] == 256).all()


def test_a_range_of_starts_goes_on_while_the_best_has_not_converged() -> None:
    """Although its gap is closed: a start that ran out of iterations just before the end."""
    model, points, n_seen = leptons(), grid_points(4), 0
    for max_iter in range(3, 9):
        one, more = (
            fit_block(model, points, np.arange(16), FitSettings(starts=StartRange(1, n), max_iter=max_iter))
            for n in (1, 2)
        )
        is_near = (one.chi2 <= 1e-3) & (one.status != Status.CONVERGED)
        n_seen += is_near.sum()
        assert (more.n_starts[is_near] == 2).all()
    assert n_seen


@pytest.mark.parametrize("box", ["published", "widened"])
def test_a_range_of_starts_ends_with_the_proof_and_finds_the_same_minima(box: str) -> None:
    model, points = leptons(box=box), grid_points(4)
    fixed = fit_block(model, points, np.arange(16), FitSettings())
    adaptive = fit_block(model, points, np.arange(16), FitSettings(starts=StartRange(2, 16)))
    np.testing.assert_allclose(adaptive.chi2, fixed.chi2, rtol=1e-9, atol=1e-9)
    assert (adaptive.status == Status.CONVERGED).all()
    assert adaptive.n_starts.mean() < 4
    first_two = adaptive.start_chi2[:, :2], fixed.start_chi2[:, :2]
    assert first_two[0].tobytes() == first_two[1].tobytes(), "the same streams"
    assert ((adaptive.start_status != Status.NOT_RUN).sum(axis=1) == adaptive.n_starts).all()


def test_added_starts_are_left_when_one_of_them_has_the_proof() -> None:
    """Seed 12 has such a point: the first start misses the minimum, and the third is there before the second."""
    model, points = leptons(box="published"), np.array([[3.0, 0.01]])
    ends, result = fit_starts(model, points, np.arange(1), FitSettings(starts=StartRange(1, 8), seed=12))
    assert result.start_status[0].tolist() == [1, 0, 1, 0, 0, 0, 0, 0]
    assert (result.n_starts, result.n_starts_at_minimum) == (2, 1)
    assert result.status[0] == Status.CONVERGED
    assert result.chi2[0] == result.start_chi2[0, 2] < result.start_chi2[0, 0]
    is_left = ends.status == Status.NOT_RUN
    assert np.isnan(ends.x[:, is_left]).all()
    assert np.isnan(ends.chi2[is_left]).all()
    assert ends.n_iterations[1] == ends.n_iterations[2], "left after as many steps as the other needed"


def test_a_fixed_number_of_starts_equals_a_range_of_that_width() -> None:
    model, points = leptons(), grid_points(2)
    one, other = (fit_block(model, points, np.arange(4), FitSettings(starts=s)) for s in (6, StartRange(6, 6)))
    assert_same_bits(one, other)


@settings(max_examples=6)
@given(cuts=st.lists(st.integers(1, 15), max_size=4))
def test_adaptive_starts_have_the_same_bits_for_any_block_size(cuts: list[int]) -> None:
    model, points, fit = leptons(box="published"), grid_points(4), FitSettings(starts=StartRange(1, 8))
    whole = fit_block(model, points, np.arange(16), fit)
    edges = sorted({0, 16, *cuts})
    parts = [fit_block(model, points[a:b], np.arange(a, b), fit) for a, b in pairwise(edges)]
    assert_same_bits(whole, PointResults.joined(parts))


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
