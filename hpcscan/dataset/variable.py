"""One variable of a result file: its name, its place, its meaning, and where its values come from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcscan.dataset.units import cf_units
from hpcscan.fitting.records import PointResults

#: ``take(results, rows)`` gives the values of these points of the whole grid, points first.
Take = Callable[[PointResults, slice], NDArray[Any]]

#: Stands for one dimension per scan axis, in the grid's order.
POINT = "point"


@dataclass(frozen=True)
class Variable:
    """One variable of a result file.

    Attributes
    ----------
    name, long_name : str
    dims : tuple of str
        `POINT` comes first where there is one value, or row of values, per grid point.
    dtype : str
        "f8", "i1", "i4", "i8", or "str" for a label.
    take : callable
        A `Take`; it ignores the points where the variable does not depend on them.
    unit : str, optional
        As the model declares it; None for labels and flags.
    flags : tuple of (value, meaning)
    role : str
        "run" where the value says how the run went, and so may differ between equal runs; "derived" where the model
        reports it of its own; "toys" where it follows from toys.
    ancillary : str
        Name of the flag variable that qualifies this one.
    labels : tuple of str
        Label variables of its dimensions.
    standard_name, comment, symbol : str
        The last is how figures write it, where it is not the name.
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
        }
        values: dict[str, str | NDArray[np.int8 | np.float64]] = {name: text for name, text in texts.items() if text}
        if self.flags:
            values["flag_values"] = np.array([value for value, _ in self.flags], np.int8)
        if self.expected_range is not None:
            values["expected_range"] = np.array(self.expected_range)
        return values
