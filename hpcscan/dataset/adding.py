"""A result with toys: a new file from an old one, built aside; a finished file is never opened for update."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from hpcscan.dataset.netcdf import open_netcdf
from hpcscan.dataset.record_variables import TOYS, kept_sizes, kept_variables
from hpcscan.dataset.replacing import replacing, write_failure
from hpcscan.dataset.writer import chunk_shape, define, slabs
from hpcscan.errors import StorageError
from hpcscan.toys.record import ToyRecord


def add_toys(source: Path, target: Path, toys: ToyRecord, history: str) -> None:
    """Write a result again with toys, in place of those that it may have.

    Parameters
    ----------
    source, target : Path
        They may be the same.
    history : str
        One line for the file.

    Raises
    ------
    StorageError
        Where the file cannot be written.
    """
    try:
        with replacing(target) as temporary, open_netcdf(source) as old, open_netcdf(temporary, "w") as new:
            old.set_auto_maskandscale(False)
            _copy(old, new, history)
            axes = tuple(old.variables["chi2"].dimensions)
            new.setncatts(toys.attributes)
            for name, size in kept_sizes(toys.arrays).items():
                new.createDimension(name, size)
            for row in kept_variables(toys.arrays, role=TOYS):
                variable = define(new, row, axes)
                variable[...] = np.asarray(toys.arrays[row.name].values).reshape(variable.shape)
    except (OSError, RuntimeError) as error:
        raise StorageError(write_failure(target, error, source.stat().st_size)) from error


def _copy(old: Any, new: Any, history: str) -> None:
    """Copy everything but toys."""
    attributes = {name: old.getncattr(name) for name in old.ncattrs() if not name.startswith("hpcscan_toys")}
    attributes["history"] = "\n".join(filter(None, [str(attributes.get("history", "")), history]))
    new.setncatts(attributes)
    variables = [one for one in old.variables.values() if getattr(one, "role", "") != TOYS]
    # Dimensions of earlier toys go with them.
    used = {dim for one in variables for dim in one.dimensions}
    for name, dimension in old.dimensions.items():
        if name in used:
            new.createDimension(name, len(dimension))
    copies = [_like(one, new) for one in variables]
    for one, copy in zip(variables, copies, strict=True):
        _copy_values(one, copy)


def _like(one: Any, new: Any) -> Any:
    """Create a variable that is stored as another one."""
    attributes = {name: one.getncattr(name) for name in one.ncattrs()}
    fill_value = attributes.pop("_FillValue", False)
    filters = one.filters() or {}
    storage = {"compression": "zlib", "complevel": filters["complevel"], "shuffle": filters["shuffle"]}
    storage |= {} if one.chunking() == "contiguous" else {"chunksizes": one.chunking()}
    is_packed = bool(filters.get("zlib"))
    kind = str if one.dtype == str else one.dtype
    packed = storage if is_packed else {}
    copy = new.createVariable(one.name, kind, one.dimensions, fill_value=fill_value, **packed)
    copy.set_auto_maskandscale(False)
    copy.setncatts(attributes)
    return copy


def _copy_values(one: Any, copy: Any) -> None:
    """Copy the values, a part at a time where there are many."""
    if one.dtype == str or not one.shape:
        copy[...] = one[...]
        return
    if not one.size:
        return
    for slab in slabs(one.shape, chunk_shape(one.shape, one.dtype.itemsize)):
        copy[slab.place] = one[slab.place]
