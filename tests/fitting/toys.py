"""Small models with known minima."""

from __future__ import annotations

import numpy as np

from hpcscan.model import Derived, Parameter
from hpcscan.model.problem import Derivatives, Observable, Problem


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
