"""Fits by their response end where ordinary fits do, and starts that are seen to lead there are left rightly."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from likelihood.examples import Oscillation

from hpcscan.model import Gaussian, Model, Parameter, Poisson
from hpcscan.toys.basins import beside
from hpcscan.toys.response import Response
from hpcscan.toys.toy_fits import ToyFitter
from toys.models import Uncertain, toys_of

sys.path.insert(0, str(Path(__file__).parents[2] / "configs" / "plugins"))
from pendulum import Pendulum


class Correlated(Model):
    """Correlated values, one scale of values and counts, and a parameter on its bound in most toys."""

    x = np.arange(6.0)
    parameters = (Parameter("a", 0.2, 3.0), Parameter("b", 0.0, 1.0), Parameter("c", 0.0, 2.0, constraint=(0.1, 0.2)))
    data = (
        Gaussian("y", 9 * np.exp(-x), covariance=0.04 * np.eye(6) + 0.02, scale="S"),
        Poisson("n", [40.0, 28.0, 19.0], scale="S"),
    )

    def predict(self, a, b, c):
        return {"y": np.exp(-a * self.x) + 0.01 * c, "n": 4.4 * np.exp(-0.4 * a * self.x[:3]) * (1 + 0.2 * b**2) + c}


CASES = {
    "pendulum": (Pendulum(), {"gravity": [9.7, 9.9], "length": [1.0, 1.01]}),
    "oscillation": (Oscillation(), {"s": [0.8, 0.95], "d": [2.2, 2.8]}),
    "correlated": (Correlated(), {"a": [0.95, 1.1]}),
    "uncertain": (Uncertain(), {"signal": [2.0, 6.0]}),
}


@pytest.mark.parametrize("case", CASES)
def test_toys_have_the_t_of_ordinary_fits(monkeypatch, case):
    """Also with bounds, scales, covariances and counts; and as many random starts are lower."""
    model, axes = CASES[case]
    good = []
    fit = Response.fit

    def counted(*arguments):
        found = fit(*arguments)
        good.append(found.is_good.mean())
        return found

    monkeypatch.setattr(Response, "fit", counted)
    mine = toys_of(model, axes, n_toys=100).tally
    assert np.mean(good) > 0.75, f"{np.mean(good):.2f} of the fits arrive"
    monkeypatch.setattr(ToyFitter, "_responding", lambda self, free: None)
    ordinary = toys_of(model, axes, n_toys=100).tally
    np.testing.assert_allclose(mine.t, ordinary.t, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(mine.n_lower, ordinary.n_lower)


def test_a_toy_asks_for_few_rows():
    """Of a model with five parameters: two fits, with derivatives of their own once, and what places share."""
    rows = 0

    class Counted(Pendulum):
        def predict(self, **named):
            nonlocal rows
            rows += len(named["length"])
            return super().predict(**named)

    axes = {"gravity": np.linspace(9.7, 9.9, 2), "length": np.array([1.0])}
    before = [rows, toys_of(Counted(), axes, n_toys=100), rows][2]
    made = []
    rows = 0
    toys_of(Counted(), axes, n_toys=2000, is_adaptive=False, made=made)
    assert (rows - before) / (100 * (len(made) - 3)) < 20


def test_what_is_beside_a_minimum():
    """χ² rises by dᵀHd from there: by that, and not by far more, less or below."""
    hessian, apart = np.array([[3.0, 0.5], [0.5, 1.0]])[:, :, None], np.array([[0.5], [0.7]])
    rise = float(np.einsum("in,ijn,jn->n", apart, hessian, apart)[0])
    for above, expected in ((rise, True), (1.4 * rise, True), (2.5 * rise, False), (0.2 * rise, False), (-0.1, False)):
        assert beside(apart, hessian, np.array([above]))[0] == expected
    far = 3 * apart
    assert not beside(far, hessian, np.array([9 * rise]))[0]
    assert not beside(apart, np.full_like(hessian, np.nan), np.array([rise]))[0]
