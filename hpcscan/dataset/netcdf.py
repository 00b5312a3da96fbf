"""The only door to the netCDF library."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal


def open_netcdf(path: str | Path, mode: Literal["r", "w"] = "r") -> Any:
    """Open a netCDF-4 file as what the name says: a relative path may look like a URL to the library.

    Nothing is locked, so that a file system without locks will do: files are built aside and moved into place, and
    nobody opens a result to change it.
    """
    # HDF5 reads this when it is loaded.
    os.environ.setdefault("HDF5_USE_FILE_LOCKING", "FALSE")
    import netCDF4  # noqa: PLC0415  (0.2 s that only readers and the writer pay)

    return netCDF4.Dataset(os.path.abspath(path), mode, format="NETCDF4")  # noqa: PTH100  (of a path that is bound to a directory)


def library_versions() -> dict[str, str]:
    """Versions of the libraries that read and write."""
    import netCDF4  # noqa: PLC0415

    return {"netCDF4": str(netCDF4.__version__), "HDF5": str(netCDF4.__hdf5libversion__)}
