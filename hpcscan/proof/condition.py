"""Comparisons of enclosed values, the tables of what can be enclosed, and the refusal of what cannot."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from hpcscan.arrays import BoolArray, IntArray

#: What an array answers to: tables from numpy's functions (universal ones by name) to the rules for them.
UFUNCS: dict[str, Callable[..., Any]] = {}
METHODS: dict[tuple[str, str], Callable[..., Any]] = {}
ARRAY_FUNCTIONS: dict[Any, Callable[..., Any]] = {}

REMEDY = "use the functions that are listed for proofs, or set fit.proof to false"
#: What every model can do.
OWN = "; or give the model a method enclose(lower, upper)"
COMPARISON = (
    "a comparison of a parameter is computed with: give it to np.where or multiply by it, and join comparisons by &, | "
    "and ~"
)


class NotEnclosable(Exception):  # noqa: N818 - a property of the model, no error of the program
    """A model whose predictions cannot be enclosed; says where in the user's code, why, and the remedy.

    Attributes
    ----------
    what : str
        What was met and what to write instead.
    file : str
        File of the user's code; empty where it is not known.
    line : int
        Line in it; 0 where it is not known.
    """

    def __init__(self, what: str, file: str = "", line: int = 0) -> None:
        self.what, self.file, self.line = what, file, line
        super().__init__(f"{file}:{line}: {what}" if file else what)

    def __reduce__(self) -> tuple[type[NotEnclosable], tuple[str, str, int]]:
        return type(self), (self.what, self.file, self.line)


class EnclosedCondition:
    """A comparison that is true, false or undecided over a box, for every element; np.where understands it.

    Attributes
    ----------
    yes, no : array of bool
        Decided so; where neither, undecided.
    degree : array of int8, optional
        0 where no marked parameter enters.
    seeds : frozenset of int
        The parameters by which what is compared has derivatives.
    """

    __array_priority__ = 1001

    def __init__(
        self, yes: BoolArray, no: BoolArray, degree: IntArray | None = None, seeds: frozenset[int] = frozenset()
    ) -> None:
        self.yes, self.no, self.degree, self.seeds = yes, no, degree, seeds

    shape = property(lambda self: self.yes.shape)

    @classmethod
    def of(cls, given: Any) -> EnclosedCondition:
        """Return a condition of plain booleans."""
        if isinstance(given, EnclosedCondition):
            return given
        return cls(np.asarray(given, bool), ~np.asarray(given, bool))

    def __and__(self, other: Any) -> EnclosedCondition:
        other = EnclosedCondition.of(other)
        degree, seeds = larger(self.degree, other.degree), self.seeds | other.seeds
        return EnclosedCondition(self.yes & other.yes, self.no | other.no, degree, seeds)

    def __or__(self, other: Any) -> EnclosedCondition:
        other = EnclosedCondition.of(other)
        degree, seeds = larger(self.degree, other.degree), self.seeds | other.seeds
        return EnclosedCondition(self.yes | other.yes, self.no & other.no, degree, seeds)

    def __invert__(self) -> EnclosedCondition:
        return EnclosedCondition(self.no, self.yes, self.degree, self.seeds)

    __rand__, __ror__ = __and__, __or__

    def __mul__(self, other: Any) -> Any:
        return np.multiply(self, other)

    __rmul__ = __mul__

    def __getitem__(self, index: Any) -> EnclosedCondition:
        degree = None if self.degree is None else self.degree[index]
        return EnclosedCondition(self.yes[index], self.no[index], degree, self.seeds)

    def __bool__(self) -> bool:
        raise NotEnclosable("a branch (if, and, or, while, min, max) depends on a parameter: use np.where")

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise NotEnclosable("a comparison of a parameter is used as an array: give it to np.where")

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **_: Any) -> Any:
        rule = {"logical_and": operator.and_, "bitwise_and": operator.and_, "logical_or": operator.or_}
        rule |= {"bitwise_or": operator.or_}
        if method == "__call__" and ufunc.__name__ in ("logical_not", "invert"):
            return ~self
        if method == "__call__" and ufunc is np.multiply:
            with np.errstate(all="ignore"):
                return UFUNCS["multiply"](ufunc, *inputs)
        if method != "__call__" or ufunc.__name__ not in rule:
            raise NotEnclosable(f"np.{ufunc.__name__} of a comparison: give the comparison to np.where")
        return rule[ufunc.__name__](*map(EnclosedCondition.of, inputs))

    def __array_function__(self, function: Any, types: Any, inputs: Any, options: Any) -> Any:
        if function is not np.where:
            raise NotEnclosable(f"np.{function.__name__} of a comparison: give the comparison to np.where")
        with np.errstate(all="ignore"):
            return ARRAY_FUNCTIONS[np.where](*inputs, **options)


def _refuse_arithmetic(*_: Any) -> Any:
    raise NotEnclosable(COMPARISON)


for _name in ("eq", "ne", "xor", "rxor", *(f"{r}{n}" for n in ("add", "sub", "truediv") for r in ("", "r"))):
    setattr(EnclosedCondition, f"__{_name}__", _refuse_arithmetic)


def larger(a: IntArray | None, b: IntArray | None) -> IntArray | None:
    """Return the larger degree of two, with numpy's broadcasting."""
    if a is None or b is None:
        return b if a is None else a
    return np.maximum(a, b)
