"""The matching step: linearised predictions agree with the data up to their scales."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_models import leptons

from hpcscan.fitting.block import fit_block
from hpcscan.fitting.quadratic import Predictions, expand
from hpcscan.fitting.records import Status
from hpcscan.fitting.steps import matching_step
from hpcscan.likelihood.objective import Given, Objective
from hpcscan.settings import FitSettings

seeds = st.integers(0, 2**32 - 1)
NO_LIMIT = np.full((1, 3), np.inf)


def random_predictions(seed: int, m: int, p: int) -> tuple[np.ndarray, Predictions]:
    """Three rows whose predictions are not far from their data."""
    rng = np.random.default_rng(seed)
    target = rng.uniform(1, 3, (m, 1))
    value = target * rng.uniform(0.7, 1.4, (m, 3))
    # The step solves normal equations: the systems are not so close to singular that their rounding is seen.
    left, singular, right = np.linalg.svd(rng.normal(size=(3, m, p)), full_matrices=False)
    slope = (left * np.maximum(singular, 0.02 * singular[:, :1])[:, None]) @ right
    return target, Predictions(value, value - target, np.moveaxis(slope, 0, -1).copy())


def at_the_end(predictions: Predictions, step: np.ndarray) -> np.ndarray:
    return predictions.value + np.einsum("mpn,pn->mn", predictions.slope, step)


@settings(max_examples=100)
@given(seed=seeds, m=st.integers(2, 5), p=st.integers(5, 8))
def test_predictions_with_one_scale_become_proportional_to_the_data(seed: int, m: int, p: int) -> None:
    target, predictions = random_predictions(seed, m, p)
    step = matching_step([slice(0, m)], predictions, -NO_LIMIT, NO_LIMIT)
    ratio = at_the_end(predictions, step) / target
    np.testing.assert_allclose(ratio, np.broadcast_to(ratio[:1], ratio.shape), rtol=1e-6)


@settings(max_examples=100)
@given(seed=seeds, p=st.integers(5, 8))
def test_two_scales_and_none_each_have_their_own_factor(seed: int, p: int) -> None:
    target, predictions = random_predictions(seed, 5, p)
    step = matching_step([slice(0, 2), [3, 4]], predictions, -NO_LIMIT, NO_LIMIT)
    ratio = at_the_end(predictions, step) / target
    np.testing.assert_allclose(ratio[[0, 3]], ratio[[1, 4]], rtol=1e-6)
    np.testing.assert_allclose(ratio[2], 1, rtol=1e-6)


@settings(max_examples=100)
@given(seed=seeds, m=st.integers(1, 5), p=st.integers(5, 8))
def test_without_a_scale_it_is_the_shortest_solution(seed: int, m: int, p: int) -> None:
    _, predictions = random_predictions(seed, m, p)
    step = matching_step([], predictions, -NO_LIMIT, NO_LIMIT)
    for row in range(3):
        shortest = np.linalg.lstsq(predictions.slope[:, :, row], -predictions.residual[:, row], rcond=None)[0]
        np.testing.assert_allclose(step[:, row], shortest, rtol=1e-5, atol=1e-7 * np.abs(shortest).max())


@settings(max_examples=100)
@given(seed=seeds)
def test_predictions_that_nothing_moves_fix_the_scale_by_least_squares(seed: int) -> None:
    """The others follow: so that a minimum on bounds is a place from which no step leads away."""
    target, predictions = random_predictions(seed, 4, 5)
    predictions.slope[:2] = 0.0
    step = matching_step([slice(0, 4)], predictions, -NO_LIMIT, NO_LIMIT)
    fixed = predictions.value[:2]
    inverse_scale = (fixed * fixed).sum(axis=0) / (fixed * target[:2]).sum(axis=0)
    end = at_the_end(predictions, step)
    np.testing.assert_allclose(end[2:] / target[2:], np.broadcast_to(inverse_scale, (2, 3)), rtol=1e-6)


@settings(max_examples=60)
@given(seed=seeds)
def test_the_step_stays_inside_and_the_others_make_up_for_those_that_stop(seed: int) -> None:
    target, predictions = random_predictions(seed, 2, 6)
    free = matching_step([slice(0, 2)], predictions, -NO_LIMIT, NO_LIMIT)
    upper = np.where(np.arange(6)[:, None] == 0, np.abs(free) / 2, np.inf)
    step = matching_step([slice(0, 2)], predictions, -upper, upper)
    assert (np.abs(step) <= upper).all()
    ratio = at_the_end(predictions, step) / target
    np.testing.assert_allclose(ratio[0], ratio[1], rtol=1e-6)


@pytest.mark.parametrize("box", ["published", "widened"])
def test_no_step_leads_away_from_a_minimum(box: str) -> None:
    model = leptons(box=box)
    objective, points = Objective(model), np.array([[3.1, 0.015], [3.0, 0.02]])
    result = fit_block(model, points, np.arange(2), FitSettings())
    assert (result.status == Status.CONVERGED).all()
    x = np.ascontiguousarray(result.profiled_parameter.T)
    around = expand(objective, Given(points.T), x, objective.evaluate(Given(points.T), x))
    assert around.predictions is not None
    box_of_steps = ((bound - x) / objective.box.width for bound in (objective.box.lower, objective.box.upper))
    step = matching_step(objective.groups, around.predictions, *box_of_steps)
    assert np.abs(step).max() < 1e-6
