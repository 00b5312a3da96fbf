"""Models that tests fit: the shipped ones as posed, and small ones whose minima and answers are known otherwise."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np

from hpcscan.model import Derived, Gaussian, Likelihood, Model, Parameter
from hpcscan.model.posing import pose
from hpcscan.model.problem import Observable, Problem
from hpcscan.model.returned import Derivatives, PredictionRanges
from hpcscan.models.leptons.model import LeptonModel


def leptons(**options: Any) -> Problem:
    """The lepton model with beta and w scanned."""
    return pose(LeptonModel(**options), ("beta", "w"))


_PATH = Path(__file__).parents[1] / "configs" / "plugins" / "pendulum.py"
_SPEC = importlib.util.spec_from_file_location("pendulum_of_the_readme", _PATH)
assert _SPEC is not None and _SPEC.loader is not None
_MODULE = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_MODULE)
Pendulum = _MODULE.Pendulum


class Linear(Problem):
    """Predictions M x + v·point, compared as they are: bounded linear least squares."""

    axes = (Parameter("u"),)

    def __init__(self, matrix: np.ndarray, observed: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> None:
        self.matrix = matrix
        self.parameters = tuple(
            Parameter(f"x{j}", low, high, (max(low, -3.0), min(high, 3.0)))
            for j, (low, high) in enumerate(zip(lower, upper, strict=True))
        )
        self.observables = tuple(Observable(f"y{i}", value, 1.0) for i, value in enumerate(observed))

    def predict(self, points: np.ndarray, parameters: np.ndarray) -> np.ndarray:
        return np.einsum("ij,nj->ni", self.matrix, parameters) + points[:, :1]

    def jacobian(self, points: np.ndarray, parameters: np.ndarray) -> Derivatives:
        return Derivatives(np.broadcast_to(self.matrix, (len(parameters), *self.matrix.shape)))


class Decay(Problem):
    """A decaying signal of unknown size over a known background, and a measured rate; differences by default.

    Two scan axes in an order of their own, one scaled group, one unscaled observable, an infinite bound.
    """

    axes = (Parameter("rate", unit="s-1"), Parameter("floor"))
    times = np.linspace(0.0, 2.0, 12)
    derived = (Derived("half_life", "s", "ln 2 over the fitted rate"),)

    def __init__(self) -> None:
        truth = 3.0 * np.exp(-1.3 * self.times) + 0.2
        wiggle = 0.02 * np.sin(5 * self.times)
        self.parameters = (
            Parameter("shift", -0.5, 0.5),
            Parameter("offset", start=(-1.0, 1.0)),
        )
        seen = [Observable(f"t{i}", value, 0.05, "size") for i, value in enumerate(truth + wiggle)]
        self.observables = (*seen, Observable("rate_seen", 1.25, 0.1))

    def predict(self, points: np.ndarray, parameters: np.ndarray) -> np.ndarray:
        rate = points[:, :1] + parameters[:, :1]
        signal = np.exp(-rate * self.times) + points[:, 1:] * parameters[:, 1:] ** 2
        return np.concatenate([signal, rate], axis=1)

    def derive(self, points: np.ndarray, parameters: np.ndarray, scales: dict) -> dict:
        return {"half_life": np.log(2) / (points[:, 0] + parameters[:, 0])}


class DecayWithJacobian(Decay):
    def jacobian(self, points: np.ndarray, parameters: np.ndarray) -> Derivatives:
        rate = points[:, :1] + parameters[:, :1]
        result = np.zeros((len(points), 13, 2))
        result[:, :12, 0] = -self.times * np.exp(-rate * self.times)
        result[:, :12, 1] = 2 * points[:, 1:] * parameters[:, 1:]
        result[:, 12, 0] = 1.0
        return Derivatives(result)


class Holes(Problem):
    """Not finite left of zero, and everywhere where the axis is negative."""

    axes = (Parameter("u"),)
    parameters = (Parameter("x", -1.0, 1.0),)
    observables = (Observable("y", 0.3, 0.1), Observable("z", 0.5, 0.1))

    def predict(self, points: np.ndarray, parameters: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            y = np.sqrt(np.where(points[:, 0] < 0, np.nan, parameters[:, 0]))
        return np.stack([y, y + points[:, 0]], axis=1)


class Many(Problem):
    """Twelve observables, two of them without a scale, by + and × alone, row by row; with or without its Jacobian."""

    axes = (Parameter("u"),)
    batch_invariant = True

    def __init__(self, n_parameters: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.linear, self.bent = rng.normal(size=(2, 12, n_parameters))
        self.parameters = tuple(Parameter(f"x{j}", -1.0, 1.5) for j in range(n_parameters))
        self.observables = tuple(
            Observable(f"y{i}", value, 0.1, None if i < 2 else "S") for i, value in enumerate(rng.uniform(1, 3, 12))
        )

    def predict(self, points: np.ndarray, parameters: np.ndarray) -> np.ndarray:
        result = np.ones((len(points), 12))
        for j, x in enumerate(parameters.T):
            for i in range(12):
                result[:, i] += self.linear[i, j] * x + self.bent[i, j] * x * x * points[:, 0]
        return result


class ManyWithJacobian(Many):
    """The same model, with its derivatives."""

    def jacobian(self, points: np.ndarray, parameters: np.ndarray) -> Derivatives:
        result = np.zeros((len(points), 12, len(self.parameters)))
        for j, x in enumerate(parameters.T):
            for i in range(12):
                result[:, i, j] = self.linear[i, j] + 2 * self.bent[i, j] * x * points[:, 0]
        return Derivatives(result)


class Stated(Problem):
    """Predictions are the parameters; the ranges are the bounds, plus the point."""

    axes = (Parameter("u"),)

    def __init__(self, observables: tuple[Observable, ...], lower: list[float], upper: list[float]) -> None:
        self.observables = observables
        self.lower, self.upper = np.array(lower), np.array(upper)
        self.parameters = tuple(
            Parameter(f"x{j}", low, high, (max(low, -9.0), min(high, 9.0)))
            for j, (low, high) in enumerate(zip(lower, upper, strict=True))
        )

    def predict(self, points: np.ndarray, parameters: np.ndarray) -> np.ndarray:
        return points + parameters

    def prediction_ranges(self, points: np.ndarray) -> PredictionRanges:
        return PredictionRanges(points + self.lower, points + self.upper)


class Shared(Problem):
    """Two observables of one parameter: x and 1 − x, so that the ranges alone promise too much."""

    axes = (Parameter("u"),)
    parameters = (Parameter("x", 0.0, 1.0),)
    observables = (Observable("rising", 1.0, 0.1), Observable("falling", 1.0, 0.1))

    def predict(self, points: np.ndarray, parameters: np.ndarray) -> np.ndarray:
        return np.concatenate([parameters, 1 - parameters], axis=1)

    def prediction_ranges(self, points: np.ndarray) -> PredictionRanges:
        return PredictionRanges(np.zeros((len(points), 2)), np.ones((len(points), 2)))


class Valleys(Problem):
    """Many local minima in x, of which the lowest follows the scan: a cosine on a parabola.

    χ² = (x − u)² + (1 + v) · 12 sin²(3 (x − u)): 0 at x = u, and local minima about every π/3.
    """

    axes = (Parameter("u"), Parameter("v"))
    parameters = (Parameter("x", -6.0, 6.0),)
    observables = (Observable("slope", 0.0, 1.0), Observable("ripple", 0.0, 1.0))

    def predict(self, points: np.ndarray, parameters: np.ndarray) -> np.ndarray:
        offset = parameters[:, 0] - points[:, 0]
        return np.stack([offset, np.sqrt(12 * (1 + points[:, 1])) * np.sin(3 * offset)], axis=1)


#: Two residuals of (a, b): the profile of χ² over c is the sum of their squares.
SHAPES = {
    "even": lambda a, b: (a, b),
    "exp": lambda a, b: ((np.exp(a) - 2) / np.sqrt(0.5), b),
    "log": lambda a, b: ((np.log10(a) + 4.1) / 0.4, b),
    "two": lambda a, b: ((a * a - 4) * 1.5, b * 2),
    "offset": lambda a, b: (a - 1e9 - 0.3, b),
    "plateau": lambda a, b: (np.maximum(np.abs(a) - 1, 0), b),
    "ring": lambda a, b: ((np.hypot(a, b) - 2) / 0.1, 0 * a),
    "tilted": lambda a, b: ((a + 3 * b - 1) / 0.2, (a - b) / 2),
    "three": lambda a, b: (2 * np.sin(3 * a), (a * a + b * b) / 8),
    "banana": lambda a, b: ((1 - a) / 0.5, 3 * (b - a * a)),
    "needle": lambda a, b: (2 - 2 * np.exp(-((a - 0.4) ** 2 + (b - 0.2) ** 2) / 1e-3), (a + b) / 4),
    "step": lambda a, b: (np.where(a > 0.3, a, a - 1.5), b),
    "small": lambda a, b: (a / 1e-30 - 1, b),
    "large": lambda a, b: (a / 1e30 - 1, b),
    "flat": lambda a, b: (0 * a, 0 * b),
    "slope": lambda a, b: (100 - 10 * a, 50 - 10 * b),
}


class Surface(Model):
    """A surface over a and b, and a nuisance parameter that has nothing to do with it."""

    data = tuple(Gaussian(name, 0.0, 1.0) for name in ("r1", "r2", "c"))

    def __init__(self, shape, a=(-np.inf, np.inf), b=(-np.inf, np.inf)):
        self.shape = SHAPES[shape]
        self.parameters = (Parameter("a", *a), Parameter("b", *b), Parameter("c", -5, 5))

    def predict(self, a, b, c):
        r1, r2 = self.shape(a, b)
        return {"r1": r1, "r2": r2, "c": c}


class ScalarSurface(Likelihood):
    """The same as a number."""

    def __init__(self, shape, a=(-np.inf, np.inf), b=(-np.inf, np.inf)):
        self.shape = SHAPES[shape]
        self.parameters = (Parameter("a", *a), Parameter("b", *b), Parameter("c", -5, 5))

    def twice_nll(self, a, b, c):
        return sum(r**2 for r in (*self.shape(a, b), c))[:, 0]


class Folds(Model):
    """A smooth surface with up to several regions, of one seed: five sums of waves, and a linear nuisance parameter."""

    def __init__(self, seed):
        rng = np.random.default_rng(seed)
        self.wave, self.phase = 3.2 * rng.normal(size=(5, 3, 2)), rng.uniform(0, 2 * np.pi, (5, 3))
        self.size, self.slope = 2.5 * rng.normal(size=(5, 3)), 2 * rng.normal(size=(5, 2))
        self.lever, truth = 0.5 * rng.normal(size=5), rng.uniform(0.2, 0.8, (1, 2))
        self.observed = self.at(truth)[0] + 0.6 * rng.normal(size=5)
        self.parameters = (Parameter("a"), Parameter("b"), Parameter("c", -5, 5))
        self.data = (Gaussian("r", self.observed, 1.0), Gaussian("c", 0.0, 1.0))

    def at(self, places):
        """The predictions without c, shape (..., 5), at places of shape (..., 2)."""
        waves = np.sin(np.einsum("...k,ijk->...ij", places, self.wave) + self.phase)
        return (self.size * waves).sum(axis=-1) + places @ self.slope.T

    def predict(self, a, b, c):
        return {"r": self.at(np.hstack([a, b])) + self.lever * c, "c": c}

    def profile(self, places):
        """χ² with c at its best, in closed form."""
        r = self.at(places) - self.observed
        return (r**2).sum(axis=-1) - (r @ self.lever) ** 2 / (1 + self.lever @ self.lever)
