"""What a model declares and computes: the seam that built-in models and users' plugins share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf, isfinite
from typing import Any, ClassVar

from hpcscan.arrays import Array


@dataclass(frozen=True)
class Axis:
    """A scanned coordinate, held fixed at every grid point."""

    name: str
    unit: str = "1"
    description: str = ""


@dataclass(frozen=True)
class Parameter:
    """A parameter that is profiled (minimised over) at every grid point.

    Attributes
    ----------
    name : str
    lower, upper : float
        The interval in which the fit may move it; infinite where it is free. Equal bounds fix it.
    start : (float, float), optional
        The finite interval from which start values are drawn; the bounds where they are finite.
    unit, description : str
    """

    name: str
    lower: float = -inf
    upper: float = inf
    start: tuple[float, float] | None = None
    unit: str = "1"
    description: str = ""

    @property
    def start_range(self) -> tuple[float, float]:
        """The finite interval from which start values are drawn."""
        return self.start if self.start is not None else (self.lower, self.upper)

    def problem(self) -> str | None:
        """Say what is wrong with the declaration, or None."""
        low, high = self.start_range
        if not self.lower <= self.upper:
            return f"lower bound {self.lower:g} is above upper bound {self.upper:g}"
        if not (isfinite(low) and isfinite(high)):
            return "an infinite bound needs a finite start=(low, high)"
        if not self.lower <= low <= high <= self.upper:
            return f"start range ({low:g}, {high:g}) is not inside the bounds ({self.lower:g}, {self.upper:g})"
        if not isfinite(high - low):
            return f"the range from {low:g} to {high:g} is wider than the largest number; give a start=(low, high)"
        return None


@dataclass(frozen=True)
class Observable:
    """A measured value that the model predicts, up to a profiled scale or exactly.

    Attributes
    ----------
    name : str
    observed, sigma : float
        The value and its standard deviation, in `unit`.
    scale : str, optional
        Name of the profiled scale that multiplies the prediction; None where the prediction is compared as it is.
    unit, description : str
    is_tolerance : bool
        Whether σ is a tolerance and no statistical error: then χ² has no distribution and no p-value.
    """

    name: str
    observed: float
    sigma: float
    scale: str | None = None
    unit: str = "1"
    description: str = ""
    is_tolerance: bool = False


@dataclass(frozen=True)
class Dimension:
    """An extra dimension of derived variables, with a label for each of its entries."""

    name: str
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Derived:
    """A quantity that a model reports at the minimum of every grid point.

    Attributes
    ----------
    name, unit, description : str
    dimension : Dimension, optional
        Where there is one value for each of its entries.
    expected_range : (float, float), optional
        Values outside are a sign that something is wrong.
    """

    name: str
    unit: str = "1"
    description: str = ""
    dimension: Dimension | None = None
    expected_range: tuple[float, float] | None = None


@dataclass(frozen=True)
class Ranges:
    """What a model can predict at n points, whatever its parameters within their bounds.

    Attributes
    ----------
    lower, upper : array, shape (n, n_observables)
        Every prediction, before any profiled scale, lies between them, also as computed with rounding; possibly
        infinite.
    exact : int, optional
        Index of an observable that the model matches exactly, by a factor of either sign common to all predictions.
        The ranges are those before this factor. Only for a model without profiled scales.
    """

    lower: Array
    upper: Array
    exact: int | None = None


@dataclass(frozen=True)
class Option:
    """One configuration key of a model, for the reader of configurations and for `hpcscan keys`."""

    name: str
    kind: str
    default: Any
    unit: str = ""
    meaning: str = ""
    choices: tuple[str, ...] = field(default=())


class Model(ABC):
    """A model with nuisance parameters: χ² = Σ ((S f(point, parameters) − observed)/σ)².

    Declare `axes`, `parameters` and `observables`, and compute `predict` for many rows at once. Rows are independent:
    row i of a result may depend on row i of the arguments alone.
    """

    title: str = ""
    axes: tuple[Axis, ...]
    parameters: tuple[Parameter, ...]
    observables: tuple[Observable, ...]
    derived: tuple[Derived, ...] = ()
    scale_unit: str = "1"
    #: In which the profiled scales are expected; outside, something is wrong with a unit or with the prediction.
    scale_range: tuple[float, float] | None = None
    options: ClassVar[tuple[Option, ...]] = ()
    #: True promises that a row has the same bits whatever other rows are computed with it.
    batch_invariant: ClassVar[bool] = False

    @abstractmethod
    def predict(self, points: Array, parameters: Array) -> Array:
        """Predict the observables, before any profiled scale.

        Parameters
        ----------
        points : array, shape (n_rows, n_axes)
            Scan coordinates, in the units of the axes.
        parameters : array, shape (n_rows, n_parameters)
            Profiled parameters, within their bounds.

        Returns
        -------
        array, shape (n_rows, n_observables)
        """

    def jacobian(self, points: Array, parameters: Array) -> Array:
        """Differentiate `predict`: shape (n_rows, n_observables, n_parameters). Optional.

        A model that does not define it gets finite differences that respect the bounds.
        """
        raise AttributeError("this model has no jacobian")

    def prediction_ranges(self, points: Array) -> Ranges | None:
        """Enclose what `predict` can give at each of n points. Optional; without it no minimum is certified.

        Whatever bounds of χ² follow from the ranges hold for any model. They are attained where every observable has
        parameters of its own, so that each can be anywhere in its range independently of the others.
        """
        return None

    def derive(self, points: Array, parameters: Array, scales: Mapping[str, Array]) -> Mapping[str, Array]:
        """Compute the `derived` quantities at minima: arrays of shape (n_rows,) or (n_rows, size of the dimension)."""
        return {}

    def check_axes(self, values: Mapping[str, Array]) -> list[tuple[str, str]]:
        """Name every axis whose values the model cannot accept: pairs of (axis name, message)."""
        return []


def scale_names(model: Model) -> tuple[str, ...]:
    """Name the profiled scales of a model, in the order of their first observable."""
    return tuple(dict.fromkeys(o.scale for o in model.observables if o.scale is not None))
