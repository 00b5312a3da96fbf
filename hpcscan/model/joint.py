"""Ranges that a model gives, by the places of observables: groups that share parameters, and checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hpcscan.arrays import Array, IntArray
from hpcscan.model.interface import Enclose, Together
from hpcscan.model.results import WrongResultError, as_numbers


@dataclass(frozen=True, eq=False)
class Joint:
    """What some observables can be together, with their places instead of names; see `Together`."""

    places: IntArray
    lower: Array
    upper: Array
    enclose: Enclose


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


def refuse_disorder(lower: Array, upper: Array, names: Sequence[str]) -> None:
    """Refuse ranges, shape (n, n_observables), whose lower end is above the upper one."""
    if (lower > upper).any():
        row, k = np.argwhere(lower > upper)[0]
        above = f"lower = {lower[row, k]:g} above upper = {upper[row, k]:g}"
        raise WrongResultError("ranges", f"{above} for {names[k]}")


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
