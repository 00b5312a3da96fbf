"""What the fit works on: which parameters are held at a point, which are profiled, and all data in a row.

The fit works on arrays of many rows. It knows coordinates, profiled parameters and observables by their place, and
nothing of a user's names and mappings.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from hpcscan.arrays import Array
from hpcscan.model.data_terms import Poisson, Term, value_names
from hpcscan.model.interface import ROWS_PER_CALL, Derived, Parameter
from hpcscan.model.returned import Derivatives, PredictionRanges

#: In front of the name of a parameter whose constraint is an observable.
CONSTRAINT = "constraint."
#: How an observable is compared with its prediction.
Kind = Literal["gaussian", "poisson"]
#: From lower and upper ends of all parameters, columns by name, to those of predictions; see `Problem`.
EncloseByName = Callable[[Mapping[str, Array], Mapping[str, Array]], tuple[Array, Array]]


@dataclass(frozen=True)
class Observable:
    """One measured value, which the model predicts up to a profiled scale or exactly.

    Attributes
    ----------
    name : str
    observed, sigma : float
        The value and its standard deviation, in `unit`; the latter is NaN for a count.
    scale : str, optional
        Name of the profiled scale that multiplies the prediction; None where the prediction is compared as it is.
    unit, description : str
    kind : {"gaussian", "poisson"}
    term : str
        The term to which it belongs.
    label : str
        How it is written.
    x : float
        Where it was taken; NaN where there is no abscissa.
    is_tolerance : bool
        Whether σ is a tolerance and no statistical error.
    """

    name: str
    observed: float
    sigma: float
    scale: str | None = None
    unit: str = "1"
    description: str = ""
    kind: Kind = "gaussian"
    term: str = ""
    label: str = ""
    x: float = np.nan
    is_tolerance: bool = False
    x_label: str = ""
    x_unit: str = "1"


def observables_of(term: Term) -> tuple[Observable, ...]:
    """List the values of a term."""
    kind: Kind = "poisson" if isinstance(term, Poisson) else "gaussian"
    names, size = value_names(term), len(term.values)
    x = np.full(size, np.nan) if term.x is None else np.atleast_1d(np.asarray(term.x, float))
    columns = zip(names, term.values.tolist(), term.errors.tolist(), x.tolist(), strict=True)
    label, is_tolerance = term.label or term.name, term.is_tolerance
    about, of_x = (term.scale, term.unit, term.description, kind, term.name), (term.x_label, term.x_unit)
    return tuple(Observable(n, y, s, *about, label, at, is_tolerance, *of_x) for n, y, s, at in columns)


def constraint_of(parameter: Parameter) -> Observable:
    """Turn the constraint of a parameter into an observable."""
    assert parameter.constraint is not None
    name, (mean, sigma) = f"{CONSTRAINT}{parameter.name}", parameter.constraint
    about = parameter.unit, f"what is known of {parameter.name} otherwise"
    return Observable(name, float(mean), float(sigma), None, *about, "gaussian", name, parameter.label)


class Problem(ABC):
    """What the fit works on.

    Attributes
    ----------
    name : str
        Of the model's class.
    axes : tuple of Parameter
        Scanned, and so held at a point.
    parameters : tuple of Parameter
        Profiled.
    observables : tuple of Observable
        The values of all terms, then the constraints.
    covariances : mapping of int to array
        Covariance matrices by the place of the first of their observables.
    is_scalar : bool
        Whether the model has a number −2 ln L of its own, beside the constraints.
    logarithmic : frozenset of str
        Parameters that are posed by their logarithm.
    data : array, shape (size,)
        Of a scalar model that can simulate them; else empty.
    n_difference_rows : int
        Those rows of `n_model_rows` that finite differences have asked for, of all points fitted on this process.
    """

    name: str = ""
    title: str = ""
    notes: tuple[str, ...] = ()
    axes: tuple[Parameter, ...]
    parameters: tuple[Parameter, ...]
    observables: tuple[Observable, ...]
    derived: tuple[Derived, ...] = ()
    scale_unit: str | Mapping[str, str] = "1"
    scale_range: tuple[float, float] | Mapping[str, tuple[float, float]] | None = None
    batch_invariant: bool = False
    rows_per_call: int = ROWS_PER_CALL
    covariances: Mapping[int, Array] = {}
    is_scalar: bool = False
    logarithmic: frozenset[str] = frozenset()
    data: Array = np.empty(0)
    n_difference_rows: int = 0

    @property
    def observed(self) -> Array:
        """All data in a row, as toys have them: those of the observables, then those of a scalar model."""
        # One row serves both kinds of model: either part may be empty.
        return np.concatenate([np.array([o.observed for o in self.observables], float), self.data])

    @property
    def fixed_parameters(self) -> list[tuple[Parameter, float]]:
        """Parameters that are neither scanned nor profiled, with their values."""
        return []

    def released(self) -> Problem:
        """Pose the same with everything profiled that is not fixed."""
        return self

    @abstractmethod
    def predict(self, points: Array, parameters: Array) -> Array:
        """Predict the observables before any scale: (n_rows, n_observables) for rows of axes and of parameters."""

    @property
    def has_jacobian(self) -> bool:
        """Whether the model knows derivatives of its predictions."""
        return type(self).jacobian is not Problem.jacobian

    def jacobian(self, points: Array, parameters: Array) -> Derivatives:
        """Differentiate `predict`."""
        raise AttributeError("this model has no jacobian")

    @property
    def predict_by_name(self) -> Callable[..., Mapping[str, Any]] | None:
        """The user's own function, from columns by name to a mapping of terms; None in a scalar model."""
        return None

    @property
    def enclose_by_name(self) -> EncloseByName | None:
        """The user's own enclosure of `predict_by_name`, in boxes of columns by name; None where there is none.

        It gives lower and upper ends, shape (n, n_values), of the values of all terms, without the constraints.
        """
        return None

    @property
    def user_model(self) -> object:
        """The user's own object."""
        return None

    def twice_nll(self, points: Array, parameters: Array, data: Array | None = None) -> Array:
        """Compute −2 ln L of a scalar model, without constraints: shape (n_rows,).

        `data`, shape (n_rows, size), are those of every row, where they are not the model's own.
        """
        raise AttributeError("this model has no twice_nll")

    @property
    def has_gradient(self) -> bool:
        """Whether a scalar model knows the derivatives of its −2 ln L."""
        return type(self).gradient is not Problem.gradient

    def gradient(self, points: Array, parameters: Array, data: Array | None = None) -> Array:
        """Differentiate `twice_nll` by the parameters: shape (n_rows, n_parameters)."""
        raise AttributeError("this model has no gradient")

    def simulate(self, rng: np.random.Generator, points: Array, parameters: Array) -> Array:
        """Draw data of a scalar model, shape (size,), for one row."""
        raise AttributeError("this model has no simulate")

    def prediction_ranges(self, points: Array) -> PredictionRanges | None:
        """Enclose what `predict` can give at each of n points; None where that is not known."""
        return None

    def derive(self, points: Array, parameters: Array, scales: Mapping[str, Array]) -> Mapping[str, Array]:
        """Compute the `derived` quantities at minima: arrays whose first axis is the rows."""
        return {}

    def doubt(self, kind: str, account: str) -> None:  # noqa: B027 - a problem alone has nobody who listens
        """Report what a model should not do, where somebody listens; the same kind is told once."""

    def count_differences(self, n_rows: int) -> None:
        """Note that so many rows are for finite differences."""
        self.n_difference_rows += n_rows

    def check(self, scanned: Mapping[str, Array]) -> list[tuple[str, str]]:
        """List every parameter that has values which the model cannot accept: pairs of (name, message)."""
        return []


def scale_names(problem: Problem) -> tuple[str, ...]:
    """List the profiled scales of a model, in the order of their first observable."""
    return tuple(dict.fromkeys(o.scale for o in problem.observables if o.scale is not None))


def scale_unit(problem: Problem, name: str) -> str:
    """Return the unit of a profiled scale."""
    unit = problem.scale_unit
    return unit if isinstance(unit, str) else unit.get(name, "1")


def scale_range(problem: Problem, name: str) -> tuple[float, float] | None:
    """Return the interval in which a profiled scale is expected; None where nothing is said."""
    expected = problem.scale_range
    return expected.get(name) if isinstance(expected, Mapping) else expected
