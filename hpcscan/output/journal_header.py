"""The header of a journal: which scan it belongs to, and how its records are laid out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import uuid4

from hpcscan.dataset.outline import Identity
from hpcscan.dataset.provenance import SCHEMA
from hpcscan.errors import UsageError
from hpcscan.grid import Grid
from hpcscan.output.entries import Entries
from hpcscan.table import Layout
from hpcscan.version import __version__

#: Version of the frames and their payloads; a reader refuses what it does not know.
FORMAT = 2
MAGIC = "hpcscan journal"
#: Records of other things than grid points have numbers from here on, in the order in which the header lists them.
FIRST_OTHER, LAST_OTHER = 16, 255


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
        Of the records of grid points.
    config : str
        The resolved configuration.
    started : float
        When this session began, in seconds since 1970.
    n_kept : int
        Points that are in the journal from before this session.
    history : tuple of str
        One line for each session.
    kinds : mapping of str to Layout
        Kinds of other records that the journal may contain.
    libraries : str
        What computed: versions and processor.
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
    kinds: Mapping[str, Layout] = field(default_factory=dict)
    libraries: str = ""
    program: str = __version__
    schema: int = SCHEMA

    def number_and_layout(self, kind: str) -> tuple[int, Layout]:
        """Give the number by which records of another kind are known here, and their layout."""
        return FIRST_OTHER + list(self.kinds).index(kind), self.kinds[kind]

    def kind_of(self, number: int) -> str | None:
        """Name the other kind that has this number; None where none has."""
        return dict(enumerate(self.kinds, FIRST_OTHER)).get(number)


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
        "columns": _columns(header.layout),
        "kinds": [[name, _columns(layout)] for name, layout in header.kinds.items()],
        "libraries": header.libraries,
        "started": header.started,
        "n_kept": header.n_kept,
        "history": header.history,
        "config": header.config,
    }
    return json.dumps(entries).encode()


def _columns(layout: Layout) -> list[object]:
    return [[column.name, column.dtype, column.shape] for column in layout]


def read_header(data: bytes, name: str) -> Header:
    """Read what `header_bytes` wrote, and believe nothing: the file may be anybody's.

    Parameters
    ----------
    data : bytes
    name : str
        Of the file, for messages.

    Raises
    ------
    UsageError
        Where another version of the program wrote it in a way that this one does not know, or none did.
    """
    try:
        entries = Entries.parse(data)
        if entries.text("magic") != MAGIC:
            raise ValueError(f"magic: expected {MAGIC!r}")
        if (found := entries.number("format")) != FORMAT:
            raise UsageError(
                f"{name} is a journal of format {found}, and this hpcscan {__version__} reads format {FORMAT}; "
                "continue with the version that wrote it, or choose another output with -o"
            )
        if (schema := entries.number("schema")) != SCHEMA:
            raise UsageError(
                f"{name} was written by hpcscan {entries.name('program')} in the names of schema {schema}, and this "
                f"version reads schema {SCHEMA}; continue with that version, or choose another output with -o"
            )
        grid = entries.grid("axes")
        return Header(
            session=entries.name("session"),
            identity=entries.texts_by_name("identity"),
            grid=grid,
            layout=entries.point_layout("columns"),
            config=entries.text("config"),
            started=entries.moment("started"),
            n_kept=entries.number("n_kept", grid.n_points),
            history=entries.texts("history"),
            kinds=entries.layouts("kinds", LAST_OTHER - FIRST_OTHER),
            libraries=entries.name("libraries"),
            program=entries.name("program"),
            schema=schema,
        )
    except (ValueError, OverflowError, RecursionError) as error:
        raise UsageError(
            f"{name}: its header is not one that hpcscan writes ({error}); choose another output with -o, or move the "
            "file away"
        ) from None
