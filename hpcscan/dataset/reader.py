"""From a result file to a record of it; whatever is not a result is a mistake of the user, with a remedy."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcscan.dataset.file_structure import structure_problems
from hpcscan.dataset.netcdf import open_netcdf
from hpcscan.dataset.provenance import SCHEMA
from hpcscan.dataset.scan import ScanData, ScanVariable
from hpcscan.errors import Mistake, UsageError
from hpcscan.grid import Grid, GridAxis

#: What the library and what is in a file raise: a wrong text is a `ValueError`, absurd sizes are an `IndexError`.
UNREADABLE = (OSError, RuntimeError, ValueError, AttributeError, KeyError, IndexError, TypeError)
#: Problems of one file that are told.
MOST_PROBLEMS = 3

#: Variables up to this size are read when the file is first opened.
SMALL_BYTES = 2**20


def read_scan(path: str | Path) -> ScanData:
    """Read a result file; what is large in it is read when it is asked for.

    Raises
    ------
    UsageError
        Where there is no file, or it is not a result, or one of another schema. Where values are asked for: if they
        cannot be read, or the file is another one by then.
    """
    # Not by `Path`: a name that is too long is no file either.
    if not os.path.isfile(path):  # noqa: PTH113
        what = "is a directory" if os.path.isdir(path) else "does not exist"  # noqa: PTH112
        what = "is no regular file" if os.path.exists(path) and what != "is a directory" else what  # noqa: PTH110
        raise UsageError(Mistake(str(path), f"{what}; expected a result file, such as results/full.nc"))
    file = _File(path, _stamp(path))
    with opened(path) as dataset:
        # Attributes, then structure, then values: each check relies on the one before.
        attributes = {name: dataset.getncattr(name) for name in dataset.ncattrs()}
        _check_schema(path, attributes)
        refuse_wrong_structure(path, dataset)
        variables = {name: _variable(file, stored) for name, stored in dataset.variables.items()}
    return ScanData(str(path), _grid(variables), variables, attributes)


@contextmanager
def opened(path: str | Path) -> Iterator[Any]:
    """Open a file, with nothing masked or scaled, and turn what the library raises into a mistake of the user."""
    try:
        with open_netcdf(path) as dataset:
            dataset.set_auto_maskandscale(False)
            yield dataset
    except UNREADABLE as error:
        reason = "is not a netCDF file" if "format" in str(error).lower() else f"cannot be read ({error})"
        raise UsageError(Mistake(str(path), f"{reason}; expected a result that hpcscan has written")) from None


def refuse_wrong_structure(path: str | Path, dataset: Any) -> None:
    """Raise a `UsageError` where the file is not built as a result is."""
    problems = [*islice(structure_problems(dataset, _stamp(path)[2]), MOST_PROBLEMS)]
    if problems:
        what = "; ".join(problems)
        raise UsageError(Mistake(str(path), f"is not a complete result, or damaged: {what}; scan again"))


@dataclass(frozen=True)
class _File:
    """A file that is opened for every reading: the netCDF library does not bear files that stay open.

    Attributes
    ----------
    stamp : tuple of int
        By which a file that has taken its place is told from it.
    """

    path: str | Path
    stamp: tuple[int, ...]

    def read(self, name: str) -> NDArray[Any]:
        """Read the values of a variable."""
        with opened(self.path) as dataset:
            # Values of two files must not be mixed, however alike they are.
            if _stamp(self.path) != self.stamp:
                raise UsageError(Mistake(str(self.path), "was replaced while it was read; ask again"))
            return np.asarray(dataset.variables[name][...])


def _stamp(path: str | Path) -> tuple[int, ...]:
    # Not by `Path`, which would forget to what directory a path is bound.
    found = os.stat(path)  # noqa: PTH116
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _check_schema(path: str | Path, attributes: dict[str, Any]) -> None:
    schema = attributes.get("hpcscan_schema")
    if schema is None:
        raise UsageError(Mistake(str(path), "is a netCDF file, but not a result of hpcscan: it has no hpcscan_schema"))
    if not np.array_equal(schema, SCHEMA):
        made_by = attributes.get("hpcscan_version", "an unknown version")
        # Names mean what the version says that wrote them.
        remedy = f"this version reads schema {SCHEMA} only: scan again, or read it with that version"
        raise UsageError(Mistake(str(path), f"has schema {schema}, written by hpcscan {made_by}; {remedy}"))


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
