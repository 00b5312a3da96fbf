"""Models whose numbers are less precise than floating point: their noise is measured, and fits arrive all the same."""

from __future__ import annotations

import numpy as np
import pytest

from hpcscan.fitting.block import fit_block
from hpcscan.fitting.records import Status
from hpcscan.likelihood.precision import measured_precision
from hpcscan.model import Gaussian, Likelihood, Model, Parameter
from hpcscan.model.problem import Problem, pose
from hpcscan.settings import FitSettings

T = np.linspace(0.05, 5.0, 50)
NOISE = np.random.default_rng(7).standard_normal(50)
POINTS = np.array([[a, b] for a in (1.9, 2.2, 2.5) for b in (0.3, 0.4, 0.5)])


def signal(position, width, a, k, w, p, c):  # noqa: PLR0917
    waves = a * np.exp(-k * T) * np.cos(w * T + p)
    return waves + c + 1.5 * np.exp(-0.5 * ((T - position) / width) ** 2)


DATA = signal(2.2, 0.35, 2.0, 0.4, 3.1, 0.3, 0.5) + 0.05 * NOISE


class Waves(Model):
    parameters = (
        Parameter("position"),
        Parameter("width"),
        Parameter("a", 0.2, 4.0),
        Parameter("k", 0.05, 1.5),
        Parameter("w", 2.2, 4.2),
        Parameter("p", -1.5, 1.5),
        Parameter("c", -1.0, 2.0),
    )
    data = (Gaussian("y", DATA, 0.05),)

    def __init__(self, spoil):
        self.spoil = spoil

    def predict(self, **parameters):
        return {"y": self.spoil(signal(**parameters))}


class OnlyANumber(Likelihood):
    parameters = Waves.parameters

    def __init__(self, spoil):
        self.spoil = spoil

    def twice_nll(self, **parameters):
        return self.spoil((((signal(**parameters) - DATA) / 0.05) ** 2).sum(axis=1))


def posed(model) -> Problem:
    return pose(model, ("position", "width"))


def chaotic(size: float):
    """Noise that is the same for the same values, as that of an iteration that stops early."""
    return lambda y: y + size * np.sin(1e12 * y)


@pytest.mark.parametrize(
    ("spoil", "low", "high"),
    [
        (lambda y: y, 0, 0),
        (lambda y: y.astype(np.float32), 1e-8, 1e-7),
        (lambda y: np.round(y, 4), 1e-5, 1e-4),
        (chaotic(1e-6), 3e-7, 3e-6),
        (chaotic(1e-4), 3e-5, 3e-4),
    ],
    ids=["exact", "float32", "rounded", "chaotic 1e-6", "chaotic 1e-4"],
)
def test_noise_is_measured_and_the_minima_are_those_of_exact_numbers(spoil, low: float, high: float) -> None:
    """To what the noise leaves: χ² is known no better than to 2 |r| times the length of the errors in σ."""
    problem = posed(Waves(spoil))
    precision = measured_precision(problem, POINTS[[0, -1]])
    assert low <= precision <= high
    exact = fit_block(posed(Waves(lambda y: y)), POINTS, np.arange(9), FitSettings()).chi2
    result = fit_block(problem, POINTS, np.arange(9), FitSettings(precision=precision))
    assert (result.status == Status.CONVERGED).all()
    size = np.sqrt(((DATA / 0.05) ** 2).sum())
    np.testing.assert_array_less(np.abs(result.chi2 - exact), 1e-6 + precision * size * np.sqrt(exact))


def test_a_number_alone_that_is_rounded() -> None:
    """Its minima are found to about a hundred roundings; whether the starts agree is for the status to say."""
    problem = posed(OnlyANumber(lambda value: np.round(value, 3)))
    precision = measured_precision(problem, POINTS[[0, -1]])
    assert 1e-9 < precision < 1e-6
    exact = fit_block(posed(Waves(lambda y: y)), POINTS, np.arange(9), FitSettings()).chi2
    result = fit_block(problem, POINTS, np.arange(9), FitSettings(starts=32, precision=1e-5))
    np.testing.assert_array_less(np.abs(result.chi2 - exact), 0.1)


def test_what_is_told_is_not_measured_and_what_varies_with_nothing_has_no_noise() -> None:
    class Constant(Waves):
        def predict(self, **parameters):
            return {"y": np.broadcast_to(DATA, (len(parameters["a"]), 50))}

    assert measured_precision(posed(Constant(None)), POINTS[[0, -1]]) == 0
