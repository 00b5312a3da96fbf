"""Results of finished scans, as a test looks at them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
from numpy.typing import NDArray

from hpcscan.fitting.records import Status


@dataclass(frozen=True)
class Job:
    """One invocation of the program that has ended."""

    exit_code: int
    stdout: str
    stderr: str
    output: Path

    def result(self) -> Result:
        return read(self.output)


@dataclass(frozen=True)
class Result:
    """A result file: values, dimensions and attributes by variable, and global attributes."""

    values: dict[str, NDArray[Any]] = field(default_factory=dict)
    dimensions: dict[str, tuple[str, ...]] = field(default_factory=dict)
    attributes: dict[str, dict[str, Any]] = field(default_factory=dict)
    about: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.values[name]

    def science(self) -> dict[str, object]:
        """Everything that no circumstance of the run may change, bit for bit."""
        return {
            name: (self.dimensions[name], array.dtype.str, array.shape, _bits(array), self.attributes[name])
            for name, array in self.values.items()
            if self.attributes[name].get("role") != "run"
        }

    def count(self, status: Status) -> int:
        return int(np.count_nonzero(self["status"] == status))


def read(path: Path) -> Result:
    """Read a whole result file, with nothing masked or scaled."""
    result = Result()
    with netCDF4.Dataset(path) as dataset:
        dataset.set_auto_maskandscale(False)
        result.about.update({name: dataset.getncattr(name) for name in dataset.ncattrs()})
        for name, variable in dataset.variables.items():
            result.values[name] = np.asarray(variable[...])
            result.dimensions[name] = variable.dimensions
            result.attributes[name] = {key: _comparable(variable.getncattr(key)) for key in variable.ncattrs()}
    return result


def different_variables(one: Result, other: Result) -> list[str]:
    """Names of the variables that are not the same in every bit; of those without `role = "run"`."""
    a, b = one.science(), other.science()
    return sorted(name for name in a.keys() | b.keys() if a.get(name) != b.get(name))


def _bits(array: NDArray[Any]) -> object:
    return array.tolist() if array.dtype == object else array.tobytes()


def _comparable(value: Any) -> object:
    return value.tobytes() if isinstance(value, np.ndarray | np.generic) else value
