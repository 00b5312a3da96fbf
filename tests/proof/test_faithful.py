"""No model is enclosed as another one: what numpy does with an option, a copy or a number is done, or refused.

And a model that computes something else with enclosed arrays than with numbers is noticed, and not proven.
"""

from __future__ import annotations

import copy

import numpy as np
import pytest

import hpcscan
from hpcscan import Gaussian, Model, Parameter
from hpcscan.model import where
from hpcscan.proof import tracing
from hpcscan.proof.box_problem import UNFAITHFUL
from hpcscan.proof.condition import NotEnclosable
from hpcscan.proof.enclosure import Enclosed
from proof.problems import block, case

X = np.linspace(0.1, 2.0, 5)


def written(make, part=slice(None)):
    """Change in place what is made of an array, then give the array itself."""

    def predict(a, b):
        table = np.concatenate([a, b, a * b], axis=1)
        made = make(table)
        made[part] += 1.0
        return table * 1.0

    return predict


def numbers(a, b):
    table, sums = np.concatenate([a, b], axis=1), np.zeros((len(a), 2))
    for k in range(len(a)):
        number = table[k, 0]
        number += b[k, 0]
        number *= 2.0
        sums[k, 0], sums[k, 1] = number, table[k, 0]
    return sums


def copied(a, b):
    first = a * b
    second = copy.copy(first)
    second += b
    return first * X


def assigned(a, b):
    table = a * X
    table[:, X > 1] = b
    return table


FAITHFUL = {
    "where by its promise": lambda a, b: where((a * X > b) & (b > 0.2), a * X, b),
    "clip by name": lambda a, b: np.clip(a * X, min=0.3, max=0.6) + (b * X).clip(min=0.3),
    "order": lambda a, b: np.stack([a[:, 0], b[:, 0]]).reshape((-1, 1), order="F") * X,
    "list of columns": written(lambda table: table[:, [0, 1]]),
    "mask of columns": written(lambda table: table[:, np.array([True, False, True])]),
    "slice": written(lambda table: table[:, 1:]),
    "plus": written(lambda table: +table),
    "astype": written(lambda table: table.astype(float)),
    "astype without a copy": written(lambda table: table.astype(float, copy=False)),
    "array": written(lambda table: np.array(table)),  # noqa: PLW0108 - np is another one in an enclosure
    "array without a copy": written(lambda table: np.array(table, copy=False)),
    "take": written(lambda table: np.take(table, [0, 1], axis=1)),
    "numbers": numbers,
    "copy": copied,
    "assigned": assigned,
    "a condition times": lambda a, b: (a > 0.5) * b,
    "times a condition": lambda a, b: b * (a > 0.5),
    "conditions times": lambda a, b: (a > 0.5) * (b > 0.2) * np.array([1.5, -2.0]) * (X[:2] > 1),
    "times in place": lambda a, b: np.multiply(a > 0.5, 3 * b) + np.multiply(2.0, b > 0.1),
    "angles of all directions": lambda a, b: np.arctan2(a, b) + np.arctan2(-b, 0.3),
    "beyond a table": lambda a, b: np.interp(a + b, [-0.5, -0.2, 0.6, 1.0], [1.0, 3.0, -1.0, 0.5]),
    "spread": lambda a, b: np.std(np.hstack([a, b, a * b]), axis=1, ddof=1) + np.hstack([a, b]).var(axis=1),
    "average": lambda a, b: np.average(np.hstack([a, b]), axis=1, weights=[1, 3])[:, None] + np.average([1.0, 2.0]) * a,
    "contraction": lambda a, b: np.tensordot((a * X)[:, :, None], np.ones((5, 1, 2)) * X[:, None, None], 2),
}
REFUSED = {
    "sum from": lambda a, b: np.sum(a * X, axis=1, initial=5.0),
    "sum where": lambda a, b: (a * X).sum(axis=1, where=X > 1),
    "mean where": lambda a, b: np.mean(a * X, axis=1, where=X > 1),
    "reduced from": lambda a, b: np.add.reduce(a * X, axis=1, initial=5.0),
    "largest from": lambda a, b: np.max(a * X, axis=1, initial=5.0),
    "product from": lambda a, b: np.prod(a * X, axis=1, initial=5.0),
    "difference with more": lambda a, b: np.diff(a * X, axis=1, prepend=0.0),
    "single precision": lambda a, b: np.exp(a, dtype=np.float32),
    "single precision array": lambda a, b: np.array(a, dtype=np.float32),
    "whole numbers": lambda a, b: np.asarray(3 * a, int),
    "whole numbers in a list": lambda a, b: np.array([a, b], dtype=int),
    "made for whole numbers": lambda a, b: np.zeros_like(a, dtype=int),
    "joined in single precision": lambda a, b: np.concatenate([a, b], dtype=np.float32),
    "joined elsewhere": lambda a, b: np.stack([a, b], out=np.empty((2, len(a), 1))),
    "axes": lambda a, b: np.matmul(a * X, np.eye(5), axes=[(-1, -2), (-1, -2), (-1, -2)]),
    "dot of three axes": lambda a, b: np.dot(a * X, np.ones((2, 5, 5))),
    "equal conditions": lambda a, b: np.where((a > 0.5) == True, a, b),  # noqa: E712
    "conditions apart": lambda a, b: np.where((a > 0.5) != (b > 0.5), a, b),
    "a condition and more": lambda a, b: (a > 0.5) + b,
    "a table of parameters": lambda a, b: np.interp(X, X, a * X),
    "a table that turns back": lambda a, b: np.interp(a, [0.0, 1.0, 0.5], [1.0, 2.0, 3.0]),
    "a table with ends": lambda a, b: np.interp(a, [0.0, 1.0], [1.0, 2.0], left=0.0),
    "a periodic table": lambda a, b: np.interp(a, [0.0, 1.0], [1.0, 2.0], period=1.5),
    "average and weights": lambda a, b: np.average(a * X, axis=1, returned=True)[0],
    "deviations where": lambda a, b: np.std(a * X, axis=1, where=X > 1),
    "weights of another shape": lambda a, b: np.average(a * X, weights=np.ones(4), axis=None),
    "complex": lambda a, b: np.abs(np.exp(1j * X * a)),
    "complex constants": lambda a, b: np.abs((0.5 + 1j) * X * a),
    "masked": lambda a, b: a * np.ma.masked_less(X, 1.0),
    "contiguous": written(lambda table: np.ascontiguousarray(table[:, 0])),
}


