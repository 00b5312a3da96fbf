"""A model that is held to its declarations and to its time at every call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from hpcscan.arrays import Array, IntArray
from hpcscan.border import border
from hpcscan.guard.spot import Doubt, SpotCheck
from hpcscan.guard.time_limit import TimeLimit
from hpcscan.model.interface import Enclose, Parameter
from hpcscan.model.problem import EncloseByName, Problem
from hpcscan.model.returned import Derivatives, Joint, PredictionRanges, as_derived, as_numbers
from hpcscan.proof.enclosure import Enclosed, enclosed


def guarded(problem: Problem, limit: TimeLimit, spot: SpotCheck | None = None) -> Problem:
    """Pose the same problem, which raises `WrongResultError` where a result has not its shape or type.

    Parameters
    ----------
    spot : SpotCheck, optional
        Told of every prediction.
    """
    return _Guarded(problem, limit, spot)


class _Guarded(Problem):
    """What the fit calls of a model, checked."""

    def __init__(self, problem: Problem, limit: TimeLimit, spot: SpotCheck | None) -> None:
        self._problem, self._limit, self._spot = problem, limit, spot
        self.axes, self.parameters, self.observables = problem.axes, problem.parameters, problem.observables
        self.derived, self.batch_invariant = problem.derived, problem.batch_invariant
        self.rows_per_call = problem.rows_per_call
        self.covariances, self.is_scalar, self.data = problem.covariances, problem.is_scalar, problem.data

    def released(self) -> Problem:
        return _Guarded(self._problem.released(), self._limit, None)

    def predict(self, points: Array, parameters: Array) -> Array:
        # What is returned may be the model's own kind of thing: to read it calls its code again.
        with border, self._limit:
            result = self._problem.predict(points, parameters)
            predicted = as_numbers("predict", result, (len(points), len(self.observables)))
        if self._spot is not None:
            self._spot.note(points, parameters, predicted)
        return predicted

    @property
    def fixed_parameters(self) -> list[tuple[Parameter, float]]:
        return self._problem.fixed_parameters

    @property
    def user_model(self) -> object:
        return self._problem.user_model

    @property
    def predict_by_name(self) -> Callable[..., Mapping[str, Any]] | None:
        inner = self._problem.predict_by_name
        if inner is None:
            return None

        def predict(**parameters: Any) -> Mapping[str, Any]:
            # What is returned may be the model's own kind of thing: it is read here, where its code is held.
            with border, self._limit:
                return {name: _read(value) for name, value in inner(**parameters).items()}

        return predict

    @property
    def enclose_by_name(self) -> EncloseByName | None:
        inner = self._problem.enclose_by_name
        if inner is None:
            return None

        def enclose(lower: Mapping[str, Array], upper: Mapping[str, Array]) -> tuple[Array, Array]:
            with border, self._limit:
                return inner(lower, upper)

        return enclose

    @property
    def has_jacobian(self) -> bool:
        return self._problem.has_jacobian

    def jacobian(self, points: Array, parameters: Array) -> Derivatives:
        with border, self._limit:
            result = self._problem.jacobian(points, parameters)
        as_numbers("jacobian", result.values, (len(points), len(self.observables), len(self.parameters)))
        return result

    def twice_nll(self, points: Array, parameters: Array, data: Array | None = None) -> Array:
        with border, self._limit:
            return self._problem.twice_nll(points, parameters, data)

    @property
    def has_gradient(self) -> bool:
        return self._problem.has_gradient

    def gradient(self, points: Array, parameters: Array, data: Array | None = None) -> Array:
        with border, self._limit:
            return self._problem.gradient(points, parameters, data)

    def simulate(self, rng: np.random.Generator, points: Array, parameters: Array) -> Array:
        with border, self._limit:
            return self._problem.simulate(rng, points, parameters)

    def prediction_ranges(self, points: Array) -> PredictionRanges | None:
        with border, self._limit:
            ranges = self._problem.prediction_ranges(points)
        if ranges is None:
            return None
        return replace(ranges, joint=tuple(replace(j, enclose=self._checked(j)) for j in ranges.joint))

    def _checked(self, joint: Joint) -> Enclose:
        def enclose(point: IntArray, lower: Array, upper: Array) -> tuple[Array, Array]:
            shape = (len(point), len(joint.places))
            with border, self._limit:
                low, high = joint.enclose(point, lower, upper)
                return as_numbers("enclose", low, shape), as_numbers("enclose", high, shape)

        return enclose

    def doubt(self, kind: str, account: str) -> None:
        if self._spot is not None:
            self._spot.hear(Doubt(kind, account))

    def count_differences(self, n_rows: int) -> None:
        self._problem.count_differences(n_rows)

    def derive(self, points: Array, parameters: Array, scales: Mapping[str, Array]) -> Mapping[str, Array]:
        with border, self._limit:
            result = self._problem.derive(points, parameters, scales)
            return as_derived(self.derived, result, len(points))


def _read(value: Any) -> Any:
    """Read the predictions of a term: an enclosed array, or plain numbers."""
    parts = value if isinstance(value, list | tuple) else (value,)
    return enclosed(value) if any(isinstance(part, Enclosed) for part in parts) else np.asarray(value, float)
