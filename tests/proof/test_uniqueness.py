"""The only minimum near a fit: Hessian and minimum are where they are said to be; what a scan makes of it."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

import hpcscan
from hpcscan.fitting.records import Evidence, Status
from hpcscan.model import Gaussian, Model, Parameter
from hpcscan.proof import hessian
from hpcscan.proof.expansion import Ball
from hpcscan.proof.uniqueness import SIZES, unique_within
from proof.problems import block, case, cases, counts_block
from proof.uniqueness import exceeded, minima_of

PATHS = ("pendulum, all free", "covariance, scaled", "counts, scaled", "counts", "constrained", "one scale")
minima = cache(lambda name: minima_of(cases()[name]))


@pytest.mark.parametrize("name", PATHS)
def test_no_hessian_is_farther_from_1_than_is_said(name):
    """20 places in each of three neighbourhoods, for every kind of loss, with scales and covariances."""
    for seed, size in enumerate((0.1, 0.5, 2.0)):
        assert exceeded(cases()[name], minima(name), size, 20, seed) == 0


def without_residuals(patch):
    """Gauss's and Newton's part alone."""
    true = hessian.Derivatives._losses
    patch.setattr(
        hessian.Derivatives,
        "_losses",
        lambda s, rows: (Ball(*np.zeros((2, *rows.value.mid.shape))), *true(s, rows)[1:]),
    )


def small_reach(patch):
    """The mean value theorem for half of the neighbourhood."""
    true = hessian.Derivatives.error
    patch.setattr(hessian.Derivatives, "error", lambda s, spot, near, size: true(s, spot, near, 0.5 * size))


def without_turn(patch):
    """Weights of counts that stay as they are."""
    true = hessian.Derivatives._losses

    def losses(self, rows):
        slope, bend, turn = true(self, rows)
        return slope, Ball(bend.mid, 0 * bend.rad), Ball(0 * turn.mid, 0 * turn.rad)

    patch.setattr(hessian.Derivatives, "_losses", losses)


def without_scales(patch):
    """Scales that do not move."""
    true = hessian.Derivatives.rows

    def rows(self, point, lower, upper):
        n_s = self.system.n_s
        middle = 0.5 * (lower + upper)
        is_scale = np.arange(lower.shape[1]) < n_s
        return true(self, point, *(np.where(is_scale, middle, end) for end in (lower, upper)))

    patch.setattr(hessian.Derivatives, "rows", rows)


def narrow_bends(patch):
    """Second derivatives as in the middle of what they are in the box."""
    true = hessian.RowDerivatives.along

    def along(self, matrix):
        found = true(self, matrix)
        return replace(found, second=Ball(found.second.mid, 0 * found.second.rad))

    patch.setattr(hessian.RowDerivatives, "along", along)


MUTANTS = {
    without_residuals: "constrained",
    small_reach: "one scale",
    without_turn: "counts",
    without_scales: "one scale",
    narrow_bends: "positive amplitude",
}


@pytest.mark.parametrize(("mutate", "name"), MUTANTS.items())
def test_a_wrong_hessian_is_found_out(mutate, name, monkeypatch):
    x = minima(name)
    mutate(monkeypatch)
    assert any(exceeded(cases()[name], x, size, 20, seed=1) for size in (0.1, 0.5))


def wells(sigma: float):
    """χ² = ((x² − 1)/σ)²: minima at ±1, and between them χ² is convex from 1/√3 on."""
    return case(lambda p, x: {"y": p * x**2}, [block("y", 1.0, sigma)], {"x": (-3.0, 3.0, 1.0)}, p=[1.0])


@pytest.mark.parametrize("sigma", [2.0, 1.0, 0.5, 0.2, 0.1, 0.05])
def test_a_second_minimum_limits_what_is_said(sigma):
    """The standard deviation of x is σ/2; what is said is true, and at least a third of what could be."""
    possible = (1 - 1 / np.sqrt(3)) / (0.5 * sigma)
    within = unique_within(wells(sigma).problem, wells(sigma).held, np.array([[1.0]])).within[0]
    assert within <= possible
    assert within >= max([0.0, *(size for size in SIZES if size < possible / 3)])


def test_a_place_that_is_no_minimum_is_not_one():
    """A standard deviation is 0.05: a tenth of one beside the minimum nothing is said, a hundredth does not matter."""
    x = 1 + 0.05 * np.array([0.2, -0.2, 0.005, 0.0])
    found = unique_within(wells(0.1).problem, {"p": np.ones(4)}, x[:, None])
    assert (found.within[:2] == 0).all() and (found.within[2:] > 1).all()


def held_at_zero(slope: float, bend: float):
    """χ² falls with x beyond the bound at 0, or bends down there."""
    predict = lambda p, x, b: {"y": slope * x + bend * x**2 + 0 * p, "b": b + 0.3 * x}  # noqa: E731
    return case(
        predict, [block("y", -1.0, 1.0), block("b", 0.5, 0.1)], {"x": (0.0, 4.0, 1.0), "b": (-2, 2, 0.1)}, p=[1]
    )


def test_a_bound_that_holds_a_minimum_needs_no_curvature():
    """With the parameter at its bound the other one is quadratic: nothing limits what is said."""
    for model in (held_at_zero(3.0, -0.3), held_at_zero(3.0, 0.3)):
        assert unique_within(model.problem, model.held, np.array([[0.0, 0.5]])).within[0] >= 2
    # From the other end of its range the parameter is pulled inside: that is no minimum.
    model = held_at_zero(3.0, 0.3)
    assert unique_within(model.problem, model.held, np.array([[4.0, -0.7]])).within[0] == 0


def test_flat_directions_kinks_and_domains_are_no_minima():
    box = {"a": (0.0, 9.0, 1.0), "b": (0.0, 9.0, 1.0)}
    flat = case(lambda p, a, b: {"y": (a + b) * np.ones(3)}, [block("y", [1, 2, 3], 0.1)], box, p=[1.0])
    assert unique_within(flat.problem, flat.held, np.ones((1, 2))).within[0] == 0
    kink = case(lambda p, a: {"y": np.abs(a) + 0 * p}, [block("y", -1.0, 1.0)], {"a": (-1.0, 1.0, 0.5)}, p=[1.0])
    assert unique_within(kink.problem, kink.held, np.zeros((1, 1))).within[0] == 0
    root = case(lambda p, a: {"y": np.sqrt(a) + 0 * p}, [block("y", 0.1, 1.0)], {"a": (-1.0, 1.0, 0.5)}, p=[1.0])
    assert unique_within(root.problem, root.held, np.full((1, 1), 0.01)).within[0] == 0
    empty = case(lambda p, a: {"n": a - 1 + 0 * p}, [counts_block("n", [0.0])], {"a": (0.0, 9.0, 1.0)}, p=[1.0])
    assert unique_within(empty.problem, empty.held, np.ones((1, 1))).within[0] == 0


def test_what_cannot_be_enclosed_is_not_asked():
    """A branch on a parameter refuses one point, and not the others."""

    def predict(p, a):
        return {"y": a + 0 * p if (p > 0.5).all() or a[0, 0] > 0 else -a}

    model = case(predict, [block("y", 1.0, 0.1)], {"a": (-3.0, 3.0, 1.0)}, p=[1.0, 0.0])
    within = unique_within(model.problem, model.held, np.ones((2, 1))).within
    assert within[0] == SIZES[-1] and np.isnan(within[1])


def test_a_point_has_the_same_answer_alone_and_in_a_batch():
    model, x = cases()["counts, most empty"], minima("counts, most empty")
    whole = unique_within(model.problem, model.held, x).within
    assert len(np.unique(whole)) > 1
    for k in range(len(x)):
        alone = {name: value[[k]] for name, value in model.held.items()}
        assert unique_within(model.problem, alone, x[[k]]).within[0] == whole[k]


TIMES = np.linspace(0.0, 10.0, 60)
BUMPS = 12 * np.exp(-0.5 * ((TIMES - 4.1) / 0.6) ** 2) + 7 * np.exp(-0.5 * ((TIMES - 6) / 0.9) ** 2)


class TwoBumps(Model):
    """Two peaks on a line, which may change places: a proof of all of it takes more boxes than most have."""

    parameters = (
        *(Parameter(f"height{k}", 0.0, 30.0) for k in (1, 2)),
        *(Parameter(f"place{k}", 0.0, 10.0) for k in (1, 2)),
        *(Parameter(f"width{k}", 0.1, 3.0) for k in (1, 2)),
    )
    data = (Gaussian("y", BUMPS + 0.3 * np.sin(37 * TIMES), 0.5, x=TIMES),)

    def predict(self, **p):
        peaks = (p[f"height{k}"] * np.exp(-0.5 * ((TIMES - p[f"place{k}"]) / p[f"width{k}"]) ** 2) for k in (1, 2))
        return {"y": sum(peaks)}


def scanned(fix=(), **fit):
    grid = {"height1": [11.0, 12.0], "height2": [6.5, 7.5]}
    return hpcscan.scan(TwoBumps(), grid, fix={"width1": 0.6, **dict(fix)}, answer=False, **fit)


def test_it_is_evidence_of_its_own_and_no_convergence():
    """Of two starts nothing agrees: the points are unique, and have not converged; with many they have."""
    few = scanned({"place2": 6.0}, starts=2, proof={"boxes": 2})
    found = few.to_xarray()
    assert (found.evidence == Evidence.UNIQUE).all() and (found.unique_within >= 0.1).all()
    assert (found.status == Status.NOT_CONVERGED).all()
    text = " ".join(str(few.verdict()).split())
    assert "is shown to be the only one within" in text and "says nothing of lower ones elsewhere" in text
    many = scanned({"place2": 6.0}, starts=24, proof={"boxes": 2}).to_xarray()
    assert (many.evidence == Evidence.AGREED).all() and (many.status == Status.CONVERGED).all()
    assert (many.unique_within.values == found.unique_within.values).all()


def test_what_is_proven_is_not_asked_and_neither_is_anything_without_proofs():
    proven = scanned({"width2": 0.9, "place2": 6.0}).to_xarray()
    assert (proven.evidence == Evidence.PROVEN).all() and proven.unique_within.isnull().all()
    assert scanned(starts=2, proof=False).to_xarray().unique_within.isnull().all()