def enclosed(predict, low, high):
    columns = {name: (low[:, k, None], high[:, k, None]) for k, name in enumerate("ab")}
    arguments = {name: Enclosed(pair) for name, pair in columns.items()}
    return tracing.call(predict, arguments, tracing.places_of_numpy(predict))


@pytest.mark.filterwarnings("ignore:__array__ implementation")
@pytest.mark.parametrize("name", FAITHFUL)
def test_what_is_enclosed_is_what_numpy_computes(name):
    """At points, to rounding, and inside boxes."""
    rng = np.random.default_rng(1)
    x, width = rng.uniform(-1, 1.5, (40, 2)), 10 ** rng.uniform(-6, 0, (40, 1))
    for reach in (0 * width, width):
        out = enclosed(FAITHFUL[name], x - 0.5 * reach, x + reach)
        computed = FAITHFUL[name](x[:, :1].copy(), x[:, 1:].copy())
        assert (out.value[0] <= computed + 1e-13).all()
        assert (computed - 1e-13 <= out.value[1]).all()
        if not reach.any():
            assert (out.value[1] - out.value[0] < 1e-13).all()


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_be_enclosed_wrongly_is_refused(name):
    with pytest.raises(NotEnclosable):
        enclosed(REFUSED[name], np.zeros((3, 2)), np.ones((3, 2)))


def test_predictions_of_another_shape_are_refused():
    """Where the model gives them for enclosed arrays alone."""
    predict = lambda a, b: {"y": a if isinstance(a, np.ndarray) else np.concatenate([a, b, b], axis=1)}  # noqa: E731
    one = case(predict, [block("y", [0.0, 1.0], 1.0)], {"a": (0, 1, 0.3), "b": (0, 1, 0.2)})
    with pytest.raises(NotEnclosable, match="no arrays of the terms"):
        one.prove()


def caught(a, b):
    try:
        return np.array([[float(one)] for one in a[:, 0]]) * X
    except Exception:  # noqa: BLE001 - as users do
        return 2 * a * X


class Counted:
    n = 0


def counted(a, b):
    Counted.n += 1
    return a * X + Counted.n


UNFAITHFUL_MODELS = {
    "isinstance": lambda a, b: (a if isinstance(a, np.ndarray) else 2 * a) * X,
    "type": lambda a, b: (a if type(a).__module__ == "numpy" else 2 * a) * X,
    "hasattr": lambda a, b: (a if hasattr(a, "strides") else 2 * a) * X,
    "a unit's value": lambda a, b: (a.value[0] if hasattr(a, "value") else a) * X,
    "text": lambda a, b: (2 * a if "Enclosed" in str(a) else a) * X,
    "an exception": caught,
    "a state": counted,
    "random numbers": lambda a, b: a * X + 1e-3 * np.random.default_rng().normal(),
}


