"""What a model declares and computes: the seam that built-in models and users' plugins share."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import inf, isfinite, isnan
from typing import Any, ClassVar

import numpy as np

from hpcscan.arrays import Array, IntArray
from hpcscan.model.data_terms import Term

#: A name as CF allows it, in a file and in Python.
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
#: Rows of a call where nobody says: enough for numpy to be quick, …
ROWS_PER_CALL = 128
#: … or so many fewer that what they give is at most so many numbers, which stay in cache.
NUMBERS_PER_CALL = 1 << 17
#: Values by term.
Terms = Mapping[str, Array]
#: What `jacobian` gives: derivatives by term and parameter.
Jacobian = Mapping[str, Mapping[str, Array | float]]
#: From points and lower and upper ends of a coordinate there to lower and upper ends of predictions; see `Together`.
Enclose = Callable[[IntArray, Array, Array], tuple[Array, Array]]


@dataclass(frozen=True)
class Option:
    """What an option means, beside its type: ``mass: Annotated[float, Option("mass of the bob", unit="kg")] = 1.0``."""

    meaning: str = ""
    unit: str = ""


@dataclass(frozen=True)
class Parameter:
    """A parameter of a model. The configuration says whether it is scanned, fixed or profiled (minimised over).

    Attributes
    ----------
    name : str
    lower, upper : float
        The interval in which it may lie; infinite where it is free. Equal bounds fix it.
    start : (float, float), optional
        The finite interval from which start values are drawn; the bounds where they are finite.
    unit : str
    label : str
        How it is written in figures; the name where it is empty.
    constraint : (float, float), optional
        Mean and standard deviation of what is known of it otherwise: a normal term of the likelihood.
    description : str
    """

    name: str
    lower: float = -inf
    upper: float = inf
    start: tuple[float, float] | None = None
    unit: str = "1"
    label: str = ""
    constraint: tuple[float, float] | None = None
    description: str = ""

    @property
    def start_range(self) -> tuple[float, float]:
        """The finite interval from which start values are drawn."""
        return self.start if self.start is not None else (self.lower, self.upper)

    def problem(self) -> str | None:
        """Describe what is wrong with the declaration, or None."""
        if isnan(self.lower) or isnan(self.upper):
            return (
                f"the bounds are {self.lower:g} and {self.upper:g}; expected numbers, or infinity where there is none"
            )
        if self.lower > self.upper:
            return f"lower bound {self.lower:g} is above upper bound {self.upper:g}"
        if self.start is not None:
            low, high = self.start
            if not (isfinite(low) and isfinite(high)):
                return f"start range ({low:g}, {high:g}) is not finite"
            if not self.lower <= low <= high <= self.upper:
                return f"start range ({low:g}, {high:g}) is not inside the bounds ({self.lower:g}, {self.upper:g})"
        if self.constraint is not None and not (isfinite(self.constraint[0]) and 0 < self.constraint[1] < inf):
            mean, sigma = self.constraint
            return f"constraint is ({mean:g}, {sigma:g}); expected a finite mean and a positive sigma"
        return None

    def problem_of_start(self) -> str | None:
        """Describe why no start value can be drawn, so that it cannot be profiled; or None."""
        low, high = self.start_range
        if not (isfinite(low) and isfinite(high)):
            return "an infinite bound needs a finite start=(low, high)"
        if not isfinite(high - low):
            return f"the range from {low:g} to {high:g} is wider than the largest number; give a start=(low, high)"
        return None


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
    part_of : str
        Name of a term of whose prediction it is a part, in the unit of the data: then there is one value for each of
        the term's, figures show them beside the data, and the dimension is not given. The description is its legend.
    """

    name: str
    unit: str = "1"
    description: str = ""
    dimension: Dimension | None = None
    expected_range: tuple[float, float] | None = None
    part_of: str = ""


@dataclass(frozen=True, eq=False)
class Together:
    """Terms of one value that share parameters: what they can be together, followed along a coordinate.

    The coordinate is the model's choice: a parameter, one of the predictions, or anything of which the predictions are
    narrow functions. A proof divides its range, and asks what the predictions are in each part.

    Attributes
    ----------
    terms : tuple of str
    lower, upper : array, shape (n,)
        The finite range of the coordinate at n points.
    enclose : callable
        From points (m indices) and the lower and upper ends of a part of the range at each, all of shape (m,), to the
        lower and upper ends of what the terms can be there, two arrays of shape (m, n_terms); those of an impossible
        part are crossed (∞ and −∞). Every value of the parameters belongs to some value of the coordinate.
    """

    terms: tuple[str, ...]
    lower: Array
    upper: Array
    enclose: Enclose


