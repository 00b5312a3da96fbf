"""A model that is held to its declarations and to its time at every call."""

from __future__ import annotations

from collections.abc import Mapping

from hpcscan.arrays import Array
from hpcscan.border import border
from hpcscan.guard.spot import SpotCheck
from hpcscan.guard.time_limit import TimeLimit
from hpcscan.model.interface import Model, Ranges
from hpcscan.model.results import as_derived, as_numbers, as_ranges


def guarded(model: Model, limit: TimeLimit, spot: SpotCheck | None = None) -> Model:
    """Make a model that computes the same, and raises `WrongResultError` where a result has not its shape or type.

    Parameters
    ----------
    model : Model
    limit : TimeLimit
    spot : SpotCheck, optional
        Told of every prediction.
    """
    has_jacobian = type(model).jacobian is not Model.jacobian
    return _GuardedWithJacobian(model, limit, spot) if has_jacobian else _Guarded(model, limit, spot)


class _Guarded(Model):
    """What the fit calls of a model, checked."""

    def __init__(self, model: Model, limit: TimeLimit, spot: SpotCheck | None) -> None:
        self._model, self._limit, self._spot = model, limit, spot
        self.axes, self.parameters, self.observables = model.axes, model.parameters, model.observables
        self.derived = model.derived

    def predict(self, points: Array, parameters: Array) -> Array:
        # What is returned may be the model's own kind of thing: to read it calls its code again.
        with border, self._limit:
            result = self._model.predict(points, parameters)
            predicted = as_numbers("predict", result, (len(points), len(self.observables)))
        if self._spot is not None:
            self._spot.note(points, parameters, predicted)
        return predicted

    def prediction_ranges(self, points: Array) -> Ranges | None:
        with border, self._limit:
            ranges = self._model.prediction_ranges(points)
            return as_ranges(self._model, ranges, len(points))

    def derive(self, points: Array, parameters: Array, scales: Mapping[str, Array]) -> Mapping[str, Array]:
        with border, self._limit:
            result = self._model.derive(points, parameters, scales)
            return as_derived(self._model, result, len(points))


class _GuardedWithJacobian(_Guarded):
    """The same, for a model that has a Jacobian."""

    def jacobian(self, points: Array, parameters: Array) -> Array:
        with border, self._limit:
            result = self._model.jacobian(points, parameters)
            return as_numbers("jacobian", result, (len(points), len(self.observables), len(self.parameters)))
