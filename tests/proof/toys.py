"""Models that say what they can predict."""

from __future__ import annotations

import numpy as np

from hpcscan.model import Parameter
from hpcscan.model.problem import Observable, PredictionRanges, Problem


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
