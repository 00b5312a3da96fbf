"""What depends on held parameters alone is computed once, and changes nothing else."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

import hpcscan
from hpcscan.config.declarations import declaration_problems
from hpcscan.fitting.block import fit_block
from hpcscan.model import Gaussian, Likelihood, Model, Parameter
from hpcscan.model.posing import pose
from hpcscan.model.preparation import Preparation
from hpcscan.model.returned import WrongResultError
from hpcscan.proof.posed import pose_proof
from hpcscan.settings import FitSettings

Z = np.linspace(0.05, 1.5, 12)
#: Of an integral by the rule of the middle.
STEPS = (np.arange(300) + 0.5) / 200


def distances(omega, w):
    """The integral of 1/E from 0 to each redshift, shape (n, 12)."""
    slices = 1 / np.sqrt(omega * (1 + STEPS) ** 3 + (1 - omega) * (1 + STEPS) ** (3 + 3 * w))
    sums = np.cumsum(slices, axis=1) / 200
    return sums[:, (Z * 200 - 1).astype(int)]


DATA = 5 * np.log10(distances(np.array([[0.3]]), np.array([[-1.0]])))[0] + 0.03 * np.sin(5 * Z)


class Whole(Model):
    """Supernovae: magnitudes by the distance, an offset and a drift."""

    parameters = (
        Parameter("omega", 0.05, 0.9),
        Parameter("w", -2.0, -0.3),
        Parameter("offset", -1.0, 1.0),
        Parameter("drift", -0.5, 0.5, constraint=(0.0, 0.05)),
    )
    data = (Gaussian("mu", DATA, 0.05),)

    def predict(self, omega, w, offset, drift):
        return {"mu": 5 * np.log10(distances(omega, w)) + offset + drift * Z}


class Prepared(Whole):
    """The same, whose integral is prepared."""

    prepared = ("omega", "w")

    def __init__(self):
        self.asked = []

    def prepare(self, omega, w):
        self.asked.append(np.hstack([omega, w]))
        return {"distance": distances(omega, w)}

    def predict(self, omega, w, offset, drift, prepared):
        assert prepared["distance"].shape == (len(offset), 12)
        return {"mu": 5 * np.log10(prepared["distance"]) + offset + drift * Z}

    @property
    def n_rows(self):
        """Different rows, call by call: the padding of a call repeats its last row."""
        return sum(len(np.unique(rows, axis=0)) for rows in self.asked)


POINTS = np.array([[omega, w] for omega in np.linspace(0.2, 0.4, 4) for w in (-1.2, -1.0, -0.8)])


def science(scan):
    return {name: repr(one.values.tolist()) for name, one in scan.data.variables.items() if one.role != "run"}


def test_every_bit_is_that_of_a_model_that_prepares_nothing():
    """Grid, proofs, best fit, intervals and toys, where the prepared parameters are held, and where they move."""
    grid, toys = {"omega": [0.25, 0.35]}, {"n": 100}
    plain, prepared = (hpcscan.scan(model, grid, fix={"w": -1.0}, toys=toys) for model in (Whole(), Prepared()))
    ours, theirs = science(prepared), science(plain)
    assert [name for name in ours if ours[name] != theirs[name]] == []
    assert (plain.data.variables["n_boxes"].values > 0).any()


def test_it_is_computed_once_for_a_point():
    """Whatever rows the fit asks for: starts, differences, and a second fit of the same points."""
    model = Prepared()
    problem = pose(model, ("omega", "w"))
    # What tells whether the data determine the axes asks beside each point: four places an axis.
    beside = len(POINTS) * (1 + 4 * 2) + 1
    results = fit_block(problem, POINTS, np.arange(len(POINTS)), FitSettings(starts=16, proof=None))
    assert len(POINTS) <= model.n_rows <= beside
    assert results.n_model_rows.sum() > 10 * model.n_rows
    before = model.n_rows
    fit_block(problem, POINTS, np.arange(len(POINTS)), FitSettings(starts=16, proof=None, seed=3))
    assert model.n_rows - before <= beside - len(POINTS)


def test_where_it_moves_it_is_computed_for_the_rows_given():
    """Each row gets its own; calls have the rows that `predict` gets, so that a row has the same bits in any."""
    model = Prepared()
    released = pose(model, ("omega", "w"), rows=8).released()
    rows = np.hstack([POINTS, np.tile([0.1, 0.0], (len(POINTS), 1))])
    predicted = released.predict(np.empty((12, 0)), rows)
    np.testing.assert_array_equal(predicted[:, :-1], Whole().predict(*rows.T[:, :, None])["mu"])
    assert [len(call) for call in model.asked] == [8, 8, 8], "the first row of all once more, alone"
    released.predict(np.empty((12, 0)), rows[::-1])
    assert len(model.asked) == 3, "they are known"


def test_what_is_kept_is_bounded(monkeypatch):
    """Forgotten and computed again, with the same result."""
    monkeypatch.setattr("hpcscan.model.preparation.MOST_NUMBERS", 12 * 5)
    model = Prepared()
    preparation = Preparation(model, 4)
    for _ in range(2):
        for k in range(0, 12, 3):
            omega, w = POINTS[k : k + 3].T[:, :, None]
            np.testing.assert_array_equal(preparation.at({"omega": omega, "w": w})["distance"], distances(omega, w))
    assert model.n_rows == 25


def test_a_box_of_released_parameters_is_enclosed_through_it():
    """A proof of the best fit follows `prepare` as it does `predict`."""
    both = [pose_proof(pose(model, ()).released()).proof for model in (Whole(), Prepared())]
    assert both[0].parameters == both[1].parameters == ("omega", "w", "offset", "drift")
    point = {name: np.array([value]) for name, value in (("omega", 0.3), ("w", -1.0), ("offset", 0.1), ("drift", 0.0))}
    np.testing.assert_array_equal(both[0].evaluate({}, point), both[1].evaluate({}, point))


def test_a_row_that_depends_on_others_is_refused():
    """Kept from one call for all, it would be wrong for the whole run."""
    model = SimpleNamespace(prepared=("a",), prepare=lambda a: a - a.mean())
    with pytest.raises(WrongResultError, match="another result for a row among others than alone; a row must depend"):
        Preparation(model, 128).at({"a": np.array([[0.1], [0.2]])})


class Number(Likelihood):
    """A number, whose amplitude is prepared."""

    parameters = (Parameter("a", 0.0, 1.0), Parameter("b", -1.0, 1.0))
    prepared = ("a",)

    def prepare(self, a):
        return np.sin(a)

    def twice_nll(self, a, b, prepared):
        return ((b - prepared) ** 2 / 0.01)[:, 0]


def test_a_likelihood_prepares_too():
    """And an array alone is given as it is."""
    scan = hpcscan.scan(Number(), {"a": [0.2, 0.5]}, starts=4, answer=False)
    found = scan.data.variables["profiled_parameter"].values[:, 0]
    np.testing.assert_allclose(found, np.sin([0.2, 0.5]), atol=1e-4)


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"prepared": "omega"}, "prepared is 'omega'; expected names of parameters"),
        ({"prepared": ("omegga", "w")}, "prepared names 'omegga', which is no parameter; there are omega, w,"),
        ({"prepared": ()}, "prepare is never called: name the parameters that it takes"),
        ({"prepare": Model.prepare}, "prepared is declared without a function; write prepare(self, omega, w)"),
        (
            {"prepare": lambda self, omega: omega},
            "prepare does not take the parameter w; write prepare(self, omega, w)",
        ),
        ({"predict": Whole.predict}, "predict does not take the parameter prepared; write predict(self, omega, w,"),
    ],
)
def test_a_mistake_is_told_before_anything_is_computed(own, message):
    """What was found and what is expected."""
    problems = declaration_problems(type("Wrong", (Prepared,), own)())
    assert any(message in problem for problem in problems), problems


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (lambda omega, w: None, "prepare returned values of type object; expected numbers"),
        (lambda omega, w: {"distance": np.ones(3)}, r"prepare\['distance'\] returned shape \(3,\); expected 128 rows"),
        (lambda omega, w: 1.0, r"prepare returned shape \(\); expected 128 rows, as in \(128, size\)"),
    ],
)
def test_a_wrong_result_is_told(result, message):
    """As for the other functions of a model."""
    model = SimpleNamespace(prepared=("omega", "w"), prepare=result)
    with pytest.raises(WrongResultError, match=message):
        Preparation(model, 128).at({"omega": POINTS[:, :1], "w": POINTS[:, 1:]})
