"""A user's model posed to the fit: its parameters divided up, and what it returns put in a row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from hpcscan.arrays import Array, BoolArray, zeros
from hpcscan.model.data_terms import Term
from hpcscan.model.interface import Likelihood, Model, Parameter, Ranges, usual_rows
from hpcscan.model.preparation import Preparation
from hpcscan.model.problem import EncloseByName, Problem, constraint_of, observables_of, scale_names
from hpcscan.model.returned import (
    Derivatives,
    PredictionRanges,
    WrongResultError,
    as_mapping,
    as_numbers,
    by_term,
    ends_in_a_row,
    exact_place,
    in_a_row,
    joined,
    refuse_disorder,
    with_values,
)

AnyModel = Model | Likelihood


def pose(
    model: Model | Likelihood, scanned: Sequence[str], fixed: Mapping[str, float] | None = None, rows: int | None = None
) -> Problem:
    """Pose the fit of a model: some parameters scanned, some fixed, and all others profiled.

    Parameters
    ----------
    model : Model or Likelihood
    scanned : sequence of str
        The axes are in the order in which the model declares them, whatever the order here.
    fixed : mapping of str to float, optional
    rows : int, optional
        Of every call; what the model says, where it is not given.
    """
    return _Posed(model, frozenset(scanned), dict(fixed or {}), rows or model.rows_per_call or usual_rows(model))


def simulates(model: AnyModel) -> bool:
    """Whether a model has only a number, and can draw the data of which that is."""
    return isinstance(model, Likelihood) and type(model).simulate is not Likelihood.simulate


class _Posed(Problem):
    """A user's model with its parameters divided up."""

    def __init__(self, model: AnyModel, scanned: frozenset[str], fixed: Mapping[str, float], rows: int) -> None:
        self.model, self.fixed, self.name, self.rows_per_call = model, fixed, type(model).__name__, rows
        self.title, self.scale_unit, self.scale_range = model.title, model.scale_unit, model.scale_range
        self.batch_invariant = model.batch_invariant
        self.notes = tuple(model.notes)
        # The order is the one of the declaration: neither axes nor fits depend on that of a configuration.
        self.axes = tuple(p for p in model.parameters if p.name in scanned)
        self.parameters = tuple(p for p in model.parameters if p.name not in scanned and p.name not in fixed)
        self.is_scalar = isinstance(model, Likelihood)
        self._terms: tuple[Term, ...] = tuple(model.data) if isinstance(model, Model) else ()
        self._constrained = [p.name for p in model.parameters if p.constraint is not None]
        self.derived = tuple(with_values(derived, self._terms) for derived in model.derived)
        # Observables in a row: the values of all terms, then the constraints.
        values = [o for term in self._terms for o in observables_of(term)]
        self.observables = (*values, *(constraint_of(p) for p in model.parameters if p.constraint is not None))
        # Where each term stands in that row, and its covariance by the first of its places.
        self._places, self.covariances = {}, {}
        first = 0
        for term in self._terms:
            self._places[term.name] = slice(first, first + len(term.values))
            if term.covariance is not None:
                self.covariances[first] = np.asarray(term.covariance, float)
            first += len(term.values)
        self._columns = {p.name: j for j, p in enumerate(self.parameters)}
        if isinstance(model, Likelihood) and simulates(model):
            self.data = np.asarray(model.data, float)
        # Rows are filled up for `prepare` as they are for `predict`, so that its bits are the same.
        self._preparation = Preparation(model, None if self.batch_invariant else rows) if model.prepared else None

    @property
    def fixed_parameters(self) -> list[tuple[Parameter, float]]:
        """Parameters that are neither scanned nor profiled, with their values."""
        return [(p, self.fixed[p.name]) for p in self.model.parameters if p.name in self.fixed]

    def released(self) -> Problem:
        """Pose the same model with every parameter profiled that is not fixed."""
        return _Posed(self.model, frozenset(), self.fixed, self.rows_per_call)

    def predict(self, points: Array, parameters: Array) -> Array:
        """Call the model with columns by name, and put what it returns in a row."""
        named, n = self._arguments(points, parameters), len(parameters)
        # Terms are written along rows: contiguous, as the fit reads them.
        result = np.empty((len(self.observables), n))
        if isinstance(self.model, Model):
            predicted = by_term("predict", self.model.predict(**named), self._places)
            for name, place in self._places.items():
                result[place] = as_numbers(f"predict[{name!r}]", predicted[name], (n, place.stop - place.start)).T
        # A constrained parameter predicts itself.
        for row, name in enumerate(self._constrained, len(result) - len(self._constrained)):
            result[row] = named[name][:, 0]
        return result.T

    @property
    def predict_by_name(self) -> Callable[..., Mapping[str, Any]] | None:
        """The user's own function, from columns by name to a mapping of terms; None in a scalar model."""
        predict, preparation = getattr(self.model, "predict", None), self._preparation
        if predict is None or preparation is None:
            return predict
        return lambda **named: predict(**named, prepared=preparation.at(named))

    @property
    def enclose_by_name(self) -> EncloseByName | None:
        """What the model encloses itself; see `Model.enclose`."""
        model, names = self.model, [o.name for o in self.observables]
        if not isinstance(model, Model) or type(model).enclose is Model.enclose:
            return None

        def enclose(lower: Mapping[str, Array], upper: Mapping[str, Array]) -> tuple[Array, Array]:
            n = len(next(iter(lower.values())))
            return ends_in_a_row(model.enclose(lower, upper), self._places, names, n)

        return enclose

    @property
    def user_model(self) -> object:
        """The user's own object."""
        return self.model

    @cached_property
    def has_jacobian(self) -> bool:
        """Whether the model defines one."""
        return isinstance(self.model, Model) and type(self.model).jacobian is not Model.jacobian

    def jacobian(self, points: Array, parameters: Array) -> Derivatives:
        """Collect the derivatives that the model gives, and those of constraints."""
        assert isinstance(self.model, Model)
        n, first = len(parameters), len(self.observables) - len(self._constrained)
        values = zeros((len(self.observables), len(self.parameters), n))
        given: list[tuple[slice, int]] = []
        result = as_mapping("jacobian", self.model.jacobian(**self._arguments(points, parameters)))
        for term, of_term in result.items():
            if term not in self._places:
                raise WrongResultError("jacobian", f"the term {term!r:.60}, which is not declared")
            place = self._places[term]
            size = place.stop - place.start
            for name, derivative in as_mapping(f"jacobian[{term!r}]", of_term).items():
                # What a model gives for a parameter that is held is left out; a name that it has not, is a mistake.
                if (column := self._columns.get(name)) is None:
                    if all(name != p.name for p in self.model.parameters):
                        what = f"jacobian[{term!r}]"
                        raise WrongResultError(what, f"the parameter {name!r:.60}, which is not declared")
                    continue
                given.append((place, column))
                # 0.0 says that a term does not depend on a parameter: zero is there already.
                if type(derivative) is not float or derivative != 0:
                    what = f"jacobian[{term!r}][{name!r}]"
                    values[place, column] = as_numbers(what, derivative, (n, size)).T
        for row, name in enumerate(self._constrained, first):
            if name in self._columns:
                values[row, self._columns[name]] = 1.0
        return Derivatives(values.transpose(2, 0, 1), self._is_given(given))

    def _is_given(self, given: Sequence[tuple[slice, int]]) -> BoolArray | None:
        """Mark the derivatives that are given, and those of constraints; None where they are all."""
        if len(given) == len(self._places) * len(self.parameters):
            return None
        is_given = np.zeros((len(self.observables), len(self.parameters)), bool)
        for place, column in given:
            is_given[place, column] = True
        is_given[len(is_given) - len(self._constrained) :] = True
        return is_given

    def twice_nll(self, points: Array, parameters: Array, data: Array | None = None) -> Array:
        """Call the model with columns by name."""
        assert isinstance(self.model, Likelihood)
        result = self.model.twice_nll(*self._data(len(parameters), data), **self._arguments(points, parameters))
        return as_numbers("twice_nll", result, (len(parameters),))

    def _data(self, n: int, data: Array | None) -> tuple[Array, ...]:
        """Return the data of n rows, where the model takes any."""
        if not len(self.data):
            return ()
        return (np.broadcast_to(self.data, (n, len(self.data))) if data is None else data,)

    @cached_property
    def has_gradient(self) -> bool:
        """Whether the model defines one."""
        return isinstance(self.model, Likelihood) and type(self.model).gradient is not Likelihood.gradient

    def gradient(self, points: Array, parameters: Array, data: Array | None = None) -> Array:
        """Collect the derivatives by the profiled parameters."""
        assert isinstance(self.model, Likelihood)
        named = self._arguments(points, parameters)
        result = as_mapping("gradient", self.model.gradient(*self._data(len(parameters), data), **named))
        if missing := ", ".join(name for name in self._columns if name not in result):
            raise WrongResultError("gradient", f"nothing for {missing}; expected an array for each parameter")
        n = len(parameters)
        # What is held has a derivative, too, which nobody asks for.
        columns = [as_numbers(f"gradient[{name!r}]", result[name], (n,)) for name in self._columns]
        return np.stack(columns, axis=1) if columns else np.empty((n, 0))

    def simulate(self, rng: np.random.Generator, points: Array, parameters: Array) -> Array:
        """Call the model with numbers by name."""
        assert isinstance(self.model, Likelihood)
        numbers = {name: float(column[0, 0]) for name, column in self._named(points, parameters).items()}
        result = np.asarray(self.model.simulate(rng, **numbers))
        if result.shape != self.data.shape or result.dtype.kind not in "fiu":
            found = f"{result.dtype} of shape {result.shape}"
            raise WrongResultError("simulate", f"{found}; expected numbers of the shape of data, {self.data.shape}")
        return result.astype(float)

    def prediction_ranges(self, points: Array) -> PredictionRanges | None:
        """Put the ranges of the terms in a row; a constraint is as wide as the bounds of its parameter."""
        if not isinstance(self.model, Model):
            return None
        held, n = self._held(points), len(points)
        ranges = self.model.ranges(**held)
        if ranges is None:
            return None
        if not isinstance(ranges, Ranges):
            raise WrongResultError("ranges", f"a {type(ranges).__name__}; expected Ranges(lower, upper) or None")
        lower, upper = (self._side(f"ranges.{side}", getattr(ranges, side), held, n) for side in ("lower", "upper"))
        refuse_disorder(lower, upper, [o.name for o in self.observables])
        exact = exact_place(ranges.exact, self._places, has_scales=bool(scale_names(self)))
        return PredictionRanges(lower, upper, exact, joined(ranges.together, self._places, n))

    def derive(self, points: Array, parameters: Array, scales: Mapping[str, Array]) -> Mapping[str, Array]:
        """Call the model with columns by name."""
        return self.model.derive(scales, **self._named(points, parameters))

    def check(self, scanned: Mapping[str, Array]) -> list[tuple[str, str]]:
        """Ask the model of the values on axes, the fixed ones, and the bounds of those that are profiled."""
        # A profiled parameter may be anywhere within its bounds: both ends are asked about.
        values = {p.name: np.array([p.lower, p.upper]) for p in self.parameters}
        fixed = {name: np.array([value]) for name, value in self.fixed.items()}
        return list(self.model.check(**values | fixed | dict(scanned)))

    def _held(self, points: Array) -> dict[str, Array]:
        """Return the scanned and fixed parameters as columns."""
        columns = {axis.name: points[:, j : j + 1] for j, axis in enumerate(self.axes)}
        return columns | {name: np.broadcast_to(value, (len(points), 1)) for name, value in self.fixed.items()}

    def _arguments(self, points: Array, parameters: Array) -> dict[str, Any]:
        named = self._named(points, parameters)
        return named if self._preparation is None else named | {"prepared": self._preparation.at(named)}

    def _named(self, points: Array, parameters: Array) -> dict[str, Array]:
        return self._held(points) | {name: parameters[:, j : j + 1] for name, j in self._columns.items()}

    def _side(self, what: str, side: Any, held: Mapping[str, Array], n: int) -> Array:
        # A model that gets no column cannot know how many rows are wanted: it gives one.
        given, end = in_a_row(what, side, self._places, n if held else 1), what.rpartition(".")[2]
        # Behind the terms come the constraints: a parameter that is held has one value there.
        result = np.empty((n, len(self.observables)))
        result[:, : given.shape[1]] = given
        for column, name in enumerate(self._constrained, given.shape[1]):
            own = held.get(name)
            result[:, column] = getattr(self.parameters[self._columns[name]], end) if own is None else own[:, 0]
        return result
