"""Finished points are predicted again: by the same model, by another one, and by one that does not answer."""

from __future__ import annotations

import time

import numpy as np
import pytest
from toy_models import Valleys

from hpcscan.scanning.recheck import MOST, Again, predict_again, spread
from hpcscan.scanning.work import Common
from hpcscan.settings import FitSettings
from scanning.serial import first_pass, make_grid

GRID = make_grid(u=np.linspace(-1, 1, 4), v=[0.0, 1.0])
SETTINGS = FitSettings(starts=3, time_limit=0.3)
RESULTS = first_pass(Valleys(), GRID, SETTINGS)


class Asked(Valleys):
    """The same, but for what it does before it answers."""

    def __init__(self, answer):
        self.answer = answer

    def predict(self, points, parameters):
        return self.answer(super().predict(points, parameters))


def ask(answer, results=RESULTS):
    return predict_again(Common(Asked(answer), GRID, SETTINGS), results)


def _shifted(shift):
    def answer(predicted):
        predicted[len(RESULTS.status) - 1 :, 1] += shift
        return predicted

    return answer


@pytest.mark.parametrize("rows", [[0], [3, 5], [*range(8)]])
def test_the_same_model_predicts_the_same(rows):
    again = ask(lambda predicted: predicted, RESULTS.take(np.array(rows)))
    assert again.is_same_model
    assert again.difference.max() < MOST
    assert again.before.shape == (len(rows), 2)


@pytest.mark.parametrize(
    ("shift", "is_same"), [(0.5 * MOST, True), (2 * MOST, False), (np.inf, False), (np.nan, False)]
)
def test_a_difference_in_one_prediction(shift, is_same):
    """It is found at its point and observable; more than a billionth of σ is another model."""
    again = ask(_shifted(shift))
    assert (again.worst, again.is_same_model) == ((7, 1), is_same)


def test_rounding_of_what_is_known_far_better_than_it_is_computed():
    """σ is a hundredth of the rounding of the prediction: no other model."""
    one = np.array([[1.0]])
    again = Again(np.array([0]), one, np.nextafter(one, 2), np.array([1e-18]))
    assert again.difference.max() > 100
    assert again.is_same_model


def test_a_model_that_sleeps_is_given_up():
    begin = time.monotonic()
    assert ask(lambda _: time.sleep(60)) == "no end within 0.3 s (fit.time_limit)"
    assert time.monotonic() - begin < 10


def test_a_model_that_raises_proves_nothing():
    assert ask(lambda _: 1 / 0) == "ZeroDivisionError: division by zero"


def test_points_come_from_blocks_all_over_the_scan():
    """The first and the last among them; a block without a minimum has none."""
    asked = []

    def read(block):
        asked.append(block)
        results = RESULTS.take(np.array([block % 8, (block + 1) % 8]))
        results.chi2[:] = np.nan if block == 0 else results.chi2
        return results

    chosen = spread(100, 5, read)
    assert asked == [0, 25, 50, 74, 99]
    assert chosen.point_index.tolist() == [2, 3, 3, 4]
    assert spread(1, 5, lambda _: read(0)) is None
