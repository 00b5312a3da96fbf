"""Spot checks: what they find, what they cost, and that they change nothing."""

from __future__ import annotations

import itertools
from dataclasses import fields

import numpy as np
import pytest

from hpcscan.grid import Grid, GridAxis
from hpcscan.guard.guarded import guarded
from hpcscan.guard.probe import doubts_of_trial
from hpcscan.guard.spot import SHARE, SpotCheck
from hpcscan.guard.time_limit import TimeLimit
from hpcscan.model import Parameter
from hpcscan.model.problem import Observable, Problem
from hpcscan.scanning.chunks import Block, Chunk
from hpcscan.scanning.work import perform
from hpcscan.settings import FitSettings

GRID = Grid((GridAxis("x", tuple(np.linspace(0.0, 1.0, 40))),))
TASKS = [Chunk((Block(np.arange(k, k + 10)),)) for k in (0, 10, 20, 30)] * 5


class Honest(Problem):
    """A curved valley."""

    axes = (Parameter("x"),)
    parameters = (Parameter("a", -2.0, 2.0), Parameter("b", -2.0, 2.0))
    observables = (Observable("a", 1.0, 0.1), Observable("b", 0.0, 0.01))

    def predict(self, points, parameters):
        a, b = parameters.T
        return np.stack([a + points[:, 0], b - a**2], axis=1)


class Noisy(Honest):
    def __init__(self):
        self.count = itertools.count()

    def predict(self, points, parameters):
        return super().predict(points, parameters) * (1 + 1e-13 * (next(self.count) % 2))


class Batchy(Honest):
    def __init__(self, size):
        self.size = size

    def predict(self, points, parameters):
        return super().predict(points, parameters) * (1 + self.size * len(points))


def looked_at(model):
    """Ask for many rows, and for two: doubts, and the check."""
    spot = SpotCheck()
    safe = guarded(model, TimeLimit(None), spot)
    rows = np.linspace(-2.0, 2.0, 1000)[:, None]
    for _ in range(10):
        safe.predict(rows, np.hstack([rows, rows]))
        safe.predict(rows[500:502], np.hstack([rows, rows])[500:502])
    return spot.look(guarded(model, TimeLimit(None))), spot


def test_an_honest_model_is_not_doubted_and_the_check_costs_a_thousandth():
    doubts, spot = looked_at(Honest())
    assert doubts == ()
    assert 0 < spot.n_asked <= SHARE * spot.n_rows


def test_where_there_are_few_rows_none_is_asked_for_again():
    spot = SpotCheck()
    model = guarded(Honest(), TimeLimit(None), spot)
    for _ in range(100):
        model.predict(np.zeros((10, 1)), np.zeros((10, 2)))
        assert spot.look(model) == ()
    assert (spot.n_rows, spot.n_asked) == (1000, 0)


def test_tasks_look_and_tell():
    """Between tasks, as the rows allow; a fit is not asked for the whole of it."""
    spot = SpotCheck()
    for task in TASKS:
        assert perform(Honest(), GRID, FitSettings(starts=8), task, spot=spot).doubts == ()
    assert 0 < spot.n_asked <= SHARE * spot.n_rows


def test_another_value_in_the_same_call_is_told_with_the_row():
    """However small the difference."""
    doubts, _ = looked_at(Noisy())
    assert {doubt.kind for doubt in doubts} == {"predict gives another value for the same row in the same call"}
    assert "at x = " in doubts[0].account
    assert ", b = " in doubts[0].account


@pytest.mark.parametrize(("size", "is_told"), [(1e-11, True), (1e-15, False)])
def test_another_value_in_another_batch_is_told_beyond_rounding(size, is_told):
    doubts, _ = looked_at(Batchy(size))
    kinds = {"predict gives another value for the same row in another batch"} if is_told else set()
    assert {doubt.kind for doubt in doubts} == kinds


def test_the_check_changes_no_result():
    with_it = perform(Honest(), GRID, FitSettings(starts=8), TASKS[0], spot=SpotCheck()).results
    without = perform(Honest(), GRID, FitSettings(starts=8), TASKS[0]).results
    for field in fields(with_it):
        first, second = getattr(with_it, field.name), getattr(without, field.name)
        if field.name != "fit_seconds" and isinstance(first, np.ndarray):
            assert first.tobytes() == second.tobytes(), field.name


@pytest.mark.parametrize(("model", "n_doubts"), [(Honest(), 0), (Noisy(), 1), (Batchy(1e-11), 1)])
def test_the_trial_before_a_scan_is_repeated_too(model, n_doubts):
    """A small scan has no thousandth of rows to spare."""
    assert len(doubts_of_trial(model, GRID)) == n_doubts
