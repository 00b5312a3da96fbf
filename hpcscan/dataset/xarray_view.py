"""A scan as an `xarray.Dataset`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpcscan.dataset.scan import ScanData
from hpcscan.errors import UsageError

if TYPE_CHECKING:
    import xarray as xr


def to_xarray(scan: ScanData) -> xr.Dataset:
    """Return the variables of a scan with their labels as coordinates, so that ``.sel(parameter="phase")`` works.

    Raises
    ------
    UsageError
        Where xarray is not installed.
    """
    try:
        import xarray as xr  # noqa: PLC0415  (an optional library)
    except ModuleNotFoundError as error:
        raise UsageError("to_xarray needs xarray; install it with: pip install 'hpcscan[plot]'") from error
    labelled = {name.removesuffix("_name") for name in scan.variables if name.endswith("_name")}
    axes = {axis.name for axis in scan.grid.axes}
    variables = {
        name: xr.Variable(one.dims, one.values, dict(one.attributes))
        for name, one in scan.variables.items()
        if name not in axes
    }
    coordinates = {name: xr.Variable((name,), [*scan.labels(name)]) for name in labelled}
    for name in axes:
        one = scan.variables[name]
        coordinates[name] = xr.Variable((name,), one.values, dict(one.attributes))
    return xr.Dataset(variables, coordinates, dict(scan.attributes))
