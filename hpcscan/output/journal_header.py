"""The header of a journal: which scan it belongs to, and how its records are laid out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from hpcscan.dataset.outline import Identity
from hpcscan.dataset.provenance import SCHEMA
from hpcscan.errors import UsageError
from hpcscan.grid import Grid, GridAxis
from hpcscan.output.packing import Column, Layout
from hpcscan.version import __version__

#: Version of the frames and their payloads; a reader refuses what it does not know.
FORMAT = 1
MAGIC = "hpcscan journal"


@dataclass(frozen=True)
class Header:
    """What the records of a journal have in common.

    Attributes
    ----------
    session : str
        Name of the session that began this journal; the result that it ends with bears it, too.
    identity : mapping of str to str
    grid : Grid
    layout : Layout
        Of the records.
    config : str
        The resolved configuration.
    started : float
        When this session began, in seconds since 1970.
    n_kept : int
        Points that are in the journal from before this session.
    history : tuple of str
        One line for each session.
    program, schema
        Version of hpcscan, and of the names and meanings of the columns.
    """

    session: str
    identity: Identity
    grid: Grid
    layout: Layout
    config: str
    started: float
    n_kept: int = 0
    history: tuple[str, ...] = ()
    program: str = __version__
    schema: int = SCHEMA


def new_session() -> str:
    """Make a name for a session that no other has."""
    return uuid4().hex


def header_bytes(header: Header) -> bytes:
    """Write a header as JSON; numbers keep every bit."""
    entries = {
        "magic": MAGIC,
        "format": FORMAT,
        "session": header.session,
        "program": header.program,
        "schema": header.schema,
        "identity": dict(header.identity),
        "axes": [[axis.name, axis.values] for axis in header.grid.axes],
        "columns": [[column.name, column.dtype, column.shape] for column in header.layout],
        "started": header.started,
        "n_kept": header.n_kept,
        "history": header.history,
        "config": header.config,
    }
    return json.dumps(entries).encode()


def read_header(data: bytes, name: str) -> Header:
    """Read what `header_bytes` wrote.

    Parameters
    ----------
    data : bytes
    name : str
        Of the file, for messages.

    Raises
    ------
    UsageError
        Where another version of the program wrote it in a way that this one does not know.
    """
    entries: dict[str, Any] = json.loads(data)
    if (entries["magic"], entries["format"]) != (MAGIC, FORMAT):
        raise UsageError(
            f"{name} is a journal of format {entries['format']}, and this hpcscan {__version__} reads format "
            f"{FORMAT}; continue with the version that wrote it, or choose another output with -o"
        )
    return Header(
        session=entries["session"],
        identity=entries["identity"],
        grid=Grid(tuple(GridAxis(axis, tuple(values)) for axis, values in entries["axes"])),
        layout=tuple(Column(column, dtype, tuple(shape)) for column, dtype, shape in entries["columns"]),
        config=entries["config"],
        started=entries["started"],
        n_kept=entries["n_kept"],
        history=tuple(entries["history"]),
        program=entries["program"],
        schema=entries["schema"],
    )
