"""What is to be proven: the least χ² of a user's `predict` over a box of parameters, at points that hold the others.

    χ² = Σ ((S f − y)/σ)² over the values of all blocks  +  Σ ((parameter − mean)/σ)² over the constraints

or (S f − y)ᵀ V⁻¹ (S f − y) for a block with a covariance V, and the deviance of `proof.counts` for a block of counts.

Every scale S is free, of either sign; one of counts is not negative, whether values share it or not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from hpcscan.arrays import Array, BoolArray, IntArray
from hpcscan.model.problem import EncloseByName
from hpcscan.proof.condition import ARRAY_FUNCTIONS, NotEnclosable
from hpcscan.proof.enclosure import Enclosed, enclosed
from hpcscan.proof.tracing import Place, Predict, asked, call, places_of_numpy

#: Values of the free parameters that are tried at a point: the given ones, and some within the bounds; half of them are
#: enclosed in boxes, of this width relative to the bounds.
N_TRIED, WIDTH = 4, 1e-4
#: The same for an enclosure of the model's own: it may be wrong in wide boxes alone, or take no notice of a width.
N_COMPARED, NARROWEST = 48, 1e-6
#: Why nothing is proven at a point where they differ.
UNFAITHFUL = (
    "the model predicts something else for enclosed arrays than for numbers: its code must not ask for the types of "
    "its arguments, keep a state or draw random numbers; or set fit.proof to false"
)
#: The same for an enclosure of the model's own.
MISSED = "the model's enclose leaves out what predict computes"
#: Its multiples share the bounds evenly, and lie on no value that a user may have written.
GOLDEN = 0.6180339887498949
#: Enclosures contain what is computed by the same operations; this much is left to functions that err more than they
#: should, relative to the prediction, and in units of σ.
RELATIVE, ABSOLUTE = 1e-10, 1e-7


@dataclass(frozen=True, eq=False)
class DataBlock:
    """Values with Gaussian errors, or counts: one term of the data.

    Attributes
    ----------
    term : str
        The key of its predictions in what `predict` returns.
    observed, sigma : array, shape (size,)
        σ is 1 for counts.
    scale : str, optional
        Name of the profiled scale; None where the prediction is compared as it is.
    covariance : array, shape (size, size), optional
        With σ² on its diagonal.
    """

    term: str
    observed: Array
    sigma: Array
    scale: str | None = None
    covariance: Array | None = None
    is_count: bool = False


@dataclass(frozen=True)
class Constraint:
    """A Gaussian constraint on a free parameter."""

    parameter: str
    mean: float
    sigma: float


@dataclass(frozen=True, eq=False)
class BoxProblem:
    """A model, its data and the box of its free parameters.

    Attributes
    ----------
    predict : callable
        Keyword arguments of shape (n, 1), one for each parameter, to a mapping of terms to arrays of shape (n, size).
        What depends on held parameters alone is computed in floating point, as in a fit.
    parameters : tuple of str
        The free ones.
    lower, upper : array, shape (n_free,)
        Their bounds, possibly infinite.
    blocks : tuple of DataBlock
    constraints : tuple of Constraint
    rows_per_call : int
        With how many rows `predict` is evaluated in floating point, so that a row has the same bits in every batch.
    model : object
        Of which `predict` makes use, where it is not its method; see `tracing.places_of_numpy`.
    own : callable, optional
        The user's own enclosure, which is asked in place of `predict`; it knows no derivatives. From lower and upper
        ends of all parameters, columns by name, to those of all values of the blocks, shape (n, n_values).
    """

    predict: Predict
    parameters: tuple[str, ...]
    lower: Array
    upper: Array
    blocks: tuple[DataBlock, ...]
    constraints: tuple[Constraint, ...] = ()
    rows_per_call: int = 128
    model: object = None
    own: EncloseByName | None = None

    @cached_property
    def sigma(self) -> Array:
        """σ of every row: the values of all blocks, then the constraints."""
        return np.concatenate([*(block.sigma for block in self.blocks), [c.sigma for c in self.constraints]])

    @cached_property
    def target(self) -> Array:
        """Measured values of every row, in units of σ."""
        values = np.concatenate([*(block.observed for block in self.blocks), [c.mean for c in self.constraints]])
        return np.asarray(values / self.sigma)

    @cached_property
    def scales(self) -> tuple[str, ...]:
        """Names of the scales, in the order of the blocks."""
        return tuple(dict.fromkeys(block.scale for block in self.blocks if block.scale is not None))

    @cached_property
    def scale_of(self) -> IntArray:
        """Index of the scale of every row; −1 where there is none."""
        columns = [np.full(len(b.sigma), self.scales.index(b.scale) if b.scale else -1) for b in self.blocks]
        return np.concatenate([*columns, np.full(len(self.constraints), -1)]).astype(int)

    @cached_property
    def is_count(self) -> BoolArray:
        """Which rows are counts."""
        columns = [np.full(len(block.sigma), block.is_count) for block in self.blocks]
        return np.concatenate([*columns, np.zeros(len(self.constraints), bool)])

    @cached_property
    def is_constraint(self) -> BoolArray:
        """Which rows are constraints: the last ones."""
        return np.arange(len(self.sigma)) >= len(self.sigma) - len(self.constraints)

    @cached_property
    def correlated(self) -> tuple[slice, ...]:
        """Rows of the blocks with a covariance."""
        ends = np.cumsum([0, *(len(block.sigma) for block in self.blocks)]).tolist()
        places = (slice(*pair) for pair in pairwise(ends))
        return tuple(place for place, block in zip(places, self.blocks, strict=True) if block.covariance is not None)

    def correlation(self, rows: IntArray) -> Array | None:
        """Return the correlation matrix of some rows, whole blocks of correlated ones; None where there are none."""
        whole = np.eye(len(self.sigma))
        covariances = [block.covariance for block in self.blocks if block.covariance is not None]
        for place, covariance in zip(self.correlated, covariances, strict=True):
            whole[place, place] = covariance / np.outer(self.sigma[place], self.sigma[place])
        some: Array = whole[np.ix_(rows, rows)]
        return None if np.array_equal(some, np.eye(len(rows))) else some

    @cached_property
    def _places(self) -> list[Place]:
        return places_of_numpy(self.predict, self.model)

    def enclose(self, held: Mapping[str, Array], free: Mapping[str, Any]) -> Enclosed:
        """Enclose the predictions of all rows in units of σ, before any scale.

        Parameters
        ----------
        held : mapping of str to array, shape (n,)
            Plain numbers.
        free : mapping of str to Enclosed, shape (n, 1)

        Returns
        -------
        Enclosed, shape (n, n_rows)

        Raises
        ------
        NotEnclosable
        """
        arguments = {**{name: np.asarray(value)[:, None] for name, value in held.items()}, **free}
        n = next((a.shape[0] for a in arguments.values()), 1)
        parts = self._predicted(arguments, n) if self.own is None else self._told(self.own, arguments)
        parts += [enclosed(arguments[c.parameter]).broadcast((n, 1)) for c in self.constraints]
        joined: Any = ARRAY_FUNCTIONS[np.concatenate](parts, axis=1)
        with np.errstate(all="ignore"):
            scaled: Any = joined / self.sigma
        return enclosed(scaled)

    def _predicted(self, arguments: Mapping[str, Any], n: int) -> list[Enclosed]:
        """Enclose the predictions of every block, by the user's `predict` as it is."""
        # A model may change its arguments in place.
        predictions = call(
            self.predict, {name: column.copy() for name, column in arguments.items()}, self._places, self.model
        )
        try:
            return [enclosed(predictions[b.term]).broadcast((n, len(b.sigma))) for b in self.blocks]
        except Exception as error:  # noqa: BLE001 - it may be of any kind, and was of the right kind for numbers
            raise NotEnclosable(f"predictions of enclosed arrays are no arrays of the terms: {error}") from None

    def _told(self, own: EncloseByName, arguments: Mapping[str, Any]) -> list[Enclosed]:
        """Ask the user's own enclosure."""
        lower, upper = (
            {name: np.array(enclosed(column).value[side]) for name, column in arguments.items()} for side in (0, 1)
        )
        return [Enclosed(asked(own, lower, upper))]

    def evaluate(self, held: Mapping[str, Array], free: Mapping[str, Array]) -> Array:
        """Predict all rows in floating point, in units of σ: shape (n, n_rows)."""
        columns = {name: np.asarray(value, float) for name, value in {**held, **free}.items()}
        n = next((len(column) for column in columns.values()), 1)
        calls = []
        for start in range(0, n, self.rows_per_call):
            row = np.minimum(np.arange(start, start + self.rows_per_call), n - 1)
            calls.append(self._evaluate({name: column[row][:, None] for name, column in columns.items()}))
        return np.concatenate(calls)[:n]

    def _evaluate(self, arguments: Mapping[str, Array]) -> Array:
        with np.errstate(all="ignore"):
            predictions = self.predict(**{name: column.copy() for name, column in arguments.items()})
            shapes = [(self.rows_per_call, len(block.sigma)) for block in self.blocks]
            values = [np.asarray(predictions[block.term], float) for block in self.blocks]
            parts = [np.broadcast_to(v, shape) for v, shape in zip(values, shapes, strict=True)]
            parts += [arguments[constraint.parameter] for constraint in self.constraints]
            return np.ascontiguousarray(np.concatenate(parts, axis=1) / self.sigma)


