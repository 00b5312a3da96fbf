"""A file of unknown origin is read by a process of its own first: the libraries that parse it may crash on it."""

from __future__ import annotations

import json
import logging
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np

import hpcscan
from hpcscan.arrays import IntArray
from hpcscan.dataset.reader import opened, refuse_wrong_structure
from hpcscan.errors import Mistake, UsageError
from hpcscan.grid import Grid, GridAxis

logger = logging.getLogger(__name__)

#: Memory in bytes and time in seconds that reading may take, the time for each byte on top.
MEMORY, SECONDS, SECONDS_PER_BYTE = 2**31, 20, 1e-7
#: Bytes of a variable that are read at once.
SLAB_BYTES = 2**23

_OTHERWISE = "expected a result that hpcscan has written; it is damaged, or none"
#: The modules come from where this process has them, and from nowhere else: not from the working directory.
_CHILD = """\
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from hpcscan.dataset.inspection import inspect_here
sys.exit(inspect_here(sys.argv[2], float(sys.argv[3])))
"""

#: The configuration keys that count for a scan, each with its value as text.
Identity = Mapping[str, str]


class Inspection(IntEnum):
    """Exit codes of the process that reads."""

    GOOD = 0
    REFUSED = 10
    TOO_LARGE = 11


def inspect(path: str | Path) -> None:
    """Refuse a file that is no result, or on which the netCDF library crashes, for ever computes or takes all memory.

    Costs about a third of a second, and for large files as much as reading them whole. What is no file at all is left
    to whoever reads it.

    Raises
    ------
    UsageError
        With what is wrong with it.
    """
    if not os.path.isfile(path):  # noqa: PTH113  (a name that is too long is no file)
        return
    # The child has a working directory of its own choosing.
    place = os.path.abspath(path)  # noqa: PTH100
    seconds = SECONDS + SECONDS_PER_BYTE * Path(place).stat().st_size
    # Isolated: no site packages of the user's are imported, and no variable of Python's counts.
    command = [sys.executable, "-I", "-S", "-B", "-c", _CHILD, json.dumps(_search_path()), place, str(seconds)]
    try:
        found = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=seconds,
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise UsageError(Mistake(str(path), f"cannot be read within {seconds:.0f} s; {_OTHERWISE}")) from None
    except OSError as error:
        logger.warning("%s: not looked at by a process of its own first (%s)", path, error.strerror or error)
        return
    _judge(path, found.returncode, found.stdout.decode("utf-8", "replace"))


def inspect_here(path: str, seconds: float) -> int:
    """Read the whole file in this process, which is there for nothing else; print what is wrong with it."""
    from hpcscan.dataset.netcdf import library_versions  # noqa: PLC0415  (the limits count from what is loaded)

    library_versions()
    _limit(seconds)
    # Says that the child has begun: an exit before this is not the file's fault.
    sys.stdout.write("\n")
    sys.stdout.flush()
    try:
        problem = _read_whole(path)
    except MemoryError:
        return Inspection.TOO_LARGE
    sys.stdout.write(problem)
    return Inspection.REFUSED if problem else Inspection.GOOD


def _search_path() -> list[str]:
    return [*sys.path, str(Path(hpcscan.__file__).parents[1])]


def _judge(path: str | Path, code: int, printed: str) -> None:
    if code == Inspection.GOOD:
        return
    if not printed:
        logger.warning("%s: not looked at by a process of its own first (it did not begin, exit %d)", path, code)
        return
    if code == Inspection.REFUSED:
        raise UsageError(Mistake(str(path), printed.strip()))
    if code == Inspection.TOO_LARGE:
        raise UsageError(Mistake(str(path), f"takes more than {MEMORY / 2**30:.0f} GiB to read; {_OTHERWISE}"))
    # A process that a signal ends has the negative of its number as exit code.
    names = {-one: one.name for one in signal.Signals}
    how = f"crashed on it ({names[code]})" if code in names else f"gave up on it (exit {code})"
    raise UsageError(Mistake(str(path), f"cannot be read: the netCDF library {how}; {_OTHERWISE}"))


def _limit(seconds: float) -> None:
    """Limit memory and time of this process, as far as the system knows such limits."""
    held = 0
    with suppress(OSError):
        held = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    for limit, value in (
        (resource.RLIMIT_AS, held + MEMORY),
        (resource.RLIMIT_CPU, int(seconds) + 1),
        # A crash leaves no core, and nothing is written.
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
    ):
        with suppress(OSError, ValueError):
            resource.setrlimit(limit, (value, value))


def _read_whole(path: str) -> str:
    """Read everything once, a part at a time; return what is wrong, or nothing."""
    from hpcscan.dataset.file_structure import most_counted  # noqa: PLC0415
    from hpcscan.dataset.reader import opened, read_scan  # noqa: PLC0415  (after the limits)

    try:
        read_scan(path)
        with opened(path) as dataset:
            most = most_counted(dataset)
            problems = (_values(name, variable, most) for name, variable in dataset.variables.items())
            problem = next(filter(None, problems), "")
    except UsageError as error:
        return error.mistakes[0].message
    return f"{problem}; {_OTHERWISE}" if problem else ""


def _values(name: str, variable: Any, most: Mapping[str, int]) -> str:
    from hpcscan.dataset.file_structure import value_problem  # noqa: PLC0415

    if variable.dtype == str or not variable.size or not variable.shape:
        return ""
    # Labels were read when the file was opened.
    step = max(1, SLAB_BYTES * variable.shape[0] // (variable.size * variable.dtype.itemsize))
    parts = (variable[begin : begin + step] for begin in range(0, variable.shape[0], step))
    return next(filter(None, (value_problem(name, part, most) for part in parts)), "")


@dataclass(frozen=True)
class Outline:
    """A result in outline.

    Attributes
    ----------
    is_complete : bool
        Whether the scan had ended when the file was written.
    session : str
        Name of the session that wrote it; also in the header of its journal.
    status : int array, shape (n_points,)
    """

    is_complete: bool
    session: str
    identity: Identity
    grid: Grid
    status: IntArray


def outline_attributes(session: str, identity: Identity, *, is_complete: bool) -> dict[str, str | int]:
    """Return the global attributes from which an outline is read."""
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
