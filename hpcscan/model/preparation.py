"""What depends on a few parameters alone, such as an integral over a cosmology: computed once where these are held."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hpcscan.arrays import Array
from hpcscan.model.interface import Likelihood, Model
from hpcscan.model.returned import WrongResultError

#: Numbers of what is prepared that are kept for later calls, about.
MOST_NUMBERS = 1 << 22
#: A row may differ by so much, relative to its largest number, when it is computed among others.
SAME_ROW = 1e-9
#: The name of what is no mapping.
_ALONE = ""


class Preparation:
    """Results of a model's `prepare`, each computed once while it is kept.

    Parameters
    ----------
    model : Model or Likelihood
        Which names what is `prepared`.
    size : int or None
        Rows of every call, the last one padded, as for `predict`; None where a call may have any number.
    """

    def __init__(self, model: Model | Likelihood, size: int | None) -> None:
        self._model, self._names, self._size = model, tuple(model.prepared), size
        self._slots: dict[bytes, int] = {}
        self._tables: dict[str, Array] = {}
        self._is_checked = False

    def at(self, columns: Mapping[str, Any]) -> Any:
        """Return what is prepared for rows of parameters by name, each of shape (n, 1): its rows are theirs."""
        values = [columns[name] for name in self._names]
        if any(type(column) is not np.ndarray or not len(column) for column in values):
            # Enclosed in a box of a proof, or nothing.
            return self._model.prepare(**dict(zip(self._names, values, strict=True)))
        # Adding zero makes −0 and 0 the same value.
        rows = np.concatenate(values, axis=1) + 0.0
        is_new = np.ones(len(rows), bool)
        is_new[1:] = (rows[1:] != rows[:-1]).any(axis=1)
        distinct = rows[is_new]
        keys = [row.tobytes() for row in distinct]
        self._compute(dict(zip(keys, distinct, strict=True)))
        slot = np.array([self._slots[key] for key in keys], np.int64)[np.cumsum(is_new) - 1]
        found = {name: table[slot] for name, table in self._tables.items()}
        return found.get(_ALONE, found)

    def _compute(self, wanted: Mapping[bytes, Array]) -> None:
        """Compute what is not known; forget what is, where it would be too much."""
        known = sum(table.size for table in self._tables.values())
        if known and known // len(self._slots) * (len(self._slots) + len(wanted)) > MOST_NUMBERS:
            self._slots, self._tables = {}, {}
        missing = [key for key in wanted if key not in self._slots]
        size = self._size or max(1, len(missing))
        for first in range(0, len(missing), size):
            keys = missing[first : first + size]
            row = np.minimum(np.arange(size), len(keys) - 1)
            values = np.array([wanted[key] for key in keys])[row]
            found = self._ask(values)
            if not self._is_checked and len(keys) > 1:
                self._is_checked = True
                _refuse_another_row(self._ask(np.repeat(values[:1], len(values), axis=0)), found)
            tables = self._tables or {name: values[:0] for name, values in found.items()}
            self._tables = {name: np.concatenate([tables[name], found[name][: len(keys)]]) for name in tables}
            self._slots |= {key: len(self._slots) + k for k, key in enumerate(keys)}

    def _ask(self, rows: Array) -> dict[str, Array]:
        """Ask for rows of values, shape (n, n_names)."""
        columns = {name: rows[:, j : j + 1].copy() for j, name in enumerate(self._names)}
        result = self._model.prepare(**columns)
        parts = dict(result) if isinstance(result, Mapping) else {_ALONE: result}
        found = {name: _as_rows(name, part, len(rows)) for name, part in parts.items()}
        before, now = ({name: values.shape[1:] for name, values in of.items()} for of in (self._tables, found))
        if self._tables and before != now:
            raise WrongResultError("prepare", "other names or shapes than before; expected the same for all values")
        return found


def _refuse_another_row(alone: Mapping[str, Array], among: Mapping[str, Array]) -> None:
    """Refuse a first row that others have changed: it would be kept for the whole run."""
    for name, values in among.items():
        if not _is_same(values[0], alone[name][0]):
            rule = "a row must depend on its own arguments, and on nothing else"
            raise WrongResultError("prepare", f"another result for a row among others than alone; {rule}")


def _as_rows(name: str, result: Any, n: int) -> Array:
    """Accept numbers whose first axis is the rows."""
    what, values = f"prepare[{name!r}]" if name else "prepare", np.asarray(result)
    if values.dtype.kind not in "fiuc":
        raise WrongResultError(what, f"values of type {values.dtype}; expected numbers")
    if values.shape[:1] != (n,):
        raise WrongResultError(what, f"shape {values.shape}; expected {n} rows, as in ({n}, size)")
    return values


def _is_same(some: Array, others: Array) -> bool:
    largest = np.abs(some).max(initial=0.0, where=np.isfinite(some))
    return np.allclose(some, others, rtol=SAME_ROW, atol=SAME_ROW * largest, equal_nan=True)
