"""The header of a journal: which scan it belongs to, how its records are laid out; nothing in it is taken on trust."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from math import isfinite, prod
from typing import Any
from uuid import uuid4

from hpcscan.dataset.inspection import Identity
from hpcscan.dataset.provenance import SCHEMA
from hpcscan.errors import UsageError
from hpcscan.grid import Grid, GridAxis
from hpcscan.scanning.cost import SHARE, available_memory
from hpcscan.table import Column, Layout
from hpcscan.version import __version__

#: Version of the frames and their payloads; a reader refuses what it does not know.
FORMAT = 3
MAGIC = "hpcscan journal"
#: Records of other things than grid points have numbers from here on, in the order in which the header lists them.
FIRST_OTHER, LAST_OTHER = 16, 255

#: A point of a grid that somebody only looks at takes so many bytes: its status, and marks.
BYTES_TO_LOOK_AT = 16

#: numpy numbers points by so many indices at most.
MOST_AXES = 32

#: Of what one record has in a column.
MOST_DIMENSIONS, MOST_BYTES = 4, 2**30

#: The last second of the year 9999.
LAST_MOMENT = 253402300799.0

#: What every record of grid points tells without being read whole.
NEEDED = (Column("point_index", "<i8"), Column("status", "|i1"), Column("wave", "<i4"), Column("asked", "<i8"))


@dataclass(frozen=True)
class Header:
    """What the records of a journal have in common.

    Attributes
    ----------
    session : str
        Name of the session that began this journal; the result that it ends with bears it, too.
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
        """Return the number by which records of another kind are known here, and their layout."""
        return FIRST_OTHER + list(self.kinds).index(kind), self.kinds[kind]

    def kind_of(self, number: int) -> str | None:
        """Return the other kind that has this number; None where none has."""
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
        # The format first: it says how everything else is to be read.
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
    # Whatever a file of somebody else's makes of JSON.
    except (ValueError, OverflowError, RecursionError) as error:
        raise UsageError(
            f"{name}: its header is not one that hpcscan writes ({error}); choose another output with -o, or move the "
            "file away"
        ) from None


@dataclass(frozen=True)
class Entries:
    """A mapping of unknown origin. Every method raises a `ValueError` that says what is wrong with an entry."""

    values: Mapping[str, Any]

    @classmethod
    def parse(cls, data: bytes) -> Entries:
        """Read JSON."""
        values = json.loads(data)
        if not isinstance(values, dict):
            raise ValueError("expected a mapping")
        return cls(values)

    def text(self, name: str) -> str:
        """Return a text."""
        return _text(self._value(name), name)

    def name(self, name: str) -> str:
        """Return a text that can be shown."""
        return _name(self._value(name), name)

    def number(self, name: str, most: int = 2**63 - 1) -> int:
        """Return an integer from 0 to `most`."""
        return _number(self._value(name), name, most)

    def moment(self, name: str) -> float:
        """Return seconds since 1970 that are a date."""
        value = _real(self._value(name), name)
        if not 0 <= value <= LAST_MOMENT:
            raise ValueError(f"{name}: expected seconds since 1970")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of texts."""
        return tuple(_text(value, name) for value in _list(self._value(name), name))

    def texts_by_name(self, name: str) -> dict[str, str]:
        """Return a mapping of texts."""
        found = self._value(name)
        if not isinstance(found, dict):
            raise ValueError(f"{name}: expected a mapping")
        return {key: _text(value, name) for key, value in found.items()}

    def grid(self, name: str) -> Grid:
        """Return a grid that fits into memory."""
        axes = tuple(GridAxis(*_axis(value, name)) for value in _list(self._value(name), name))
        names = {axis.name for axis in axes}
        if not 1 <= len(axes) <= MOST_AXES or len(names) < len(axes):
            raise ValueError(f"{name}: expected 1 to {MOST_AXES} axes with different names")
        grid = Grid(axes)
        # A few bytes can describe a grid that no machine holds.
        if grid.n_points * BYTES_TO_LOOK_AT > SHARE * available_memory():
            raise ValueError(f"{name}: a grid of {grid.n_points:.3g} points does not fit into the memory here")
        return grid

    def point_layout(self, name: str) -> Layout:
        """Return the layout of the records of grid points."""
        layout = _layout(self._value(name), name)
        if not set(NEEDED) <= set(layout):
            needed = ", ".join(column.name for column in NEEDED)
            raise ValueError(f"{name}: expected {needed} among the columns")
        return layout

    def layouts(self, name: str, most: int) -> dict[str, Layout]:
        """Return the layouts of up to so many kinds."""
        pairs = [_pair(value, name) for value in _list(self._value(name), name)]
        found = {_name(kind, name): _layout(columns, name) for kind, columns in pairs}
        if len(found) < len(pairs) or len(found) > most:
            raise ValueError(f"{name}: expected up to {most} different kinds")
        return found

    def _value(self, name: str) -> Any:
        if name not in self.values:
            raise ValueError(f"{name} is missing")
        return self.values[name]


def _list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{name}: expected a list")
    return value


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{name}: expected a text")
    return value


def _name(value: Any, name: str) -> str:
    if not _text(value, name).isprintable():
        raise ValueError(f"{name}: expected a text without control characters")
    return str(value)


def _number(value: Any, name: str, most: int) -> int:
    # True is an int in Python.
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError(f"{name}: expected an integer from 0 to {most}")
    return value


def _real(value: Any, name: str) -> float:
    if type(value) not in (int, float) or not isfinite(value):
        raise ValueError(f"{name}: expected a number")
    return float(value)


def _pair(value: Any, name: str) -> list[Any]:
    if len(_list(value, name)) != 2:
        raise ValueError(f"{name}: expected pairs")
    return list(value)


def _axis(value: Any, name: str) -> tuple[str, tuple[float, ...]]:
    axis, values = _pair(value, name)
    numbers = tuple(_real(number, name) for number in _list(values, name))
    if not numbers or any(a >= b for a, b in pairwise(numbers)):
        raise ValueError(f"{name}: expected values that rise")
    return _name(axis, name), numbers


def _layout(value: Any, name: str) -> Layout:
    """Check columns before anything is made of them: of an address in a file, numpy would see what lies there."""
    layout = tuple(_column(entry, name) for entry in _list(value, name))
    if len({column.name for column in layout}) < len(layout):
        raise ValueError(f"{name}: a column is there twice")
    if not 1 <= sum(column.n_bytes for column in layout) <= MOST_BYTES:
        raise ValueError(f"{name}: expected columns of 1 to {MOST_BYTES} bytes")
    return layout


def _column(value: Any, name: str) -> Column:
    if len(_list(value, name)) != 3:
        raise ValueError(f"{name}: expected a name, a type and a shape")
    column, dtype, shape = value
    sizes = tuple(_number(size, name, MOST_BYTES) for size in _list(shape, name))
    if len(sizes) > MOST_DIMENSIONS or prod(max(size, 1) for size in sizes) > MOST_BYTES:
        raise ValueError(f"{name}: a shape is out of reach")
    return Column(_name(column, name), _text(dtype, name), sizes)
