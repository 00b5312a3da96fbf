"""From a result file to a record of it; whatever is not a result is a mistake of the user, with a remedy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcscan.dataset.netcdf import open_netcdf
from hpcscan.dataset.provenance import SCHEMA
from hpcscan.dataset.scan import ScanData, ScanVariable
from hpcscan.errors import Mistake, UsageError
from hpcscan.grid import Grid, GridAxis

#: What every result has, whatever its model.
REQUIRED = (
    "chi2", "status", "pull", "profiled_parameter", "parameter_name", "observable_name", "bound_multiplier",
    "n_flat_directions", "n_determined_axes",
)  # fmt: skip

#: Variables up to this size are read when the file is first opened.
SMALL_BYTES = 2**20


def read_scan(path: str) -> ScanData:
    """Read a result file; what is large in it is read when it is asked for.

    Raises
    ------
    UsageError
        Where there is no file, or it is not a result, or one of another schema. Where values are asked for: if they
        cannot be read, or the file is another one by then.
    """
    if not Path(path).is_file():
        what = "is a directory" if Path(path).is_dir() else "does not exist"
        raise UsageError(Mistake(path, f"{what}; expected a result file, such as results/full.nc"))
    file = _File(path, _stamp(path))
    with file.opened() as dataset:
        attributes = {name: dataset.getncattr(name) for name in dataset.ncattrs()}
        _check_schema(path, attributes)
        variables = {name: _variable(file, stored) for name, stored in dataset.variables.items()}
    missing = [name for name in REQUIRED if name not in variables]
    if missing:
        raise UsageError(Mistake(path, f"is not a complete result: {', '.join(missing)} is missing; scan again"))
    return ScanData(path, _grid(variables), variables, attributes)


@dataclass(frozen=True)
class _File:
    """A file that is opened for every reading: the netCDF library does not bear files that stay open.

    Attributes
    ----------
    path : str
    stamp : tuple of int
        By which a file that has taken its place is told from it.
    """

    path: str
    stamp: tuple[int, ...]

    @contextmanager
    def opened(self) -> Iterator[Any]:
        """Open it, and turn what the library raises into a mistake of the user."""
        try:
            with open_netcdf(self.path) as dataset:
                dataset.set_auto_maskandscale(False)
                yield dataset
        except (OSError, RuntimeError) as error:
            reason = "is not a netCDF file" if "format" in str(error).lower() else f"cannot be read ({error})"
            raise UsageError(Mistake(self.path, f"{reason}; expected a result that hpcscan has written")) from None

    def read(self, name: str) -> NDArray[Any]:
        """Read the values of a variable."""
        with self.opened() as dataset:
            if _stamp(self.path) != self.stamp:
                raise UsageError(Mistake(self.path, "was replaced while it was read; ask again"))
            return np.asarray(dataset.variables[name][...])


def _stamp(path: str) -> tuple[int, ...]:
    found = Path(path).stat()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _check_schema(path: str, attributes: dict[str, Any]) -> None:
    schema = attributes.get("hpcscan_schema")
    if schema is None:
        raise UsageError(Mistake(path, "is a netCDF file, but not a result of hpcscan: it has no hpcscan_schema"))
    if schema != SCHEMA:
        made_by = attributes.get("hpcscan_version", "an unknown version")
        raise UsageError(
            Mistake(path, f"has schema {schema}, written by hpcscan {made_by}; this version reads schema {SCHEMA} only")
        )


def _variable(file: _File, stored: Any) -> ScanVariable:
    attributes = {name: stored.getncattr(name) for name in stored.ncattrs()}
    return ScanVariable(tuple(stored.dimensions), _reading(file, stored), attributes)


def _reading(file: _File, stored: Any) -> Callable[[], NDArray[Any]]:
    """Read a small variable at once, since the file is open; of a large one say how to read it."""
    if stored.dtype == str or stored.size * stored.dtype.itemsize <= SMALL_BYTES:
        values = np.asarray(stored[...])
        return lambda: values
    return partial(file.read, stored.name)


def _grid(variables: dict[str, ScanVariable]) -> Grid:
    axes = variables["chi2"].dims
    return Grid(tuple(GridAxis(name, tuple(float(value) for value in variables[name].values)) for name in axes))
