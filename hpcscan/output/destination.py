"""Whether a result can be written where the user wants it: asked before anything is computed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hpcscan.dataset.replacing import temporary_path
from hpcscan.errors import UsageError


def check_output(path: str) -> None:
    """Make sure that a result can be written to `path`, and leave everything as it is.

    Parameters
    ----------
    path : str
        Relative to the working directory.

    Raises
    ------
    UsageError
        With the remedy, where it cannot.
    """
    with _explaining(path):
        output = Path(path)
        _refuse_other_kinds(output)
        _try_writing(output)


def make_room(path: str) -> Path:
    """Create the directory of a result, and give its path."""
    with _explaining(path):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    return Path(path)


@contextmanager
def _explaining(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise UsageError(f"output {path}: cannot be written there ({reason}); choose another place with -o") from error


def _refuse_other_kinds(output: Path) -> None:
    if output.is_dir():
        raise UsageError(f"output {output}: is a directory; name a file in it with -o, such as {output / 'scan.nc'}")
    if output.exists() and not output.is_file():
        raise UsageError(f"output {output}: is not a regular file; choose another with -o")
    if "\\" in str(output.absolute()):
        raise UsageError(f"output {output}: the netCDF library takes a backslash for a slash; choose another with -o")


def _try_writing(output: Path) -> None:
    """Create the file that the writer will create, and remove it: permission bits do not tell the whole story.

    Where the directory is missing, the nearest one that is there is tried instead.
    """
    parent = next(parent for parent in output.parents if parent.exists() or parent.is_symlink())
    probe = temporary_path(parent / output.name)
    probe.touch()
    probe.unlink(missing_ok=True)
