"""How many scan axes the data determine: the growth of the rank, against exact ranks and hand-made models."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_models import leptons

from hpcscan.fitting.block import fit_block
from hpcscan.fitting.curvature import ranks
from hpcscan.fitting.ends import Minima
from hpcscan.fitting.evidence import ranks_of_starts
from hpcscan.fitting.records import Status
from hpcscan.fitting.starts import draw_starts
from hpcscan.likelihood.objective import Given, Objective
from hpcscan.model import Parameter
from hpcscan.model.problem import Observable, Problem
from hpcscan.settings import FitSettings

LEPTONS = np.array([[3.1, 0.015], [2.95, 0.005], [3.25, 0.05], [3.0, 0.02]])


def count(model: Problem, points: np.ndarray) -> list[int]:
    return [*fit_block(model, points, np.arange(len(points)), FitSettings(starts=8)).n_determined_axes]


class Affine(Problem):
    """Predictions P x + A u for integer matrices, with one scale for all or none; sizes as different as units make."""

    def __init__(self, of_parameters: np.ndarray, of_axes: np.ndarray, scale: str | None = None) -> None:
        self.of_parameters, self.of_axes = of_parameters, of_axes
        self.axes = tuple(Parameter(f"u{k}") for k in range(of_axes.shape[1]))
        self.parameters = tuple(Parameter(f"x{j}", -5.0, 5.0) for j in range(of_parameters.shape[1]))
        self.observables = tuple(Observable(f"y{i}", 1.0 + i, 0.1, scale) for i in range(len(of_axes)))

    def predict(self, points: np.ndarray, parameters: np.ndarray) -> np.ndarray:
        return parameters @ self.of_parameters.T + points @ self.of_axes.T + 1.0


def matrices(rows: int, columns: int) -> st.SearchStrategy[np.ndarray]:
    cells = st.lists(st.integers(-2, 2), min_size=rows * columns, max_size=rows * columns)
    return cells.map(lambda values: np.array(values, float).reshape(rows, columns))


@settings(max_examples=40)
@given(st.integers(1, 5).flatmap(lambda rows: st.tuples(matrices(rows, 2), matrices(rows, 2))))
def test_the_count_is_the_growth_of_the_exact_rank(both) -> None:
    of_parameters, of_axes = both
    expected = np.linalg.matrix_rank(np.hstack(both)) - np.linalg.matrix_rank(of_parameters)
    # Bounds wide enough hold nothing; where one does, it frees room for an axis.
    model = Affine(of_parameters, of_axes)
    result = fit_block(model, np.array([[0.3, 0.0], [1.2, 250.0]]), np.arange(2), FitSettings(starts=8))
    free = (result.bound_multiplier == 0).all(axis=1)
    assert (result.n_determined_axes[free] == expected).all()


def test_a_scale_takes_room() -> None:
    """One parameter and two axes: three data determine them, but with a scale there is room for one axis less."""
    columns = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    assert count(Affine(columns[:, :1], columns[:, 1:]), np.array([[0.3, 0.2]] * 2)) == [2, 2]
    assert count(Affine(columns[:, :1], columns[:, 1:], "S"), np.array([[0.3, 0.2]] * 2)) == [1, 1]


@pytest.mark.parametrize(("box", "expected"), [("published", 1), ("widened", 0)])
def test_the_lepton_model(box: str, expected: int) -> None:
    """Three masses and a scale: rank 2 leaves nothing for β and w; in the published box, where it is 1, one."""
    assert count(leptons(box=box), LEPTONS) == [expected] * len(LEPTONS)


def test_the_count_does_not_depend_on_the_rows_beside() -> None:
    model = leptons(box="published")
    assert [count(model, point[None])[0] for point in LEPTONS] == count(model, LEPTONS)


class Edged(Affine):
    """Defined at the grid points alone, as a table would be; elsewhere it raises, or has no number."""

    def __init__(self, raises: bool) -> None:
        super().__init__(np.eye(3)[:, :1], np.eye(3)[:, 1:])
        self.raises = raises

    def predict(self, points: np.ndarray, parameters: np.ndarray) -> np.ndarray:
        is_off = ~np.isin(points[:, 0], (0.5, 2.0))
        if self.raises and is_off.any():
            raise KeyError("not in the table")
        return np.where(is_off[:, None], np.nan, super().predict(points, parameters))


@pytest.mark.parametrize("raises", [True, False])
def test_an_axis_along_which_the_model_is_not_defined_is_not_determined(raises: bool) -> None:
    points = np.array([[0.5, 1.0], [2.0, 1.0], [0.5, 3.0]])
    result = fit_block(Edged(raises), points, np.arange(3), FitSettings(starts=8))
    assert [*result.n_determined_axes] == [1, 1, 1], "the other axis is"
    assert np.isfinite(result.chi2).all()


class Wiggle(Affine):
    """A fast oscillation on a large coordinate: differences with a relative step say nothing of it."""

    def __init__(self, period: float) -> None:
        super().__init__(np.eye(2)[:, :1], np.eye(2)[:, 1:])
        self.period = period

    def predict(self, points: np.ndarray, parameters: np.ndarray) -> np.ndarray:
        wave = np.sin(2 * np.pi * points / self.period)
        return super().predict(wave, parameters)


@pytest.mark.parametrize(("period", "expected"), [(1e6, 1), (100.0, 1), (1e-3, 0)])
def test_a_derivative_that_cannot_be_resolved_is_not_believed(period: float, expected: int) -> None:
    assert count(Wiggle(period), np.array([[2024.1], [2024.3]])) == [expected] * 2


@pytest.mark.parametrize(("moment", "largest"), [("none", 2), ("uniform", 4)])
def test_every_scale_takes_one_dimension_from_the_residuals(moment: str, largest: int) -> None:
    """A rank is looked for at no more places once it is as large as it can be: data less scales."""
    problem = leptons(moment=moment)
    points = np.array([[3.0, 0.02]])
    objective = Objective(problem, n_points=1)
    drawn = draw_starts(objective.box, points, seed=1, n_starts=64)
    there = Given(np.repeat(points, 64, axis=0).T)
    at = objective.evaluate(there, drawn[:, 0])
    found = ranks(objective.jacobian(there, drawn[:, 0], at), objective.null(at))
    assert found.max() == largest == len(problem.observables) - len(objective.groups)
    ends = Minima.not_run(len(drawn), 64)
    ends.status[0], ends.x[:, 0] = Status.CONVERGED, drawn[:, 0, 0]
    assert ranks_of_starts(objective, points, np.arange(1), drawn, ends).tolist() == [largest]
    # Of prediction and Jacobian at one place.
    assert objective.tally.n_rows == [2]
