"""Models whose predict cannot be enclosed, and which enclose their predictions themselves."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy.integrate import quad

import hpcscan
from hpcscan import Gaussian, Model, Parameter, Poisson
from hpcscan.errors import UsageError
from hpcscan.likelihood.objective import Given, Objective
from hpcscan.model import Likelihood
from hpcscan.model.posing import pose
from hpcscan.proof.box_problem import MISSED
from hpcscan.proof.condition import NotEnclosable
from hpcscan.proof.posed import pose_proof
from hpcscan.scanning.strategy import outlook

X = np.linspace(0.1, 2.0, 12)
RNG = np.random.default_rng(0)
SLACK = 1e-14


class Onset(Model):
    """A line that begins at an unknown place; several kinds of data."""

    parameters = (Parameter("slope", 0.5, 3.0), Parameter("onset", 0.2, 1.8), Parameter("base", 0.1, 1.0))

    def __init__(self, kind: str = "values") -> None:
        expected = np.where(X > 0.9, 1.5 * (X - 0.9), 0.0) + 0.3
        noisy = expected + 0.1 * RNG.normal(size=12)
        self.data = {
            "values": (Gaussian("y", noisy, 0.1), Gaussian("b", 0.3, 0.05)),
            "scaled": (Gaussian("y", 2 * noisy, 0.1, scale="S"), Gaussian("b", 0.3, 0.05)),
            "counts": (Poisson("y", np.round(10 * expected), scale="S"), Gaussian("b", 0.3, 0.05)),
            "correlated": (Gaussian("y", noisy, covariance=0.01 * (np.eye(12) + 0.5)), Gaussian("b", 0.3, 0.05)),
        }[kind]

    def predict(self, slope, onset, base):
        rows = zip(slope[:, 0].tolist(), onset[:, 0].tolist(), base[:, 0].tolist(), strict=True)
        y = [[b + s * (x - o) if x > o else b for x in X.tolist()] for s, o, b in rows]
        return {"y": np.array(y), "b": base}

    def enclose(self, lower, upper):
        low = lower["base"] + lower["slope"] * np.maximum(X - upper["onset"], 0) - SLACK
        high = upper["base"] + upper["slope"] * np.maximum(X - lower["onset"], 0) + SLACK
        return {"y": low, "b": lower["base"]}, {"y": high, "b": upper["base"]}


@pytest.mark.parametrize("kind", ["values", "scaled", "counts", "correlated"])
def test_a_branch_is_proven(kind):
    """And no value on a fine grid of the profiled parameter is below the bound, or much below what is proven."""
    model = Onset(kind)
    found = hpcscan.scan(model, {"slope": [1.2, 1.5]}, fix={"base": 0.3}, answer=False).to_xarray()
    assert (found["evidence"].values == 2).all()
    assert (found["n_boxes"].values > 10).all()
    onset = np.linspace(0.2, 1.8, 4001)
    problem = pose(model, ("slope",), {"base": 0.3})
    for k, slope in enumerate((1.2, 1.5)):
        chi2 = fitted_chi2(problem, slope, onset)
        assert chi2.min() >= found["chi2_lower_bound"].values[k]
        assert chi2.min() == pytest.approx(found["chi2"].values[k], abs=0.02)


def fitted_chi2(problem, slope, onset):
    """Compute χ² as a fit does."""
    points = np.full((1, len(onset)), slope)
    return Objective(problem).evaluate(Given(points), onset[None]).chi2


class Integral(Model):
    """A function of scipy, monotone in its parameters; a constraint beside it."""

    parameters = (
        Parameter("p", 0.5, 2.0),
        Parameter("q", 0.1, 3.0, constraint=(1.0, 0.5)),
        Parameter("r", 0.1, 1.0),
    )
    data = (Gaussian("y", [0.5, 0.7, 1.1], 0.2),)

    def predict(self, p, q, r):
        value = [quad(lambda t, a: np.exp(-a * t * t), 0, 1, args=(float(a),))[0] for a in q[:, 0]]
        return {"y": np.array(value)[:, None] * np.array([0.7, 1.0, 1.5]) * p + r * np.array([0.0, 0.1, 0.2])}

    def enclose(self, lower, upper):
        ends = self.predict(lower["p"], upper["q"], lower["r"]), self.predict(upper["p"], lower["q"], upper["r"])
        return {"y": ends[0]["y"] - 1e-9}, {"y": ends[1]["y"] + 1e-9}


def test_an_integral_in_two_parameters_is_proven_or_bounded():
    """The bound is one whatever the budget, and grows with it."""
    problem = pose(Integral(), ("p",))
    point, known = np.array([[1.0]]), (np.array([np.inf]), np.array([[1.0, 0.5]]))
    proofs = [pose_proof(problem).prove(point, known, boxes) for boxes in (50, 400)]
    bounds = [float(proof.lower_bound[0]) for proof in proofs]
    fitted = hpcscan.scan(Integral(), {"p": [1.0]}, answer=False, proof=False).to_xarray()["chi2"].values[0]
    assert 0 < bounds[0] < bounds[1] <= fitted
    assert proofs[1].chi2[0] == pytest.approx(fitted, abs=0.05)
    assert proofs[1].obstacle == ""


class Changed(Onset):
    """An enclosure with something wrong."""

    def __init__(self, change) -> None:
        super().__init__()
        self.change = change

    def enclose(self, lower, upper):
        return self.change(self, lower, upper, *super().enclose(lower, upper))


def middle(model, lower, upper, *_):
    """What is predicted in the middle of a box."""
    y = model.predict(**{name: 0.5 * (lower[name] + upper[name]) for name in lower})
    return y, y


def shifted(_, lower, upper, low, high):
    return {**low, "y": low["y"] + 0.01}, {**high, "y": high["y"] + 0.01}


def shifted_within(_, lower, upper, low, high):
    """Only in boxes that are wide, and away from where boxes are tried first."""
    wide = np.where((upper["onset"] - lower["onset"] > 0.02) & (lower["onset"] > 0.85) & (upper["onset"] < 1.0), 0.3, 0)
    return {**low, "y": low["y"] + wide}, {**high, "y": high["y"] + wide}


@pytest.mark.parametrize("change", [middle, shifted, shifted_within])
def test_an_enclosure_that_leaves_out_a_prediction_proves_nothing(change):
    problem = pose(Changed(change), ("slope",), {"base": 0.3})
    proof = pose_proof(problem).prove(np.array([[1.5]]), (np.array([np.inf]), np.array([[0.5]])), 3000)
    assert not proof.is_closed.any()
    assert proof.lower_bound.tolist() == [-np.inf]
    assert proof.obstacle.startswith(MISSED)
    assert "y[" in proof.obstacle and "onset=" in proof.obstacle


WRONG = {
    "a dict; expected a pair": lambda m, a, b, low, high: low,
    "3 of them": lambda m, a, b, low, high: (low, high, high),
    "no b": lambda m, a, b, low, high: ({"y": low["y"]}, high),
    "'z' besides": lambda m, a, b, low, high: ({**low, "z": low["y"]}, high),
    "expected \\(1, 12\\)": lambda m, a, b, low, high: ({**low, "y": low["y"][:, :5]}, high),
    "NaN for y.0": lambda m, a, b, low, high: ({**low, "y": low["y"] * np.nan}, high),
    "above upper": lambda m, a, b, low, high: (high, low),
    "KeyError": lambda m, a, b, low, high: a["slop"],
    "real numbers": lambda m, a, b, low, high: (low, {**high, "y": high["y"] + 0j}),
}


@pytest.mark.parametrize("said", WRONG)
def test_what_is_no_enclosure_is_told(said):
    problem = pose(Changed(WRONG[said]), ("slope",), {"base": 0.3})
    with pytest.raises(NotEnclosable, match=said):
        pose_proof(problem).proof.enclose({"slope": np.ones(1), "base": np.ones(1)}, {"onset": np.ones((1, 1))})
    with pytest.raises(UsageError if said != "KeyError" else (UsageError, KeyError)):
        hpcscan.scan(Changed(WRONG[said]), {"slope": [1.0]}, answer=False)


def test_a_point_is_proven_as_it_is_alone():
    """The same bits in every batch, and whatever is wrong at another point."""

    def wrong_at_two(_, lower, upper, low, high):
        wrong = np.where(lower["slope"] == 2.0, 0.05, 0.0)
        return {**low, "y": low["y"] + wrong}, {**high, "y": high["y"] + wrong}

    posed = pose_proof(pose(Changed(wrong_at_two), ("slope",), {"base": 0.3}))
    slopes, known = np.array([[1.0], [1.5], [2.0]]), (np.full(3, np.inf), np.full((3, 1), 0.5))
    together = posed.prove(slopes, known, 2000)
    assert together.is_closed.tolist() == [True, True, False]
    for k in (0, 1):
        alone = posed.prove(slopes[k : k + 1], (known[0][:1], known[1][:1]), 2000)
        assert (alone.lower_bound[0], alone.n_boxes[0]) == (together.lower_bound[k], together.n_boxes[k])


class Endless(Onset):
    """A parameter without bounds."""

    parameters = (*Onset.parameters[:2], Parameter("base", start=(0.0, 1.0)))


class Number(Likelihood):
    """No predictions."""

    parameters = (Parameter("a", 0.0, 1.0),)

    def twice_nll(self, a):
        return (a**2)[:, 0]


class Branching(Onset):
    """Without an enclosure of its own."""

    enclose = Model.enclose


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (Onset(), "minima can be proven from what the model encloses itself"),
        (Endless(), "no finite bounds of base"),
        (Branching(), r"tolist.*; or give the model a method enclose\(lower, upper\)"),
        (Number(), "gives −2 ln L and no predictions"),
    ],
    ids=["own", "endless", "branch", "number"],
)
def test_what_is_said_of_a_model(model, said):
    assert re.search(said, outlook(model)), outlook(model)
