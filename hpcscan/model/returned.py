"""What a model returns, held to what it declares: numbers, derived quantities, ranges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hpcscan.arrays import Array, BoolArray, IntArray
from hpcscan.model.data_terms import Term, value_dimension, value_names
from hpcscan.model.interface import Derived, Dimension, Enclose, Together


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


def as_mapping(what: str, result: Any) -> Mapping[str, Any]:
    """Accept a mapping of names."""
    # Most are plain dictionaries, which are seen much faster.
    if type(result) is not dict and not isinstance(result, Mapping):
        raise WrongResultError(what, f"a {type(result).__name__}; expected a mapping, such as {{'name': array}}")
    return result


def as_numbers(name: str, result: Any, shape: tuple[int, ...]) -> Array:
    """Accept real numbers of this shape, whose first axis is the rows."""
    # A plain array hides nothing, and is by far the most frequent.
    if type(result) is not np.ndarray:
        _refuse_masked(name, result)
    values = np.asarray(result)
    if values.shape != shape:
        raise WrongResultError(name, f"shape {values.shape}; expected {shape} for {shape[0]} rows")
    if values.dtype.kind not in "fiu":
        raise WrongResultError(name, f"values of type {values.dtype}; expected real numbers")
    return values


def _refuse_masked(name: str, result: Any) -> None:
    """Refuse masked arrays, also in lists: as a plain array, one shows the numbers that it hides."""
    if isinstance(result, np.ma.MaskedArray):
        raise WrongResultError(name, "a masked array; expected plain numbers, NaN where there is none")
    if isinstance(result, list | tuple):
        for part in result:
            _refuse_masked(name, part)


def as_derived(derived: Sequence[Derived], result: Any, n_rows: int) -> dict[str, Array]:
    """Accept an array for every derived quantity, and nothing else."""
    if not isinstance(result, Mapping):
        raise WrongResultError("derive", f"a {type(result).__name__}; expected a mapping of name to array")
    # One value a row, or one for each label of its dimension.
    sizes = {d.name: () if d.dimension is None else (len(d.dimension.labels),) for d in derived}
    if set(result) != set(sizes):
        got, declared = (", ".join(sorted(map(str, names))) or "nothing" for names in (result, sizes))
        raise WrongResultError("derive", f"{got}; declared is {declared}")
    return {name: as_numbers(f"derive[{name!r}]", result[name], (n_rows, *size)) for name, size in sizes.items()}


def with_values(derived: Derived, terms: Sequence[Term]) -> Derived:
    """Put a part of a prediction along the dimension of its term's values."""
    # A part has the size of its term, which a model need not declare again.
    term = next((term for term in terms if term.name == derived.part_of), None)
    return derived if term is None else replace(derived, dimension=Dimension(value_dimension(term), value_names(term)))


@dataclass(frozen=True, eq=False)
class Joint:
    """What some observables can be together, with their places instead of names; see `Together`."""

    places: IntArray
    lower: Array
    upper: Array
    enclose: Enclose


@dataclass(frozen=True)
class PredictionRanges:
    """Ranges of the predictions at n points: arrays of shape (n, n_observables); see `Ranges`."""

    lower: Array
    upper: Array
    exact: int | None = None
    joint: tuple[Joint, ...] = ()


@dataclass(frozen=True)
class Derivatives:
    """Derivatives of the predictions.

    Attributes
    ----------
    values : array, shape (n_rows, n_observables, n_parameters)
    is_given : bool array, shape (n_observables, n_parameters), optional
        Which of them the model knows; all where it is None.
    """

    values: Array
    is_given: BoolArray | None = None


def joined(groups: Sequence[Together], places: Mapping[str, slice], n: int) -> tuple[Joint, ...]:
    """Put places for the names of terms that are given together; each is a single value, and in one group."""
    # A term in two groups would be bounded twice, as if it were two data.
    terms = [name for group in groups for name in group.terms]
    for name in terms:
        place = places.get(name)
        if place is None or place.stop - place.start != 1 or terms.count(name) > 1:
            raise WrongResultError("ranges", f"together with {name!r:.60}; expected terms of one value, each once")
    return tuple(
        Joint(
            np.array([places[name].start for name in group.terms]),
            as_numbers("ranges.together.lower", group.lower, (n,)),
            as_numbers("ranges.together.upper", group.upper, (n,)),
            group.enclose,
        )
        for group in groups
    )


def by_term(what: str, result: Any, places: Mapping[str, slice]) -> Mapping[str, Any]:
    """Accept a mapping that has every term, and nothing else."""
    found = as_mapping(what, result)
    if found.keys() != places.keys():
        # Name both at once: a misspelt term is missing, and one too many.
        missing = [name for name in places if name not in found]
        extra = [f"{name!r:.60}" for name in found if name not in places]
        faults = [f"no {', '.join(missing)}"] * bool(missing) + [f"{', '.join(extra)} besides"] * bool(extra)
        raise WrongResultError(what, f"{' and '.join(faults)}; expected the terms {', '.join(places)}")
    return found


def in_a_row(what: str, result: Any, places: Mapping[str, slice], n: int) -> Array:
    """Put the values of all terms in a row: shape (n, n_values)."""
    given = by_term(what, result, places)
    row = np.empty((n, max((place.stop for place in places.values()), default=0)))
    for name, place in places.items():
        row[:, place] = as_numbers(f"{what}[{name!r}]", given[name], (n, place.stop - place.start))
    return row


def ends_in_a_row(result: Any, places: Mapping[str, slice], names: Sequence[str], n: int) -> tuple[Array, Array]:
    """Accept what `Model.enclose` returns for n boxes: lower and upper ends, shape (n, n_values), in this order."""
    if not isinstance(result, tuple) or len(result) != 2:
        what = f"{len(result)} of them" if isinstance(result, tuple) else f"a {type(result).__name__}"
        raise WrongResultError("enclose", f"{what}; expected a pair (lower, upper) of mappings of terms")
    lower, upper = (
        in_a_row(f"enclose, {side} ends", part, places, n)
        for side, part in zip(("lower", "upper"), result, strict=True)
    )
    # NaN compares as neither above nor below: it would pass for any bound.
    unknown = np.isnan(lower) | np.isnan(upper)
    if unknown.any():
        raise WrongResultError("enclose", f"NaN for {names[np.argwhere(unknown)[0][1]]}; expected numbers, or ±∞")
    refuse_disorder(lower, upper, names, "enclose")
    return lower, upper


def refuse_disorder(lower: Array, upper: Array, names: Sequence[str], what: str = "ranges") -> None:
    """Refuse ranges, shape (n, n_observables), whose lower end is above the upper one."""
    if (lower > upper).any():
        row, k = np.argwhere(lower > upper)[0]
        above = f"lower = {lower[row, k]:.17g} above upper = {upper[row, k]:.17g}"
        raise WrongResultError(what, f"{above} for {names[k]}")


def exact_place(name: Any, places: Mapping[str, slice], *, has_scales: bool) -> int | None:
    """Return the place of the term of one value that is matched exactly; None where there is none."""
    if name is None:
        return None
    place = places.get(name) if isinstance(name, str) else None
    if place is None or place.stop - place.start != 1:
        raise WrongResultError("ranges", f"exact = {name!r:.60}; expected the name of a term of one value, or None")
    # A scale that is profiled takes the factor which matches the term exactly.
    if has_scales:
        raise WrongResultError("ranges", f"exact = {name!r}, which is for models without profiled scales")
    return int(place.start)