def is_apart(computed: Array, enclosed: Enclosed) -> BoolArray:
    """Return which predictions, in units of σ, are outside their enclosures."""
    margin = RELATIVE * np.abs(computed) + ABSOLUTE
    apart = (computed < enclosed.value[0] - margin) | (computed > enclosed.value[1] + margin)
    if enclosed.undefined is not None:
        apart |= enclosed.undefined == 2
    return np.asarray(apart & np.isfinite(computed))


def missed(problem: BoxProblem, values: Mapping[str, Array], computed: Array, enclosed: Enclosed) -> str:
    """Describe the first prediction outside the model's own enclosure, with the parameters that belong to its row."""
    row, k = np.argwhere(is_apart(computed, enclosed))[0]
    names = [f"{b.term}[{i}]" if len(b.sigma) > 1 else b.term for b in problem.blocks for i in range(len(b.sigma))]
    low, high, is_there = (a[row, k] * problem.sigma[k] for a in (*enclosed.value, computed))
    at = ", ".join(f"{name}={np.ravel(value)[row]:.6g}" for name, value in values.items())
    what = f"{names[k]} is said to be within {low:.9g} and {high:.9g} in a box around {at}, and is {is_there:.9g} there"
    return f"{MISSED}: {what}; correct it, or set fit.proof to false"


