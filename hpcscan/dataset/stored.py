"""A result file; of what is large in it, only what is asked for comes into memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcscan.grid import Grid


@dataclass(frozen=True)
class StoredVariable:
    """One variable of a result file.

    Attributes
    ----------
    dims : tuple of str
    read : callable
        Reads all values from the file; raises a `UsageError` where that cannot be done.
    long_name, unit, role : str
        `unit` as the model declares it; "" for a pure number.
    flags : mapping of int to str
        Meanings of the values of a flag variable.
    attributes : mapping
        All netCDF attributes, as they are stored.
    """

    dims: tuple[str, ...]
    read: Callable[[], NDArray[Any]]
    long_name: str
    unit: str
    role: str
    flags: Mapping[int, str]
    attributes: Mapping[str, object]

    @cached_property
    def values(self) -> NDArray[Any]:
        """Its values, read when they are first asked for, and kept."""
        return self.read()


@dataclass(frozen=True)
class StoredScan:
    """A whole result file.

    Attributes
    ----------
    name : str
        Path of the file, as the user wrote it.
    grid : Grid
    variables : mapping of str to StoredVariable
    attributes : mapping
        Global attributes.
    """

    name: str
    grid: Grid
    variables: Mapping[str, StoredVariable]
    attributes: Mapping[str, object]

    def has(self, name: str) -> bool:
        """Whether the file has a variable."""
        return name in self.variables

    def at_points(self, name: str) -> NDArray[Any]:
        """Values of a variable with the grid points, in C order, as the first axis."""
        values = self.variables[name].values
        n_axes = len(self.grid.axes)
        return values.reshape((prod(values.shape[:n_axes]), *values.shape[n_axes:]))

    def on_grid(self, name: str) -> NDArray[np.float64]:
        """Values of a variable with one dimension for each axis."""
        return np.asarray(self.variables[name].values, float)

    def labels(self, dimension: str) -> tuple[str, ...]:
        """Names of the entries of a dimension."""
        return tuple(str(label) for label in self.variables[f"{dimension}_name"].values)

    def unit(self, name: str) -> str:
        """Give the unit of a variable; "" for a pure number."""
        return self.variables[name].unit

    def text(self, attribute: str) -> str:
        """Give a global attribute as text; "" where there is none."""
        return str(self.attributes.get(attribute, ""))

    @property
    def profiled_scales(self) -> tuple[str, ...]:
        """Names of the scales that the fit profiles: ``S`` for the variables S_opt, S_opt_lower and S_opt_upper."""
        ends = ("_opt", "_opt_lower", "_opt_upper")
        names = [name.removesuffix("_opt") for name in self.variables if name.endswith("_opt")]
        return tuple(name for name in names if all(self.has(name + end) for end in ends))

    @property
    def scales(self) -> tuple[str, ...]:
        """Names of all scales, also of those that the model itself derives."""
        n_axes = len(self.grid.axes)
        found = [n for n, v in self.variables.items() if n.endswith("_opt") and len(v.dims) == n_axes]
        return tuple(name.removesuffix("_opt") for name in found)