@dataclass(frozen=True)
class Ranges:
    """What a model can predict at n points, whatever its profiled parameters within their bounds.

    Attributes
    ----------
    lower, upper : mapping of term to array, shape (n, size)
        Every prediction, before any profiled scale, lies between them, also as computed with rounding; possibly
        infinite, and NaN where they are not known.
    exact : str, optional
        Name of a term of one value that the model matches exactly, by a factor of either sign common to all
        predictions. The ranges are those before this factor. Only for a model without profiled scales.
    together : tuple of Together, optional
        More of terms that share parameters; without it a bound takes every prediction for independent of the others.
    """

    lower: Mapping[str, Array]
    upper: Mapping[str, Array]
    exact: str | None = None
    together: tuple[Together, ...] = ()


class _Declared(ABC):
    """What every model declares."""

    title: str = ""
    #: What a reader of a verdict has to know of the model, in sentences.
    notes: tuple[str, ...] = ()
    parameters: tuple[Parameter, ...]
    derived: tuple[Derived, ...] = ()
    #: Of all scales, or of each by its name.
    scale_unit: str | Mapping[str, str] = "1"
    #: In which the profiled scales are expected; outside, something is wrong with a unit or with the prediction.
    scale_range: tuple[float, float] | Mapping[str, tuple[float, float]] | None = None
    #: True promises that a row has the same bits whatever other rows are computed with it: calls have any number.
    batch_invariant: ClassVar[bool] = False
    #: Rows of every call, where that is not promised: 1 for a model whose rows take a millisecond or more. None: 128,
    #: or fewer where a row gives thousands of numbers.
    rows_per_call: ClassVar[int | None] = None

    #: Parameters of which `prepare` makes something that `predict` needs, at each of their values once.
    prepared: ClassVar[tuple[str, ...]] = ()

    def prepare(self, *_: Any, **values: Any) -> Any:
        """Compute what depends on the parameters of `prepared` alone. Optional.

        Where they are scanned or fixed, it is computed once for a point; where they move, for every row.

        Parameters
        ----------
        **values : array, shape (n, 1)

        Returns
        -------
        array, shape (n, ...), or mapping of name to array
            Its rows are given to `predict`, and to `jacobian`, `twice_nll` and `gradient`, as ``prepared``.
        """
        raise AttributeError("this model prepares nothing")

    def derive(self, scales: Mapping[str, Array], *_: Any, **parameters: Any) -> Mapping[str, Array]:
        """Compute the `derived` quantities at minima: arrays of shape (n,) or (n, size of the dimension or term).

        Parameters
        ----------
        scales : mapping of name to array, shape (n,)
        **parameters : array, shape (n, 1)
        """
        return {}

    def check(self, *_: Any, **values: Any) -> Iterable[tuple[str, str]]:
        """List every parameter that has values which the model cannot accept: pairs of (name, message).

        Parameters
        ----------
        **values : array, shape (any,)
            For each parameter the values on the axis where it is scanned, the one where it is fixed, and its bounds
            where it is profiled.
        """
        return []


