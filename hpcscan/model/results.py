"""What a model returns, held to what it declares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from hpcscan.arrays import Array
from hpcscan.model.interface import Derived, Dimension
from hpcscan.model.terms import Term, value_dimension, value_names


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
    if not isinstance(result, Mapping):
        raise WrongResultError(what, f"a {type(result).__name__}; expected a mapping, such as {{'name': array}}")
    return result


def as_numbers(name: str, result: Any, shape: tuple[int, ...]) -> Array:
    """Accept real numbers of this shape, whose first axis is the rows."""
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
    sizes = {d.name: () if d.dimension is None else (len(d.dimension.labels),) for d in derived}
    if set(result) != set(sizes):
        got, declared = (", ".join(sorted(map(str, names))) or "nothing" for names in (result, sizes))
        raise WrongResultError("derive", f"{got}; declared is {declared}")
    return {name: as_numbers(f"derive[{name!r}]", result[name], (n_rows, *size)) for name, size in sizes.items()}


def with_values(derived: Derived, terms: Sequence[Term]) -> Derived:
    """Give a part of a prediction the dimension of its term's values."""
    term = next((term for term in terms if term.name == derived.part_of), None)
    return derived if term is None else replace(derived, dimension=Dimension(value_dimension(term), value_names(term)))
