"""Rows of a model: every one is counted, they are few, and a row has the same bits whatever is asked with it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcscan import Gaussian, Likelihood, Model, Parameter
from hpcscan.fitting.block import fit_block
from hpcscan.fitting.records import QUANTITIES, PointResults
from hpcscan.fitting.refit import refit_block
from hpcscan.likelihood.objective import Given, Objective, RowTally
from hpcscan.likelihood.rows import in_calls
from hpcscan.model.posing import pose
from hpcscan.model.problem import Problem
from hpcscan.settings import FitSettings, ProofBudget, StartRange

T = np.linspace(0.0, 3.0, 14)
Y = 1.3 * np.exp(-0.7 * T) + 0.2 * T + 0.02 * np.sin(9 * T)
POINTS = np.linspace(0.1, 0.9, 7)[:, None]


class Counting(Model):
    """Counts the rows it is asked for; one row a call, so that none is there to fill up."""

    rows_per_call = 1
    parameters = (
        Parameter("slope", 0.0, 1.0),
        Parameter("size", -4.0, 4.0),
        Parameter("rate", 0.0, 3.0),
        Parameter("offset", start=(-1.0, 1.0)),
    )
    data = (Gaussian("y", Y, 0.05),)

    def __init__(self) -> None:
        self.n_rows = 0

    def predict(self, slope: Any, size: Any, rate: Any, offset: Any) -> dict[str, Any]:
        self.n_rows += len(size) if isinstance(size, np.ndarray) else 0
        return {"y": size * np.exp(-rate * T) + slope * T + offset}


class Partly(Counting):
    """It gives some derivatives."""

    def jacobian(self, slope: Any, size: Any, rate: Any, offset: Any) -> dict[str, dict[str, Any]]:
        self.n_rows += len(size)
        return {"y": {"size": np.exp(-rate * T), "offset": np.ones((len(size), len(T)))}}


class Number(Likelihood):
    """The same as a number."""

    rows_per_call = 1
    parameters = Counting.parameters

    def __init__(self) -> None:
        self.n_rows = 0

    def twice_nll(self, slope: Any, size: Any, rate: Any, offset: Any) -> Any:
        self.n_rows += len(size)
        return (((size * np.exp(-rate * T) + slope * T + offset - Y) / 0.05) ** 2).sum(axis=1)


class Mixed(Counting):
    """Its sums run over the rows' axis in other orders in other batches."""

    rows_per_call = 16
    kernel = np.random.default_rng(3).normal(size=(14, 14)) / 40

    def predict(self, **parameters: Any) -> dict[str, Any]:
        plain = super().predict(**parameters)["y"]
        return {"y": plain + plain @ self.kernel}


@pytest.mark.parametrize("model", [Counting, Partly, Number])
@pytest.mark.parametrize("starts", [1, 3, StartRange(2, 9)], ids=["1", "3", "2 to 9"])
def test_every_row_that_a_model_is_asked_for_is_counted(model: type, starts: Any) -> None:
    """Starts, derivatives, ranks and descriptions, and refits whether they help or not: to the last row."""
    user = model()
    problem, chosen = pose(user, ("slope",)), FitSettings(starts=starts, proof=None)
    # Which derivatives a model gives is asked once, on nobody's account.
    asked = 2 if model is Partly else 0
    results = fit_block(problem, POINTS, np.arange(7), chosen)
    assert results.n_model_rows.sum() + asked / 2 == user.n_rows
    assert (results.n_model_rows > 0).all()
    again = refit_block(problem, POINTS, results.profiled_parameter[::-1, None], results, chosen)
    assert again.n_model_rows.sum() + asked == user.n_rows


def test_the_trial_values_of_proofs_are_counted_too() -> None:
    """A proof asks for whole calls; what fills them up is not on a point's account."""
    user = Counting()
    problem = pose(user, ("slope",))
    chosen = FitSettings(starts=1, proof=ProofBudget(200), is_enclosable=True)
    results = fit_block(problem, POINTS, np.arange(7), chosen)
    without = fit_block(problem, POINTS, np.arange(7), FitSettings(starts=1, proof=None))
    assert (results.n_model_rows > without.n_model_rows).all()
    assert (results.n_boxes > 0).all()