def faithful(problem: BoxProblem, held: Mapping[str, Array], given: Array) -> tuple[BoolArray, str]:
    """Compare predictions with their enclosures, for each of n points.

    Parameters
    ----------
    held : mapping of str to array, shape (n,)
    given : array, shape (n, n_free)
        Values within the bounds.

    Returns
    -------
    is_faithful : bool array, shape (n,)
        A point has the same answer whatever other points are asked about with it.
    why : str
        Empty where all are.

    Raises
    ------
    NotEnclosable
    """
    n, n_free = given.shape
    low, high = _range(problem, given)
    n_tried = N_TRIED if problem.own is None else N_COMPARED
    share = np.mod(np.outer(np.arange(1, n_tried), np.arange(1, n_free + 1)) * GOLDEN, 1.0)
    values = np.concatenate([given[None], low + share[:, None] * (high - low)])
    reach = _widths(problem)[:, None] * (high - low)
    ends = (np.clip(values + side * reach, problem.lower, problem.upper) for side in (0.0, -0.3, 1.0))
    inside, first, last = (a.reshape(n_tried * n, n_free).T[:, :, None] for a in ends)
    row = np.tile(np.arange(n), n_tried)
    some = {name: value[row] for name, value in held.items()}
    computed = problem.evaluate(some, dict(zip(problem.parameters, inside[..., 0], strict=True)))
    boxes = {name: Enclosed((first[j], last[j])) for j, name in enumerate(problem.parameters)}
    enclosed = problem.enclose(some, boxes)
    differs, why = is_apart(computed, enclosed).any(axis=1), ""
    if differs.any():
        named = {**some, **dict(zip(problem.parameters, inside, strict=True))}
        why = UNFAITHFUL if problem.own is None else missed(problem, named, computed, enclosed)
    return ~np.asarray(differs.reshape(n_tried, n).any(axis=0)), why


def _widths(problem: BoxProblem) -> Array:
    """Return the widths of boxes relative to the bounds, shape (n_tried, n_free)."""
    n_free = len(problem.parameters)
    if problem.own is None:
        return np.tile(WIDTH * (np.arange(N_TRIED) >= N_TRIED // 2)[:, None], (1, n_free))
    # Some are wide in one parameter and narrow in another.
    share = np.mod(np.outer(np.arange(N_COMPARED), np.arange(2, n_free + 2)) * GOLDEN, 1.0)
    return np.asarray(NARROWEST**share)


def _range(problem: BoxProblem, given: Array) -> tuple[Array, Array]:
    """Return the bounds; something about the given values where there are none."""
    reach = 1 + np.abs(given)
    low = np.where(np.isfinite(problem.lower), problem.lower, np.minimum(given - reach, problem.upper))
    high = np.where(np.isfinite(problem.upper), problem.upper, np.maximum(given + reach, problem.lower))
    return low, high
