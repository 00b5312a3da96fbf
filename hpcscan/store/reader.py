"""From a result file to a record of it; whatever is not a result is a mistake of the user, with a remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from hpcscan.errors import Mistake, UsageError
from hpcscan.scan.grid import Grid, GridAxis
from hpcscan.store.netcdf import open_netcdf
from hpcscan.store.provenance import SCHEMA
from hpcscan.store.stored import StoredScan, StoredVariable

#: What every result has, whatever its model.
REQUIRED = (
    "chi2", "status", "pull", "profiled_parameter", "parameter_name", "observable_name", "bound_multiplier",
    "n_flat_directions", "n_determined_axes",
)  # fmt: skip


def read_scan(path: str) -> StoredScan:
    """Read a result file whole.

    Raises
    ------
    UsageError
        Where there is no file, or it is not a result, or one of another schema.
    """
    if not Path(path).is_file():
        what = "is a directory" if Path(path).is_dir() else "does not exist"
        raise UsageError(Mistake(path, f"{what}; expected a result file, such as results/full.nc"))
    try:
        with open_netcdf(path) as dataset:
            dataset.set_auto_maskandscale(False)
            attributes = {name: dataset.getncattr(name) for name in dataset.ncattrs()}
            _check_schema(path, attributes)
            variables = {name: _variable(stored) for name, stored in dataset.variables.items()}
    except (OSError, RuntimeError) as error:
        reason = "is not a netCDF file" if "format" in str(error).lower() else f"cannot be read ({error})"
        raise UsageError(Mistake(path, f"{reason}; expected a result that hpcscan has written")) from None
    missing = [name for name in REQUIRED if name not in variables]
    if missing:
        raise UsageError(Mistake(path, f"is not a complete result: {', '.join(missing)} is missing; scan again"))
    return StoredScan(path, _grid(variables), variables, attributes)


def _check_schema(path: str, attributes: dict[str, Any]) -> None:
    schema = attributes.get("hpcscan_schema")
    if schema is None:
        raise UsageError(Mistake(path, "is a netCDF file, but not a result of hpcscan: it has no hpcscan_schema"))
    if schema != SCHEMA:
        made_by = attributes.get("hpcscan_version", "an unknown version")
        raise UsageError(
            Mistake(path, f"has schema {schema}, written by hpcscan {made_by}; this version reads schema {SCHEMA} only")
        )


def _variable(stored: Any) -> StoredVariable:
    attributes = {name: stored.getncattr(name) for name in stored.ncattrs()}
    unit = str(attributes.get("unit_name") or attributes.get("units", ""))
    meanings = str(attributes.get("flag_meanings", "")).split()
    flags = np.atleast_1d(attributes.get("flag_values", np.array([], np.int8)))
    return StoredVariable(
        dims=tuple(stored.dimensions),
        values=np.asarray(stored[...]),
        long_name=str(attributes.get("long_name", stored.name)),
        unit="" if unit == "1" else unit,
        role=str(attributes.get("role", "")),
        flags=dict(zip((int(flag) for flag in flags), meanings, strict=False)),
        attributes=attributes,
    )


def _grid(variables: dict[str, StoredVariable]) -> Grid:
    axes = variables["chi2"].dims
    return Grid(tuple(GridAxis(name, tuple(float(value) for value in variables[name].values)) for name in axes))
