"""Spot checks: between tasks a few rows are asked for again, because a prediction must depend on its row alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hpcscan.arrays import Array
from hpcscan.border import account_of
from hpcscan.errors import Interruption
from hpcscan.grid import place_text
from hpcscan.model.problem import Problem

#: Share of the rows of a rank that may be asked for again.
SHARE = 1e-3
#: What a row may differ by in another batch, relative to the largest value of the observable: linear algebra chooses
#: its order of summation by the size of the batch.
SAME_ROW = 1e-12
#: Rows of a call that are asked for again, at most.
FEW = 10


@dataclass(frozen=True)
class Doubt:
    """Something that a model should not do, and that costs no point.

    Attributes
    ----------
    kind : str
        The same for doubts of one cause.
    account : str
        With the row at which it was seen.
    """

    kind: str
    account: str


@dataclass(frozen=True)
class _Call:
    """A call of `predict`, or a few rows of a large one, and what it gave."""

    points: Array
    parameters: Array
    predicted: Array
    is_whole: bool


class SpotCheck:
    """Remembers the smallest call of `predict` since it last looked, and repeats it when its share of rows allows.

    What it chooses follows from the calls alone, and what it finds changes no result.

    Attributes
    ----------
    n_rows, n_asked : int
        Rows that the fits asked for, and that the checks did.
    """

    def __init__(self) -> None:
        self.n_rows = self.n_asked = 0
        self._call: _Call | None = None
        self._heard: tuple[Doubt, ...] = ()

    def hear(self, doubt: Doubt) -> None:
        """Remember what somebody else has seen."""
        self._heard = (*self._heard, doubt)

    def note(self, points: Array, parameters: Array, predicted: Array) -> None:
        """Remember a call, where it is smaller than the one that is remembered."""
        self.n_rows += len(points)
        if self._call is None or len(points) < len(self._call.points):
            few = slice(FEW)
            self._call = _Call(points[few].copy(), parameters[few].copy(), predicted[few].copy(), len(points) <= FEW)

    def look(self, model: Problem) -> tuple[Doubt, ...]:
        """Ask for the remembered rows again, if that is not too much; tell what was heard; then forget both."""
        heard, self._heard = self._heard, ()
        return heard + self._asked_again(model)

    def _asked_again(self, model: Problem) -> tuple[Doubt, ...]:
        call, self._call = self._call, None
        # The same rows, and all of them twice.
        if call is None or self.n_asked + 3 * len(call.points) > SHARE * self.n_rows:
            return ()
        self.n_asked += 3 * len(call.points)
        return ask_again(model, call.points, call.parameters, call.predicted, is_whole=call.is_whole)


def ask_again(
    model: Problem, points: Array, parameters: Array, predicted: Array, *, is_whole: bool = True
) -> tuple[Doubt, ...]:
    """Compare a prediction with those of the same call and of another batch.

    Parameters
    ----------
    points : array, shape (n, n_axes)
    parameters : array, shape (n, n_parameters)
    predicted : array, shape (n, n_observables)
        What the call gave before.
    is_whole : bool
        Whether these were all rows of the call: then nothing may differ.
    """
    comparison = _Comparison(model, points, parameters, predicted)
    try:
        with np.errstate(all="ignore"):
            again = model.predict(points.copy(), parameters.copy())
            same = (0.0, "the same call") if is_whole else (SAME_ROW, "another batch")
            if (doubt := comparison.doubt(again, *same)) is not None:
                return (doubt,)
            # In reverse order before them: whoever takes the first row for all rows takes another one then.
            both = (np.vstack([array[::-1], array]) for array in (points, parameters))
            doubt = comparison.doubt(model.predict(*both)[len(points) :], SAME_ROW, "another batch")
    except Interruption:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a model raises
        kind = f"predict raised {type(error).__name__} at rows that it had computed before"
        return (Doubt(kind, f"predict raised at rows that it had computed before: {account_of(error):.300}"),)
    return () if doubt is None else (doubt,)


@dataclass(frozen=True)
class _Comparison:
    """Rows, and what was predicted for them first."""

    model: Problem
    points: Array
    parameters: Array
    predicted: Array

    REMEDY: ClassVar[str] = "results then depend on ranks and chunks; a row must depend on its own arguments alone"

    def doubt(self, again: Array, tolerance: float, where: str) -> Doubt | None:
        """Describe at which row a second prediction differs most, if it does by more than the tolerance."""
        size = np.max(np.abs(self.predicted), axis=0, initial=0.0, where=np.isfinite(self.predicted))
        is_same = (again == self.predicted) | (np.isnan(again) & np.isnan(self.predicted))
        with np.errstate(all="ignore"):
            is_same |= np.abs(again - self.predicted) <= tolerance * size
        if is_same.all():
            return None
        row, k = np.argwhere(~is_same)[0]
        axes = [axis.name for axis in self.model.axes]
        names = [*axes, *(parameter.name for parameter in self.model.parameters)]
        values = [*self.points[row], *self.parameters[row]]
        place = place_text(names, (f"{value:.17g}" for value in values))
        found = f"{self.predicted[row, k]:.17g}, then {again[row, k]:.17g}"
        kind = f"predict gives another value for the same row in {where}"
        return Doubt(kind, f"{kind}: {self.model.observables[k].name} is {found}, at {place}; {self.REMEDY}")
