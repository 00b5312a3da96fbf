"""One variable of a result file: its name, its place, its meaning, its unit, and where its values come from."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hpcscan.arrays import Array
from hpcscan.fitting.records import PointResults
from hpcscan.likelihood.terms import pulls
from hpcscan.model.problem import Problem

PREFIXES = ("y", "z", "a", "f", "p", "n", "u", "m", "c", "d", "da", "h", "k", "M", "G", "T", "P", "E", "Z", "Y")
PREFIXED = ("m", "s", "g", "A", "K", "mol", "eV", "J", "W", "N", "Pa", "Hz", "C", "V", "T", "Wb", "F", "H", "S")
PLAIN = ("1", "cd", "rad", "sr", "degree", "%", "min", "h")

_SYMBOLS = frozenset(PLAIN) | frozenset(PREFIXED) | {prefix + base for prefix in PREFIXES for base in PREFIXED}
_FACTOR = re.compile(r"(?P<symbol>1|%|[A-Za-z]+?)(?P<power>-?[1-9])?")

#: ``take(results, rows)`` gives the values of these points of the whole grid, points first.
Take = Callable[[PointResults, slice], NDArray[Any]]

#: Stands for one dimension per scan axis, in the grid's order.
POINT = "point"


def cf_units(declared: str) -> tuple[str, str]:
    """Split a declared unit into what CF can hold.

    CF wants units that UDUNITS can read. A product of common SI symbols with integer powers, such as ``kg m-3``,
    ``m/s`` or ``MeV``, is kept as it is; everything else, such as ``model length``, is a name.

    Parameters
    ----------
    declared : str
        As the model declares it; "1" or "" for a pure number.

    Returns
    -------
    units, unit_name : str
        Attributes of a variable; `unit_name` is "" where `units` says everything.
    """
    if not declared.strip():
        return "1", ""
    above, *below = declared.split("/")
    known = all(_is_known(factor) for factor in (*(above.split() or [""]), *below))
    return (declared.strip(), "") if known else ("1", declared)


def _is_known(factor: str) -> bool:
    match = _FACTOR.fullmatch(factor)
    return match is not None and match["symbol"] in _SYMBOLS and not (match["symbol"] in ("1", "%") and match["power"])


def common_unit(units: tuple[str, ...]) -> str | None:
    """Return the unit that all of these share, or None where they differ; "1" where there are none."""
    different = set(units) or {"1"}
    return different.pop() if len(different) == 1 else None


@dataclass(frozen=True)
class Variable:
    """One variable of a result file.

    Attributes
    ----------
    dims : tuple of str
        `POINT` comes first where there is one value, or row of values, per grid point.
    dtype : str
        "f8", "i1", "i4", "i8", or "str" for a label.
    take : callable
        A `Take`; it ignores the points where the variable does not depend on them.
    unit : str, optional
        As the model declares it; None for labels and flags.
    role : str
        "run" where the value says how the run went, and so may differ between equal runs; "derived" where the model
        reports it of its own; "toys" where it follows from toys.
    ancillary : str
        Name of the flag variable that qualifies this one.
    labels : tuple of str
        Label variables of its dimensions.
    standard_name, comment, symbol, part_of : str
        The last but one is how figures write it, where it is not the name; the last one the term of whose prediction
        it is a part.
    expected_range : (float, float), optional
        In which the model expects the values.
    """

    name: str
    dims: tuple[str, ...]
    dtype: str
    long_name: str
    take: Take
    unit: str | None = "1"
    flags: tuple[tuple[int, str], ...] = ()
    role: str = ""
    ancillary: str = ""
    labels: tuple[str, ...] = ()
    standard_name: str = ""
    comment: str = ""
    expected_range: tuple[float, float] | None = None
    symbol: str = ""
    part_of: str = ""

    @property
    def is_per_point(self) -> bool:
        """Whether there are values for every grid point."""
        return POINT in self.dims

    @property
    def is_coordinate(self) -> bool:
        """Whether it holds the values of a scan axis."""
        return self.dims == (self.name,)

    @property
    def is_label(self) -> bool:
        """Whether it names the entries of a dimension."""
        return self.dtype == "str"

    @property
    def has_missing_values(self) -> bool:
        """Whether NaN may stand for a missing value: in floats, except coordinates."""
        return self.dtype == "f8" and not self.is_coordinate

    def dimensions(self, axes: tuple[str, ...]) -> tuple[str, ...]:
        """Its dimensions in the file, where these are the scan axes."""
        return tuple(name for dim in self.dims for name in (axes if dim == POINT else (dim,)))

    @property
    def attributes(self) -> dict[str, str | NDArray[np.int8 | np.float64]]:
        """Its netCDF attributes."""
        units, unit_name = cf_units(self.unit) if self.unit is not None else ("", "")
        texts = {
            "long_name": self.long_name,
            "standard_name": self.standard_name,
            "units": units,
            "unit_name": unit_name,
            "flag_meanings": " ".join(meaning for _, meaning in self.flags),
            "ancillary_variables": self.ancillary,
            "coordinates": " ".join(self.labels),
            "role": self.role,
            "comment": self.comment,
            "symbol": self.symbol,
            "part_of": self.part_of,
        }
        values: dict[str, str | NDArray[np.int8 | np.float64]] = {name: text for name, text in texts.items() if text}
        if self.flags:
            values["flag_values"] = np.array([value for value, _ in self.flags], np.int8)
        if self.expected_range is not None:
            values["expected_range"] = np.array(self.expected_range)
        return values


def constant(values: ArrayLike) -> Take:
    """Take values that are known before the scan."""
    array = np.asarray(values)
    return lambda _, __: array


def field(name: str) -> Take:
    """Take a field of the results."""

    def take(results: PointResults, rows: slice) -> NDArray[Any]:
        values: NDArray[Any] = getattr(results, name)[rows]
        return values

    return take


def scale(column: int, attribute: str = "scale") -> Take:
    """Take one of the profiled scales, or an end of its interval."""
    return lambda results, rows: getattr(results, attribute)[rows, column]


def derived(name: str) -> Take:
    """Take a quantity that the model reports."""
    return lambda results, rows: results.derived[name][rows]


def pull(model: Problem) -> Take:
    """Take the pulls of the observables."""
    return lambda results, rows: pulls(model, results.predicted[rows])


def delta_chi2(results: PointResults, rows: slice) -> Array:
    """Take the difference to the lowest finite χ² of the grid; NaN where χ² is not finite."""
    lowest = np.min(results.chi2, where=np.isfinite(results.chi2), initial=np.inf)
    chi2 = results.chi2[rows]
    difference = np.full(chi2.shape, np.nan)
    np.subtract(chi2, lowest, out=difference, where=np.isfinite(chi2))
    return difference
