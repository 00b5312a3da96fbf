"""A model that is held to its declarations and to its time at every call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hpcscan.model.interface import Array, Model, Ranges
from hpcscan.scan.time_limit import TimeLimit


class WrongResultError(Exception):
    """A model returned something other than what it declares.

    Parameters
    ----------
    name : str
        What it was asked for.
    problem : str
    """

    def __init__(self, name: str, problem: str) -> None:
        self.name = name
        super().__init__(f"{name} returned {problem}")


def guarded(model: Model, limit: TimeLimit) -> Model:
    """Make a model that computes the same, and raises `WrongResultError` where a result has not its shape or type."""
    has_jacobian = type(model).jacobian is not Model.jacobian
    return _GuardedWithJacobian(model, limit) if has_jacobian else _Guarded(model, limit)


class _Guarded(Model):
    """What the fit calls of a model, checked."""

    def __init__(self, model: Model, limit: TimeLimit) -> None:
        self._model, self._limit = model, limit
        self.axes, self.parameters, self.observables = model.axes, model.parameters, model.observables
        self.derived = model.derived

    def predict(self, points: Array, parameters: Array) -> Array:
        with self._limit:
            result = self._model.predict(points, parameters)
        return _checked("predict", result, (len(points), len(self.observables)))

    def prediction_ranges(self, points: Array) -> Ranges | None:
        with self._limit:
            ranges = self._model.prediction_ranges(points)
        if ranges is None:
            return None
        shape = (len(points), len(self.observables))
        lower = _checked("prediction_ranges.lower", ranges.lower, shape)
        return Ranges(lower, _checked("prediction_ranges.upper", ranges.upper, shape), ranges.exact)

    def derive(self, points: Array, parameters: Array, scales: Mapping[str, Array]) -> Mapping[str, Array]:
        with self._limit:
            result = self._model.derive(points, parameters, scales)
        sizes = {d.name: () if d.dimension is None else (len(d.dimension.labels),) for d in self.derived}
        if set(result) != set(sizes):
            got, declared = (", ".join(sorted(names)) or "nothing" for names in (result, sizes))
            raise WrongResultError("derive", f"{got}; declared is {declared}")
        return {name: _checked(f"derive[{name!r}]", result[name], (len(points), *sizes[name])) for name in sizes}


class _GuardedWithJacobian(_Guarded):
    """The same, for a model that has a Jacobian."""

    def jacobian(self, points: Array, parameters: Array) -> Array:
        with self._limit:
            result = self._model.jacobian(points, parameters)
        return _checked("jacobian", result, (len(points), len(self.observables), len(self.parameters)))


def _checked(name: str, result: Any, shape: tuple[int, ...]) -> Array:
    values = np.asarray(result)
    if values.shape != shape:
        raise WrongResultError(name, f"shape {values.shape}; expected {shape} for {shape[0]} rows")
    if values.dtype.kind not in "fiu":
        raise WrongResultError(name, f"values of type {values.dtype}; expected real numbers")
    return values
