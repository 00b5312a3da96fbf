"""Toys with more than one minimum: t is that of brute force, whichever of both fits has them, in every block."""

from __future__ import annotations

import numpy as np
import pytest

from hpcscan.model import Gaussian, Model, Parameter
from hpcscan.model.posing import pose
from hpcscan.toys.toy_ends import Shared
from hpcscan.toys.toy_fits import BLOCK, Blocks, ToyFitter
from toys.models import toys_of

#: Nodes of a search along every parameter, and how often it is narrowed
NODES, STEPS = 201, 25


class Squared(Model):
    """A nuisance parameter enters by its square, too: with m held, χ² has a minimum at its bound and one inside."""

    parameters = (Parameter("m", 0.0, 5.0), Parameter("b", 0.0, 3.0))
    data = (Gaussian("y", [0.3, -0.8], [0.6, 0.9]),)

    def predict(self, m, b):
        return {"y": np.concatenate([m + b * b, b - 0.5 * m], axis=1)}


class Strong(Model):
    """Exponentials and a square: both fits have several minima."""

    parameters = (Parameter("m", -3.0, 3.0), Parameter("d", -2.0, 2.0))
    data = (Gaussian("y", [2.0, 0.5, 1.0], [0.7, 0.5, 0.9]),)

    def predict(self, m, d):
        y = [np.exp(3 * m - d), 0.3 * np.exp(2 * d) + m, np.tanh(4 * m) + d * d]
        return {"y": np.concatenate(y, axis=1)}


def chi2(model, x, data):
    """Compute χ² of parameters, shape (..., 2), and data that suit them."""
    predicted = model.predict(x[..., :1].reshape(-1, 1), x[..., 1:].reshape(-1, 1))["y"]
    return (((predicted.reshape(*x.shape[:-1], -1) - data) / model.data[0].sigma) ** 2).sum(axis=-1)


def lowest(model, data, m=None):
    """Find the lowest χ² of every toy on a fine grid, and near there on finer ones; m may be held."""
    lower, upper = (np.array([getattr(p, name) for p in model.parameters]) for name in ("lower", "upper"))
    if m is not None:
        lower[0] = upper[0] = m
    axes = [np.linspace(low, high, NODES if high > low else 1) for low, high in zip(lower, upper, strict=True)]
    nodes = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    best = nodes[[chi2(model, nodes, one).argmin() for one in data]]
    around = np.stack(np.meshgrid(*[np.arange(-2.0, 3)] * 2, indexing="ij"), axis=-1).reshape(-1, 2)
    for step in range(STEPS):
        tries = np.clip(best[:, None] + around * (upper - lower) / (NODES - 1) / 1.5**step, lower, upper)
        best = tries[np.arange(len(best)), chi2(model, tries, data[:, None]).argmin(axis=1)]
    return chi2(model, best, data)


@pytest.fixture
def fitted(monkeypatch):
    """What blocks of toys came out as: z, data, and the ends of both fits."""
    found, toys, summed = [], ToyFitter._toys, ToyFitter._summed

    def making(self, blocks):
        self.data = toys(self, blocks)
        return self.data

    def recording(self, blocks, null, end, is_lower):
        found.append((np.repeat(blocks.z, BLOCK, axis=0), self.data, null, end))
        return summed(self, blocks, null, end, is_lower)

    monkeypatch.setattr(ToyFitter, "_toys", making)
    monkeypatch.setattr(ToyFitter, "_summed", recording)
    return found


@pytest.mark.parametrize(
    ("model", "values"), [(Squared(), [0.0, 0.8, 2.5]), (Strong(), [-0.5, 0.2, 0.6])], ids=["squared", "strong"]
)
def test_no_toy_has_a_lower_minimum(fitted, model, values):
    """Neither fit ends higher than brute force, and t is the difference of χ² at the places where they end."""
    # At this level all points are in the region: it has no ends between points.
    tally = toys_of(model, {"m": values}, n_toys=200, cl=(0.9999,), is_adaptive=False).tally
    for m, of_place in zip(values, tally.t, strict=True):
        t = np.empty(0)
        for z, data, null, end in fitted[:2]:
            here = np.flatnonzero(z[:, 0] == m)
            held, released = (
                chi2(model, np.insert(null.x, 0, m, axis=1)[here], data[here]),
                chi2(model, end.x, data)[here],
            )
            assert (held <= lowest(model, data[here], m) + 1e-6).all()
            assert (released <= lowest(model, data[here]) + 1e-6).all()
            t = np.concatenate([t, held - released])
        np.testing.assert_allclose(of_place, t, rtol=0, atol=1e-6)


def test_what_toys_of_a_place_share_is_asked_for_once():
    """By all who make toys of one run, which come out the same."""
    rows = 0

    class Counted(Squared):
        def predict(self, m, b):
            nonlocal rows
            rows += len(m)
            return super().predict(m, b)

    makings = []
    toys_of(Counted(), {"m": [0.8, 2.5]}, n_toys=100, cl=(0.9999,), makings=makings)
    place = makings[0].minima[:1]
    block = Blocks(place, np.zeros(1, int), np.zeros(1, int), np.ones(1, bool), np.zeros(1, int))
    free, shared, asked, t = pose(Counted(), ("m",)).released(), Shared(), [], []
    for known in (shared, shared, Shared()):
        rows = 0
        t.append(ToyFitter(free, makings[0], known)(block).t.tobytes())
        asked.append(rows)
    assert t[0] == t[1] == t[2]
    assert asked[0] == asked[2] > asked[1] + 600
