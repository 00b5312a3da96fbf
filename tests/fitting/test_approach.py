"""The approach of starts of data with several scales, and Newton's steps along valleys."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcscan.fitting import methods
from hpcscan.fitting.approach import MOST_STEPS, _step, approach, can_approach
from hpcscan.fitting.block import fit_starts
from hpcscan.fitting.ends import Launch
from hpcscan.fitting.quadratic import SHORT, _left_by_short_step
from hpcscan.fitting.starts import draw_starts
from hpcscan.likelihood.objective import Given, Objective
from hpcscan.model.data_terms import Gaussian
from hpcscan.model.interface import Model, Parameter
from hpcscan.model.posing import pose
from hpcscan.models.leptons.model import LeptonModel
from hpcscan.settings import FitSettings, StartRange

POINT = np.array([[1.5, 0.02]])


class Linear(Model):
    """Five values of five parameters; two of them with one scale, two with another, one without."""

    title = "linear"
    parameters = (Parameter("t", 0.0, 1.0), *(Parameter(f"p{j}", -1e6, 1e6, start=(0.0, 1.0)) for j in range(5)))

    def __init__(self, *, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.matrix, self.shift = rng.normal(size=(5, 5)), rng.uniform(1, 2, 5)
        y = rng.uniform(1, 2, 5)
        self.data = (
            Gaussian("one", y[:2], 0.1, scale="S"),
            Gaussian("two", y[2:4], 0.3, scale="C"),
            Gaussian("three", y[4], 0.2),
        )

    def predict(self, t, **p):
        values = np.concatenate(list(p.values()), axis=1) @ self.matrix.T + self.shift + 0 * t
        return {"one": values[:, :2], "two": values[:, 2:4], "three": values[:, 4:]}

    def jacobian(self, t, **p):
        def of(rows: slice) -> dict:
            return {name: self.matrix[rows, j] + 0 * t for j, name in enumerate(p)}

        return {"one": of(slice(0, 2)), "two": of(slice(2, 4)), "three": of(slice(4, 5))}


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_step_is_a_least_squares_problem_of_step_and_factors_together(seed: int) -> None:
    """Far from bounds: |s|² + |a + A s − p t|² over s and p, solved otherwise."""
    objective = Objective(pose(Linear(seed=seed), ("t",)))
    x = np.random.default_rng(seed).uniform(0.2, 0.8, (5, 3))
    at_rows = Given(np.full((1, 3), 0.5))
    at = objective.evaluate(at_rows, x)
    step, _ = _step(objective, at_rows, x)
    target, slopes = objective.terms.target[:, 0], objective.weighed(objective.slopes(at_rows, x, at), at)
    for row in range(3):
        value = at.residual[:, row] + target
        factors = np.zeros((5, 2))
        factors[:2, 0], factors[2:4, 1] = -target[:2], -target[2:4]
        # The distance to bounds is the box's width at most, and a little more.
        reach = 1 + 1e-3
        system = np.block([[reach * slopes[:, :, row], factors], [np.eye(5), np.zeros((5, 2))]])
        wanted = np.concatenate([np.where(np.arange(5) == 4, target, 0.0) - value, np.zeros(5)])
        expected = reach * np.linalg.lstsq(system, wanted, rcond=None)[0][:5]
        np.testing.assert_allclose(step[:, row], expected, rtol=1e-6, atol=1e-8 * np.abs(expected).max())


def moments(**options: str) -> Objective:
    return Objective(pose(LeptonModel(box="moments", moment="uniform", **options), ("beta", "w")))


def launch(objective: Objective, n: int = 16) -> Launch:
    start = draw_starts(objective.box, POINT, 42, n)[:, 0]
    return Launch(np.arange(n), Given(np.repeat(POINT.T, n, axis=1)), start)


def test_an_approach_stays_in_the_box_and_has_the_same_bits_alone() -> None:
    objective = moments()
    begun = launch(objective)
    place, n_steps = approach(objective, begun.given, begun.start)
    assert (place >= objective.box.lower).all()
    assert (place <= objective.box.upper).all()
    assert n_steps.max() == MOST_STEPS
    for row in (0, 5, 15):
        alone = begun.take(np.array([row]))
        place_alone, n_steps_alone = approach(objective, alone.given, alone.start)
        np.testing.assert_array_equal(place_alone[:, 0], place[:, row])
        assert n_steps_alone[0] == n_steps[row]
    assert approach(objective, begun.given, begun.start, 3)[1].max() == 3


def test_only_several_scales_hide_the_way() -> None:
    alone, several = Objective(pose(LeptonModel(), ("beta", "w"))), moments()
    begun = launch(several)
    assert can_approach(several, begun.given, begun.start)
    assert not can_approach(alone, begun.given, begun.start)


@pytest.mark.parametrize(
    ("box", "convention", "least"),
    [("moments", "physical", 13), ("moments", "authors", 13), ("widened", "physical", 14)],
)
def test_nearly_all_starts_of_masses_and_moments_find_the_minimum(
    monkeypatch: pytest.MonkeyPatch, box: str, convention: str, least: int
) -> None:
    """Where all are waited for."""
    monkeypatch.setattr(methods._Starts, "dispensable_above", lambda _, ends: np.full(len(ends.chi2), np.inf))
    problem = pose(LeptonModel(box=box, moment="uniform", convention=convention), ("beta", "w"))
    proof = FitSettings(starts=StartRange(16, 16)).proof if box == "moments" else None
    ends, result = fit_starts(problem, POINT, np.arange(1), FitSettings(starts=StartRange(16, 16), proof=proof))
    if proof is not None:
        assert (result.chi2 - result.chi2_lower_bound <= 1e-6 * result.chi2 + 1e-3).all()
    assert (ends.chi2 <= result.chi2 * (1 + 1e-8) + 1e-6).sum() >= least
    assert np.median(ends.n_iterations) <= 60


def test_residuals_left_by_a_short_step_are_those_of_a_damped_one() -> None:
    objective = moments()
    begun = launch(objective)
    at = objective.evaluate(begun.given, begun.start)
    jacobian = objective.jacobian(begun.given, begun.start, at)
    left = _left_by_short_step(objective, at, jacobian, objective.box.is_fixed)
    for row in range(16):
        J, r = jacobian[:, :, row], at.residual[:, row]
        damping = np.linalg.norm(J.T @ r) / SHORT
        step = np.linalg.lstsq(np.vstack([J, np.sqrt(damping) * np.eye(9)]), -np.append(r, np.zeros(9)), rcond=None)[0]
        assert np.linalg.norm(step) <= SHORT
        np.testing.assert_allclose(left[:, row], r + J @ step, rtol=1e-6, atol=1e-8 * np.abs(r).max())


class Discs(Model):
    """Predictions are roots, which are not defined in the corners of the box."""

    title = "discs"
    parameters = (Parameter("t", 0.0, 1.0), *(Parameter(f"p{j}", -3.0, 3.0) for j in range(4)))
    data = (Gaussian("one", (1.0, 2.0), 0.1, scale="S"), Gaussian("two", (1.0, 0.3), 0.1, scale="C"))

    def predict(self, t, p0, p1, p2, p3):
        s, u = np.sqrt(12 - p0**2 - p1**2), np.sqrt(12 - p2**2 - p3**2)
        one, two = (s * (1 + p0), p1 + 0.3), (u + p0, p3 * p2)
        return {"one": np.concatenate(one, axis=1), "two": np.concatenate(two, axis=1)}

    def jacobian(self, t, p0, p1, p2, p3):
        s, u, none = np.sqrt(12 - p0**2 - p1**2), np.sqrt(12 - p2**2 - p3**2), np.zeros_like(p0)

        def of(*slopes: tuple) -> dict:
            return {f"p{j}": np.concatenate(pair, axis=1) for j, pair in enumerate(slopes)}

        nothing = none, none
        return {
            "one": of((s - p0 / s * (1 + p0), none), (-p1 / s * (1 + p0), none + 1), nothing, nothing),
            "two": of((none + 1, none), nothing, (-p2 / u, p3), (-p3 / u, p2)),
        }


def test_a_start_is_kept_where_its_way_leads_to_where_nothing_is_defined() -> None:
    objective = Objective(pose(Discs(), ("t",)))
    point = np.array([[0.5]])
    start, where = draw_starts(objective.box, point, 42, 200)[:, 0], Given(np.full((1, 200), 0.5))
    assert can_approach(objective, where, start)
    place, n_steps = approach(objective, where, start)
    before, after = (np.isfinite(objective.evaluate(where, x).chi2) for x in (start, place))
    assert before.any() and not (before & ~after).any()
    assert (n_steps > 0).all() and (place != start).any()