@pytest.mark.parametrize("name", UNFAITHFUL_MODELS)
def test_a_model_that_sees_what_it_is_given_is_not_proven(name):
    box = {"a": (0.0, 1.0, 0.3), "b": (0.0, 1.0, 0.2)}
    proof = case(lambda a, b: {"y": UNFAITHFUL_MODELS[name](a, b)}, [block("y", 0.4 * X, 0.1)], box).prove()
    assert proof.obstacle == UNFAITHFUL
    assert proof.lower_bound.tolist() == [-np.inf]
    assert not proof.is_closed.any()


class Partly(Model):
    """Cannot be enclosed where p is 0.9, and is another function for enclosed arrays where p is 0.5."""

    parameters = (Parameter("p", 0.0, 1.0), Parameter("a", 0.0, 1.0), Parameter("c", -1.0, 1.0))
    data = (Gaussian("y", 0.7 * X**2 + 0.1 * np.cos(9 * X), 0.1),)

    def predict(self, p, a, c):
        y = a * X ** (1 + p) + c
        is_near = (p == 0.5)[:, 0]
        if is_near.any() and not isinstance(a, np.ndarray):
            y = y + np.where(is_near[:, None], 1.0, 0.0)
        if (p == 0.9).any() and not isinstance(a, np.ndarray):
            y = np.sort(y, axis=1)
        return {"y": y}


def test_a_point_that_cannot_be_enclosed_leaves_the_others_proven():
    """Whatever block it is in."""
    places = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 1.0]
    # Without waves, in which the minimum that is proven would come from another start.
    starts = {"min": 1, "max": 16}
    together = hpcscan.scan(Partly(), {"p": places}, answer=False, starts=starts).to_xarray()
    proven = together["evidence"].values == 2
    assert proven.tolist() == [p not in (0.5, 0.9) for p in places]
    alone = [hpcscan.scan(Partly(), {"p": [p]}, answer=False, starts=starts).to_xarray() for p in (0.4, 0.5)]
    assert [int(one["evidence"].values[0] == 2) for one in alone] == [1, 0]
    assert together["chi2_lower_bound"].values[3] == alone[0]["chi2_lower_bound"].values[0]


class Buffered(Model):
    """A line that is computed in an array of its own, with a cache and a list beside it."""

    parameters = (Parameter("a", -2.0, 2.0), Parameter("b", -2.0, 2.0))
    data = (Gaussian("y", np.cos(X), 0.1),)

    def __init__(self):
        self.cache, self.seen, self.buffer = {"one": 1.0}, [1.0], None

    def predict(self, a, b):
        if self.buffer is None or len(self.buffer) != len(a):
            self.buffer = np.empty((len(a), len(X)))
            self.fresh = np.zeros(5)
        self.cache["a"] = a
        self.seen.append(b)
        self.buffer[:] = a + b * X
        return {"y": self.buffer}


def test_what_a_model_keeps_of_an_enclosure_is_taken_out_again():
    """Later calls see the attributes as they were, and the scan is that of a model that keeps nothing."""
    model = Buffered()
    one = Enclosed((np.array([[0.1]]), np.array([[0.2]])))
    tracing.call(model.predict, {"a": one, "b": one}, tracing.places_of_numpy(model.predict, model))
    assert vars(model) == {"cache": {"one": 1.0}, "seen": [1.0], "buffer": None}

    class Plain(Buffered):
        def predict(self, a, b):
            return {"y": a + b * X}

    kept, plain = (hpcscan.scan(m(), {"a": np.linspace(-1, 1, 5)}).to_xarray() for m in (Buffered, Plain))
    assert kept["chi2"].values == pytest.approx(plain["chi2"].values, rel=1e-9)
    assert (kept["status"].values == 1).all()


def test_an_array_that_is_kept_from_a_call_with_numbers_is_refused():
    model = Buffered()
    model.predict(np.ones((1, 1)), np.ones((1, 1)))
    one = Enclosed((np.array([[0.1]]), np.array([[0.2]])))
    with pytest.raises(NotEnclosable, match=r"make the array with np\.empty or np\.zeros inside"):
        tracing.call(model.predict, {"a": one, "b": one}, tracing.places_of_numpy(model.predict, model))
    assert model.buffer.tolist() == (1 + X)[None].tolist()
