"""What a result file says of itself, without its numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hpcscan.arrays import IntArray
from hpcscan.dataset.inspection import inspect
from hpcscan.dataset.reader import opened, refuse_wrong_structure
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
    inspect(path)
    with opened(path) as dataset:
        refuse_wrong_structure(path, dataset)
        attributes = {name: dataset.getncattr(name) for name in dataset.ncattrs()}
        status = dataset.variables["status"]
        axes = tuple(GridAxis(name, tuple(dataset.variables[name][:].tolist())) for name in status.dimensions)
        return Outline(
            is_complete=bool(attributes["hpcscan_complete"]),
            session=str(attributes["hpcscan_session"]),
            identity=_identity(attributes["hpcscan_identity"]),
            grid=Grid(axes),
            status=np.asarray(status[...]).ravel(),
        )


def _identity(text: str) -> Identity:
    """Read an identity, which is a mapping of texts."""
    identity = json.loads(text)
    if not isinstance(identity, dict) or not all(isinstance(value, str) for value in identity.values()):
        raise ValueError("hpcscan_identity is no mapping of texts")
    return identity
