"""Models whose numbers are less precise than floating point: their noise is measured, and fits arrive all the same."""

from __future__ import annotations

import numpy as np
import pytest

from hpcscan.fitting.block import fit_block
from hpcscan.fitting.records import Status
from hpcscan.likelihood.precision import measured_precision
from hpcscan.model import Gaussian, Likelihood, Model, Parameter
from hpcscan.model.posing import pose
from hpcscan.model.problem import Problem
from hpcscan.settings import FitSettings
from hpcscan.tolerance import EXACT, Precision

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
    assert low <= precision.relative <= high
    assert precision.floor == 0
    exact = fit_block(posed(Waves(lambda y: y)), POINTS, np.arange(9), FitSettings()).chi2
    result = fit_block(problem, POINTS, np.arange(9), FitSettings(precision=precision.relative))
    assert (result.status == Status.CONVERGED).all()
    size = np.sqrt(((DATA / 0.05) ** 2).sum())
    np.testing.assert_array_less(np.abs(result.chi2 - exact), 1e-6 + precision.relative * size * np.sqrt(exact))


def fit_with(precision: Precision) -> FitSettings:
    return FitSettings(starts=32, precision=precision.relative, precision_floor=precision.floor)


def test_a_number_alone_that_is_rounded() -> None:
    """Its starts agree on minima that are those of exact numbers, to a few roundings."""
    problem = posed(OnlyANumber(lambda value: np.round(value, 3)))
    precision = measured_precision(problem, POINTS[[0, -1]])
    assert 1e-4 < precision.relative * precision.floor < 1e-3
    exact = fit_block(posed(Waves(lambda y: y)), POINTS, np.arange(9), FitSettings()).chi2
    result = fit_block(problem, POINTS, np.arange(9), fit_with(precision))
    assert (result.status == Status.CONVERGED).all()
    np.testing.assert_array_less(np.abs(result.chi2 - exact), 3e-3)


class Bowl(Likelihood):
    """Its minimum is 0, where nothing is left of a relative precision."""

    parameters = (Parameter("position"), Parameter("width"), Parameter("a", -5, 5), Parameter("b", -5, 5))

    def __init__(self, spoil):
        self.spoil = spoil

    def twice_nll(self, position, width, a, b):
        return self.spoil(((a - position) / 0.1) ** 2 + ((b + 0.5 * a) / 0.3) ** 2)[:, 0]


def test_the_noise_of_rounded_numbers_is_the_same_everywhere_and_that_of_short_ones_is_not() -> None:
    rounded, short = (posed(Bowl(spoil)) for spoil in (lambda v: np.round(v, 3), lambda v: v.astype(np.float32)))
    precision = measured_precision(rounded, POINTS[[0, -1]])
    assert 1e-4 < precision.relative * precision.floor < 1e-3
    result = fit_block(rounded, POINTS, np.arange(9), fit_with(precision))
    assert (result.status == Status.CONVERGED).all()
    assert (result.chi2 <= 2e-3).all()

    precision = measured_precision(short, POINTS[[0, -1]])
    assert 1e-8 < precision.relative < 1e-7
    assert precision.floor == 0
    assert (fit_block(short, POINTS, np.arange(9), fit_with(precision)).status == Status.CONVERGED).all()


def test_what_is_told_is_not_measured_and_what_varies_with_nothing_has_no_noise() -> None:
    class Constant(Waves):
        def predict(self, **parameters):
            return {"y": np.broadcast_to(DATA, (len(parameters["a"]), 50))}

    assert measured_precision(posed(Constant(None)), POINTS[[0, -1]]) == EXACT


def test_where_a_model_raises_nothing_is_measured() -> None:
    """It is measured elsewhere, and the scan goes on."""

    class Raising(Waves):
        def predict(self, **parameters):
            if (np.asarray(parameters["a"]) > 2.5).any():
                raise ValueError("a is too large")
            return super().predict(**parameters)

    measured = [measured_precision(posed(model(lambda y: y.astype(np.float32))), POINTS) for model in (Waves, Raising)]
    assert all(1e-8 < precision.relative < 1e-7 for precision in measured)

    class Never(Waves):
        def predict(self, **parameters):
            raise ValueError("never")

    assert measured_precision(posed(Never(None)), POINTS) == EXACT


class Rounded(Model):
    """Rounded to what steps of 10⁻⁷ of the start range of a are, along which nothing seems to be rounded."""

    parameters = (Parameter("x"), Parameter("a", -5.0, 5.0), Parameter("b", -5.0, 5.0))
    data = (Gaussian("y", (1.0, 2.0, 3.0), 0.01),)

    def predict(self, x, a, b):
        return {"y": np.round(np.concatenate([a + x, a - b, 2 * a + b], axis=1), 6)}


def test_rounding_is_seen_that_steps_of_the_table_could_hide() -> None:
    found = measured_precision(pose(Rounded(), ("x",)), np.array([[0.0], [0.5]]))
    # 10⁻⁶/√12 at each of three values, relative to predictions of about 3.7, of which a table tells a half.
    assert 3e-8 < found.relative < 4e-7
