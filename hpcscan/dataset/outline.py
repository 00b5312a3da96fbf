"""What a result file says of itself, without its numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hpcscan.arrays import IntArray
from hpcscan.dataset.netcdf import open_netcdf
from hpcscan.errors import UsageError
from hpcscan.grid import Grid, GridAxis

#: The configuration keys that count for a scan, each with its value as text.
Identity = Mapping[str, str]


@dataclass(frozen=True)
class Outline:
    """A result in outline.

    Attributes
    ----------
    is_complete : bool
        Whether the scan had ended when the file was written.
    session : str
        Name of the session that wrote it; also in the header of its journal.
    identity : mapping of str to str
    grid : Grid
    status : int array, shape (n_points,)
    """

    is_complete: bool
    session: str
    identity: Identity
    grid: Grid
    status: IntArray


def outline_attributes(session: str, identity: Identity, *, is_complete: bool) -> dict[str, str | int]:
    """Give the global attributes from which an outline is read."""
    return {
        "hpcscan_complete": int(is_complete),
        "hpcscan_session": session,
        "hpcscan_identity": json.dumps(dict(identity), ensure_ascii=False),
    }


def read_outline(path: Path) -> Outline:
    """Read the outline of a result.

    Raises
    ------
    UsageError
        Where the file is no result of hpcscan.
    """
    try:
        with open_netcdf(path) as dataset:
            dataset.set_auto_maskandscale(False)
            status = dataset.variables["status"]
            axes = tuple(GridAxis(name, tuple(dataset.variables[name][:].tolist())) for name in status.dimensions)
            return Outline(
                is_complete=bool(dataset.getncattr("hpcscan_complete")),
                session=dataset.getncattr("hpcscan_session"),
                identity=json.loads(dataset.getncattr("hpcscan_identity")),
                grid=Grid(axes),
                status=np.asarray(status[...]).ravel(),
            )
    except (OSError, RuntimeError, AttributeError, KeyError, ValueError) as error:
        raise UsageError(f"{path} is not a result of this hpcscan ({error}); choose another file") from error
