"""A fit that begins where χ² is stationary and no minimum goes on: at a maximum, at a saddle, in every kind of data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import hpcscan
from hpcscan import Gaussian, Model, Parameter, Poisson
from hpcscan.model import Likelihood
from hpcscan.settings import METHODS


class Symmetric(Model):
    """Every start lies on the axis of symmetry, x = 0."""

    parameters = (Parameter("a", -1.0, 1.0), Parameter("x", -4.0, 4.0, start=(0.0, 0.0)), Parameter("z", -3.0, 3.0))
    #: From (a, x, z) to predictions; data; and x² at the minimum for a = 0.5.
    kind = ""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        observed = {"square": [1.0, 0.3], "leaning": [1.0, 0.0, 0.3], "wave": [-1.0, 0.3], "flat": [1.0]}
        terms = {"counts": Poisson("y", [9, 4]), "scaled": Gaussian("y", [1.0, 2.0, 0.3], 0.1, scale="S")}
        self.data = (terms.get(kind) or Gaussian("y", observed[kind], 0.1),)

    def predict(self, a: Any, x: Any, z: Any) -> dict[str, Any]:
        columns = {
            "square": lambda: [x**2, z + a],
            "leaning": lambda: [x**2 * (1 + 0.1 * z), 0.1 * x, z + a],
            "wave": lambda: [np.cos(x), z + a],
            "flat": lambda: [x**2 + 0 * z],
            "counts": lambda: [1 + x**2, 4 + 0.1 * z + a],
            "scaled": lambda: [1 + 0 * x, 1 + x**2, z + a],
        }
        return {"y": np.concatenate(columns[self.kind](), axis=1)}


LOWEST = {"square": 1.0, "wave": np.pi**2, "flat": 1.0, "counts": 8.0, "scaled": 1.0, "leaning": 1.0}


@pytest.mark.parametrize("starts", ["auto", 16])
@pytest.mark.parametrize("kind", LOWEST)
def test_a_start_at_a_saddle_goes_on(kind: str, starts: Any) -> None:
    found = hpcscan.scan(Symmetric(kind), {"a": [-0.5, 0.5]}, answer=False, proof=False, starts=starts).to_xarray()
    x = found["profiled_parameter"].values[:, 0]
    assert x**2 == pytest.approx(LOWEST[kind], rel=0.1)
    assert (found["chi2"].values < 2).all(), "it is 49 or more on the axis"


def test_a_maximum_at_a_bound_is_left() -> None:
    """Where the box ends on the axis of symmetry."""

    class Half(Symmetric):
        parameters = (*Symmetric.parameters[:1], Parameter("x", 0.0, 3.0, start=(0.0, 0.0)), *Symmetric.parameters[2:])

    found = hpcscan.fit(Half("square"), fix={"a": 0.2}, proof=False)
    assert found.best_fit.chi2 == pytest.approx(0.0, abs=1e-9)


class Number(Likelihood):
    """The same with −2 ln L alone."""

    parameters = Symmetric.parameters[:2]

    def twice_nll(self, a: Any, x: Any) -> Any:
        return ((x**2 - 1) ** 2 + 0.1 * x * a)[:, 0]


def test_a_likelihood_leaves_its_maximum() -> None:
    found = hpcscan.scan(Number(), {"a": [-0.5, 0.5]}, answer=False).to_xarray()
    assert np.abs(found["profiled_parameter"].values[:, 0]) == pytest.approx(1.0, abs=0.02)


class Bowl(Model):
    """A minimum, and a parameter on which nothing depends."""

    parameters = (Parameter("a", -1.0, 1.0), Parameter("x", -3.0, 3.0), Parameter("z", -3.0, 3.0))
    data = (Gaussian("y", [1.0, 2.0], 0.1),)
    calls = 0

    def predict(self, a: Any, x: Any, z: Any) -> dict[str, Any]:
        return {"y": np.concatenate([x + a, x**2 - a], axis=1)}


def test_a_minimum_stays_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """What looks for saddles costs a few rows a point, and changes nothing there."""
    runs = {}
    for is_on in (False, True):
        with monkeypatch.context() as patch:
            if not is_on:
                for place in ("block", "guided"):
                    patch.setattr(f"hpcscan.fitting.{place}.leave_saddles", lambda *_: None)
            one = hpcscan.scan(Bowl(), {"a": np.linspace(-1, 1, 5)}, answer=False, proof=False, starts=16)
            runs[is_on] = one.to_xarray()
    assert runs[True]["chi2"].values.tobytes() == runs[False]["chi2"].values.tobytes()
    more = runs[True]["n_model_rows"].values - runs[False]["n_model_rows"].values
    assert (more > 0).all()
    assert (more <= 8).all()


def test_the_published_fitter_does_not_look() -> None:
    assert not METHODS["differential_evolution"].is_repaired