def test_a_derivative_that_is_given_is_not_differenced() -> None:
    objectives = [Objective(pose(model(), ("slope",)), n_points=1) for model in (Counting, Partly)]
    n_rows = []
    for objective in objectives:
        x, of_row = np.full((3, 2), 0.3), Given(np.full((1, 2), 0.5), owner=np.zeros(2, np.int64))
        at = objective.evaluate(of_row, x)
        before = int(objective.tally.n_rows[0])
        slopes = objective.forward_slopes(of_row, x, at)
        n_rows.append(int(objective.tally.n_rows[0]) - before)
        exact = np.stack([np.exp(-0.3 * T), -T * 0.3 * np.exp(-0.3 * T), np.ones(14)], axis=1)
        np.testing.assert_allclose(slopes[:, :, 0], exact * objective.box.width[:, 0] / 0.05, rtol=1e-6, atol=1e-6)
    assert n_rows == [3, 2], "one each by three parameters; one by one of them, and one of the model's own"


def assert_same_bits(a: PointResults, b: PointResults) -> None:
    for name, about in QUANTITIES.items():
        assert about.role == "run" or getattr(a, name).tobytes() == getattr(b, name).tobytes(), name


@pytest.mark.parametrize("model", [Mixed, Partly, Number])
@settings(max_examples=6)
@given(cuts=st.lists(st.integers(1, 6), max_size=4))
def test_a_grid_is_cut_anywhere_with_the_same_bits(model: type, cuts: list[int]) -> None:
    """Also for a model whose rows have other bits in batches of other sizes."""
    problem, chosen = pose(model(), ("slope",)), FitSettings(starts=StartRange(2, 5), proof=None)
    whole = fit_block(problem, POINTS, np.arange(7), chosen)
    edges = sorted({0, 7, *cuts})
    parts = [fit_block(problem, POINTS[i:j], np.arange(i, j), chosen) for i, j in pairwise(edges)]
    assert_same_bits(whole, PointResults.joined(parts))


def test_what_makes_the_bits_of_a_batch_differ_is_there() -> None:
    """Else the test above would show nothing."""
    problem: Problem = pose(Mixed(), ("slope",))
    rng = np.random.default_rng(1)
    rows = [(rng.random((1, 1)), rng.random((1, 3))) for _ in range(64)]
    together = problem.predict(*(np.concatenate(part) for part in zip(*rows, strict=True)))
    alone = np.concatenate([problem.predict(*row) for row in rows])
    assert together.tobytes() != alone.tobytes()


def test_a_count_of_rows_does_not_depend_on_what_other_points_ask_for() -> None:
    """Two equal rows of a point are one, whatever stands between them; those of others are others."""
    tally, owner, parameters = RowTally(3), np.array([0, 1, 0, 1, 2]), np.array([[5.0], [5.0], [5.0], [6.0], [6.0]])
    points = np.where(owner == 0, 0.0, 0.25)[:, None]
    tally.add(owner, points, parameters)
    assert tally.n_rows.tolist() == [1, 2, 1]
    alone = RowTally(3)
    for point in range(3):
        own = owner == point
        alone.add(owner[own], points[own], parameters[own])
    assert alone.n_rows.tolist() == tally.n_rows.tolist()


def test_a_row_that_is_no_number_is_one_however_often_it_is_repeated() -> None:
    """A step that overflows leads there, and a point that is alone has every row twice."""
    tally, twice = RowTally(1), np.full((2, 3), np.nan)
    tally.add(np.zeros(2, np.int64), np.zeros((2, 1)), twice)
    assert tally.n_rows.tolist() == [1]
    problem = pose(Counting(), ("slope",))
    in_calls(problem, problem.predict, np.zeros((2, 1)), twice)
    assert problem.user_model.n_rows == 1