class Model(_Declared):
    """A model that predicts data: −2 ln L is the sum over the terms of `data` and the constraints of parameters.

    Declare `parameters` and `data`, and compute `predict` for many rows at once. Rows are independent: row i of a
    result may depend on row i of the arguments alone.
    """

    data: tuple[Term, ...]

    @abstractmethod
    def predict(self, *_: Any, **parameters: Any) -> Mapping[str, Array]:
        """Predict the data, before any profiled scale.

        Parameters
        ----------
        **parameters : array, shape (n, 1)
            Every parameter by its name, in its unit; columns broadcast against abscissas of shape (size,).

        Returns
        -------
        mapping of term to array, shape (n, size)
        """

    def jacobian(self, *_: Any, **parameters: Any) -> Jacobian:
        """Differentiate `predict`: ``{term: {parameter: (n, size)}}`` as far as it is known. Optional.

        The number 0.0 says that a term does not depend on a parameter.
        What it leaves out is found by finite differences that respect the bounds.
        """
        raise AttributeError("this model has no jacobian")

    def ranges(self, *_: Any, **scanned: Any) -> Ranges | None:
        """Enclose what `predict` can give at n points. Optional; without it no minimum is certified.

        Whatever bounds of χ² follow from the ranges hold for any model. They are attained where every prediction has
        parameters of its own, so that each can be anywhere in its range independently of the others; and where those
        that share parameters are given `together`.

        Parameters
        ----------
        **scanned : array, shape (n, 1)
            The parameters that are scanned or fixed, by name; where there are none, the ranges have one row. Give a
            default, as in ``ranges(self, a=None)``, to those without which a scan may be run, and return None then.
        """
        return None

    def enclose(self, lower: Mapping[str, Array], upper: Mapping[str, Array]) -> tuple[Terms, Terms]:
        """Enclose what `predict` can give in n boxes of parameters. Optional.

        A proof of a minimum encloses `predict` itself, as it is. Where that cannot be done (a branch, compiled code, an
        integral by scipy), it divides the bounds into boxes and asks here; so it takes more boxes. Several predictions
        are in each call compared with what is said of them.

        Parameters
        ----------
        lower, upper : mapping of parameter to array, shape (n, 1)
            The ends of the boxes, finite, for every parameter; equal for those that are held.

        Returns
        -------
        pair of mappings of term to array, shape (n, size)
            Ends between which every prediction lies, before any profiled scale, as it is computed with rounding;
            possibly infinite. The narrower they become with the boxes, the fewer of these are needed.
        """
        raise AttributeError("this model has no enclose")


class Likelihood(_Declared):
    """A model that has only a number: −2 ln L, up to a constant; constraints of parameters are added to it.

    One that defines `simulate` declares what was observed as `data`, an array of shape (size,), and takes data as the
    first argument of `twice_nll` and `gradient`: shape (n, size), a data set for each row. Where the number of values
    varies, an array long enough for all is filled up with NaN.
    """

    data: Any

    @abstractmethod
    def twice_nll(self, *_: Any, **parameters: Any) -> Array:
        """Compute −2 ln L: shape (n,), for parameters of shape (n, 1)."""

    def gradient(self, *_: Any, **parameters: Any) -> Mapping[str, Array]:
        """Differentiate `twice_nll`: ``{parameter: (n,)}`` for every parameter. Optional."""
        raise AttributeError("this model has no gradient")

    def simulate(self, rng: np.random.Generator, *_: Any, **parameters: Any) -> Array:
        """Draw the data of one toy, of the shape of `data`. Optional; without it no toys are made.

        Parameters
        ----------
        rng : Generator
            Of this toy: the same at every place, so that toys move with the parameters.
        **parameters : float
        """
        raise AttributeError("this model has no simulate")


def repeated(names: Iterable[str]) -> list[str]:
    """List the names that are there more than once."""
    return [name for name, n in Counter(names).items() if n > 1]


def usual_rows(model: Model | Likelihood) -> int:
    """Return the rows of a call of a model that does not say: a power of two, whatever is scanned."""
    numbers = 1
    if isinstance(model, Model):
        has_jacobian = type(model).jacobian is not Model.jacobian
        numbers = sum(len(term.values) for term in model.data) * (len(model.parameters) if has_jacobian else 1)
    return min(ROWS_PER_CALL, 1 << max(0, (NUMBERS_PER_CALL // max(1, numbers)).bit_length() - 1))


def where(condition: Any, a: Any, b: Any) -> Any:
    """Choose elements of `a` where a condition holds, and of `b` elsewhere: a branch that a proof can follow.

    An ``if`` has one answer for all rows, and none for a box of parameters. This is `numpy.where` under the name of the
    promise: in a box that leaves the condition open, predictions are enclosed for both answers.

    Parameters
    ----------
    condition : array_like of bool
        Such as ``time > start``; combined with ``&``, ``|`` and ``~``.
    a, b : array_like

    Returns
    -------
    array
        Of the shape to which all three are broadcast.
    """
    return np.where(condition, a, b)
