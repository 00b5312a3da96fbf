"""Ranges that a model gives, by the places of observables: what terms can be, alone and together, and checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hpcscan.arrays import Array, IntArray
from hpcscan.model.interface import Enclose, Together
from hpcscan.model.results import WrongResultError, as_mapping, as_numbers


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


def joined(groups: Sequence[Together], places: Mapping[str, slice], n: int) -> tuple[Joint, ...]:
    """Put places for the names of terms that are given together; each is a single value, and in one group."""
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
    if has_scales:
        raise WrongResultError("ranges", f"exact = {name!r}, which is for models without profiled scales")
    return int(place.start)
