"""Variables of the answer: best fit, errors, intervals and contours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from hpcscan.answer.record import AnswerRecord, Kept
from hpcscan.arrays import Array
from hpcscan.dataset.values import constant
from hpcscan.dataset.variable import POINT, Take, Variable
from hpcscan.fitting.records import PointResults


def answered(rows: Sequence[Variable], answer: AnswerRecord | None) -> tuple[Variable, ...]:
    """Add the variables of an answer to those of a grid, whose Δχ² is measured from the best fit then."""
    if answer is None:
        return tuple(rows)
    long_name = "chi2 minus that of the best fit"
    moved = (
        replace(row, take=_above(answer.base), long_name=long_name) if row.name == "delta_chi2" else row for row in rows
    )
    return (*moved, *_variables(answer))


def answer_sizes(answer: AnswerRecord | None) -> dict[str, int]:
    """Sizes of the dimensions of an answer that are its own."""
    arrays = {} if answer is None else answer.arrays
    found = (pair for kept in arrays.values() if kept.dims[:1] != (POINT,) for pair in _sizes(kept))
    return {name: size for name, size in found if name != "observable"}


def _sizes(kept: Kept) -> Iterator[tuple[str, int]]:
    yield from zip(kept.dims, np.shape(kept.values), strict=True)


def _variables(answer: AnswerRecord) -> Iterator[Variable]:
    for name, kept in answer.arrays.items():
        values = np.asarray(kept.values)
        dtype = "str" if values.dtype == object else values.dtype.str[1:]
        take = _rows(values) if kept.dims[:1] == (POINT,) else constant(values)
        comment = answer.sentence if name == "best_fit_standing" else ""
        yield Variable(name, kept.dims, dtype, kept.long_name, take, kept.unit, kept.flags, comment=comment)


def _rows(values: Array) -> Take:
    return lambda _, rows: values[rows]


def _above(base: float) -> Take:
    def take(results: PointResults, rows: slice) -> Array:
        chi2 = results.chi2[rows]
        return np.where(np.isfinite(chi2), chi2 - base, np.nan)

    return take
