"""Functions without residuals: the minima of Moré, Garbow and Hillstrom, bounds, saddles, and derivatives."""

from __future__ import annotations

import numpy as np
import pytest
from iminuit import Minuit

from hpcscan.fitting.block import fit_block
from hpcscan.fitting.descent import minimise
from hpcscan.fitting.records import Status
from hpcscan.likelihood.objective import Given
from hpcscan.likelihood.scalar import ScalarObjective
from hpcscan.model import Likelihood, Parameter
from hpcscan.model.posing import pose
from hpcscan.settings import FitSettings

#: A number of either sign, to which the minima are shifted.
SHIFT = -57.3
NOWHERE = Given(np.empty((0, 2)))

BARD = (0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39, 0.37, 0.58, 0.73, 0.96, 1.34, 2.10, 4.39)
KOWALIK = (0.1957, 0.1947, 0.1735, 0.16, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235, 0.0246)
FREQUENCY = (4, 2, 1, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625)


def bard(a, b, c):
    return [y - (a + u / ((16 - u) * b + min(u, 16 - u) * c)) for u, y in enumerate(BARD, 1)]


def kowalik(a, b, c, d):
    return [y - a * (u * u + u * b) / (u * u + u * c + d) for u, y in zip(FREQUENCY, KOWALIK, strict=True)]


def brown_dennis(a, b, c, d):
    times = np.arange(1, 21) / 5
    return [(a + t * b - np.exp(t)) ** 2 + (c + d * np.sin(t) - np.cos(t)) ** 2 for t in times]


#: Residuals, the usual start, and the sum of squares at the minimum (More, Garbow and Hillstrom, ACM TOMS 7, 17, 1981).
PROBLEMS = {
    "rosenbrock": (lambda x, y: [10 * (y - x * x), 1 - x], (-1.2, 1), 0),
    "freudenstein and roth": (
        lambda x, y: [-13 + x + ((5 - y) * y - 2) * y, -29 + x + ((y + 1) * y - 14) * y], (0.5, -2), 48.984253679,
    ),
    "powell badly scaled": (lambda x, y: [1e4 * x * y - 1, np.exp(-x) + np.exp(-y) - 1.0001], (0, 1), 0),
    "beale": (lambda x, y: [c - x * (1 - y**i) for i, c in ((1, 1.5), (2, 2.25), (3, 2.625))], (1, 1), 0),
    "jennrich and sampson": (
        lambda x, y: [2 + 2 * i - (np.exp(i * x) + np.exp(i * y)) for i in range(1, 11)], (0.3, 0.4), 124.36218236,
    ),
    "bard": (bard, (1, 1, 1), 8.2148773e-3),
    "box": (
        lambda x, y, z: [
            np.exp(-t * x) - np.exp(-t * y) - z * (np.exp(-t) - np.exp(-10 * t)) for t in np.arange(1, 11) / 10
        ],
        (0, 10, 20), 0,
    ),
    "powell singular": (
        lambda x, y, z, w: [x + 10 * y, 5**0.5 * (z - w), (y - 2 * z) ** 2, 10**0.5 * (x - w) ** 2], (3, -1, 0, 1), 0,
    ),
    "kowalik and osborne": (kowalik, (0.25, 0.39, 0.415, 0.39), 3.0750561e-4),
    "brown and dennis": (brown_dennis, (25, 5, -5, -1), 85822.201626),
}  # fmt: skip


def model_of(function, start, shift: float = SHIFT) -> Likelihood:
    class Shifted(Likelihood):
        parameters = tuple(Parameter(f"x{j}", start=(v - 1, v + 1)) for j, v in enumerate(start))

        def twice_nll(self, **x):
            return sum(np.square(r) for r in function(*(column[:, 0] for column in x.values()))) + shift

    return Shifted()


@pytest.mark.parametrize("name", PROBLEMS)
def test_the_published_minimum_is_reached_and_migrad_ends_no_lower(name: str) -> None:
    function, start, lowest = PROBLEMS[name]
    model = model_of(function, start)
    ends = minimise(ScalarObjective(pose(model, ())), NOWHERE, np.array([start, start], float).T, 200)
    assert (ends.status == Status.CONVERGED).all()
    np.testing.assert_allclose(ends.chi2 - SHIFT, lowest, rtol=1e-8, atol=2e-7)
    fit = Minuit(lambda *x: float(model.twice_nll(**{f"x{j}": np.array([[v]]) for j, v in enumerate(x)})[0]), *start)
    fit.errordef = Minuit.LEAST_SQUARES
    assert ends.chi2[0] <= fit.migrad().fval + 1e-7


class Well(Likelihood):
    """A saddle at the origin, minima at (±1, 0) and, beyond its bounds, a lower one."""

    parameters = (Parameter("x", -2.0, 1.5), Parameter("y", -1.0, 1.0))

    def twice_nll(self, x, y):
        return (50 * (x**2 - 1) ** 2 + 30 * y**2 - 5 * x)[:, 0]

    def gradient(self, x, y):
        return {"x": (200 * x * (x**2 - 1) - 5)[:, 0], "y": (60 * y)[:, 0]}


def test_a_saddle_is_left_and_nothing_at_a_bound_is_missed() -> None:
    class Even(Well):
        gradient = Likelihood.gradient

        def twice_nll(self, x, y):
            return (50 * (x**2 - 1) ** 2 + 30 * y**2)[:, 0]

    ends = minimise(ScalarObjective(pose(Even(), ())), NOWHERE, np.zeros((2, 2)), 200)
    assert (ends.status == Status.CONVERGED).all()
    np.testing.assert_allclose(ends.chi2, 0, atol=1e-8)

    class Slope(Well):
        gradient = Likelihood.gradient

        def twice_nll(self, x, y):
            return (3 * x + (y - 0.25) ** 2)[:, 0]

    result = fit_block(pose(Slope(), ()), np.empty((1, 0)), np.arange(1), FitSettings())
    assert result.profiled_parameter[0] == pytest.approx([-2.0, 0.25], abs=1e-5)
    assert result.at_bound[0].tolist() == [-1, 0]
    assert result.bound_multiplier[0] == pytest.approx([3.0, 0.0], rel=1e-6)
    assert result.n_flat_directions[0] == 0


def test_a_gradient_that_is_given_changes_the_cost_and_not_the_minimum() -> None:
    class Blind(Well):
        gradient = Likelihood.gradient

    given_, found = (
        fit_block(pose(model(), ()), np.empty((1, 0)), np.arange(1), FitSettings()) for model in (Well, Blind)
    )
    assert given_.chi2 == pytest.approx(found.chi2, abs=1e-8)
    assert given_.profiled_parameter == pytest.approx(found.profiled_parameter, abs=1e-5)
    assert given_.n_evaluations < 0.8 * found.n_evaluations


def test_directions_that_change_nothing_are_counted() -> None:
    class Sum(Well):
        gradient = Likelihood.gradient
        parameters = (Parameter("u"), *Well.parameters)

        def twice_nll(self, u, x, y):
            return ((x + y + u - 0.3) ** 2 / 0.01)[:, 0]

    result = fit_block(pose(Sum(), ("u",)), np.array([[0.1], [0.2]]), np.arange(2), FitSettings())
    assert (result.n_flat_directions == 1).all()
    assert (result.n_determined_axes == 0).all()
    held = fit_block(pose(Sum(), ("u",), {"x": 0.0, "y": 0.0}), np.array([[0.1], [0.2]]), np.arange(2), FitSettings())
    assert held.chi2 == pytest.approx([4.0, 1.0])
