"""One fit with everything free: a scan of nothing."""

from __future__ import annotations

import numpy as np
import pytest

import hpcscan
from hpcscan.model import Gaussian, Likelihood, Model, Parameter, Ranges

TIMES = np.linspace(0.0, 5.0, 20)
SIGNAL = 3.0 * np.exp(-TIMES / 1.3) + 0.2 + 0.05 * np.cos(7 * TIMES)


class Decay(Model):
    """An amplitude and a gain: two names for one factor."""

    parameters = (Parameter("amplitude", 0.1, 10.0), Parameter("gain", 0.1, 5.0), Parameter("base", -1.0, 1.0))
    data = (Gaussian("signal", SIGNAL, 0.05, x=TIMES),)

    def predict(self, amplitude, gain, base):
        return {"signal": amplitude * gain * np.exp(-TIMES / 1.3) + base}


def test_a_single_fit_quotes_its_parameters_with_their_errors():
    """Those of the linear least squares that it is."""
    scan = hpcscan.scan(Decay(), {}, fix={"gain": 1.0})
    columns = np.stack([np.exp(-TIMES / 1.3), np.ones_like(TIMES)], axis=1)
    (amplitude, base), *_ = np.linalg.lstsq(columns, SIGNAL, rcond=None)
    errors = 0.05 * np.sqrt(np.diag(np.linalg.inv(columns.T @ columns)))
    sentence = " ".join(scan.verdict().found.split())
    assert f"at 1σ: amplitude = {amplitude:.4f} ± {errors[0]:.4f}, base = {base:.4f} ± {errors[1]:.4f}" in sentence
    assert "confidence levels" in scan.verdict().decision


@pytest.mark.parametrize("scanned", [{}, {"base": np.linspace(0.1, 0.3, 5)}])
def test_places_along_a_direction_that_changes_nothing_are_one(scanned):
    """What is determined keeps its value; the others have none."""
    scan = hpcscan.scan(Decay(), scanned)
    assert "equally low" not in scan.verdict().found
    found = scan.best_fit
    assert np.isnan(found.parameters["amplitude"]) and np.isnan(found.parameters["gain"])
    assert found.parameters["base"] == pytest.approx(0.1946, abs=1e-3)
    assert found.errors["base"][1] == pytest.approx(0.0155, abs=1e-3)


class Branches(Model):
    """Two values that are parameters; a branch keeps `predict` from being enclosed."""

    parameters = (Parameter("a", -2.0, 2.0), Parameter("b", -1.0, 1.0))
    data = (Gaussian("d", [1.0, 2.0], 0.1),)

    def predict(self, a, b):
        assert float(np.abs(a).max()) < 9
        return {"d": np.concatenate([a, b], axis=1)}

    def ranges(self, a=None, **held):
        lower, upper = (np.full((1, 1), -2.0), np.full((1, 1), 2.0)) if a is None else (a, a)
        one = np.ones_like(lower)
        return Ranges({"d": np.hstack([lower, -one])}, {"d": np.hstack([upper, one])})


@pytest.mark.parametrize("scanned", [{}, {"a": np.linspace(0.0, 2.0, 5)}])
def test_ranges_serve_a_scan_of_nothing_too(scanned):
    """One row of them: the floor that a bound sets is proven, and the error that the bound cuts off is named."""
    scan = hpcscan.scan(Branches(), scanned)
    assert scan.verdict().certainty.startswith("Proven at")
    assert scan.best_fit.chi2 == pytest.approx(100.0)
    if not scanned:
        assert "b = 1.0000 −0.0050, above: its bound is nearer" in scan.verdict().found
        assert "not proven" not in scan.verdict().certainty


class Periodic(Model):
    """Many minima and correlated data: no proof closes, and starts may miss the lowest."""

    parameters = (
        Parameter("a", -1.0, 2.0),
        Parameter("b", -1.5, 2.0),
        Parameter("c", -3.0, 3.0, constraint=(0.0, 1.0)),
    )
    root = np.array([
        [0.104, 0.0, 0.0, 0.0, 0.0, 0.0],
        [0.008, 0.044, 0.0, 0.0, 0.0, 0.0],
        [-0.048, -0.031, 0.052, 0.0, 0.0, 0.0],
        [0.017, 0.008, -0.008, 0.034, 0.0, 0.0],
        [0.015, -0.005, 0.004, 0.006, 0.042, 0.0],
        [-0.072, -0.045, -0.014, -0.011, -0.067, 0.019],
    ])  # fmt: skip
    data = (
        Gaussian("d", [-1.042, -0.632, -1.108, -0.512, 0.450, 1.248], covariance=root @ root.T, scale="S"),
    )  # fmt: skip

    def predict(self, a, b, c):
        x = np.linspace(0.0, 1.0, 6)
        return {"d": np.cos(14.127 * a * x) * b + c * x}


def test_what_the_answer_finds_lower_is_the_minimum_of_the_point_too():
    """They are one problem; what the point's own starts had ended at does not support it."""
    scan = hpcscan.scan(Periodic(), {}, seed=42)
    value = {name: float(one.values) for name, one in scan.data.variables.items() if one.values.size == 1}
    assert value["repaired"] == 1
    assert value["chi2"] == pytest.approx(scan.best_fit.chi2, rel=1e-9)
    assert value["delta_chi2"] == pytest.approx(0.0, abs=1e-6)
    assert (value["evidence"], value["n_hits"]) == (0, 0)
    assert "0 of 1 point" in scan.verdict().certainty


class Negative(Likelihood):
    """A parabola whose lowest value is below zero."""

    parameters = (Parameter("mu", 0.1, 10.0),)

    def twice_nll(self, mu):
        return ((mu - 3) ** 2 / 0.04).sum(axis=1) - 79.3


def test_a_negative_likelihood_is_written_as_it_is():
    verdict = hpcscan.scan(Negative(), {"mu": np.linspace(1.0, 5.0, 9)}).verdict()
    assert "−2 ln L = -79.3; at 1σ: mu = 3.000 ± 0.200" in verdict.found
    assert "what was found there, −2 ln L = -79.3 to 20.7" in verdict.certainty
