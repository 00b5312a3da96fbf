"""Whether a result can be written where the user wants it: asked before anything is computed."""

from __future__ import annotations

import os
from pathlib import Path

from hpcscan.errors import UsageError
from hpcscan.store.replacing import temporary_path


def check_output(path: str) -> Path:
    """Make sure that a result can be written to `path`, and create its directory.

    Parameters
    ----------
    path : str
        Relative to the working directory.

    Raises
    ------
    UsageError
        With the remedy, where it cannot.
    """
    output = Path(path)
    try:
        _refuse_other_kinds(output)
        output.parent.mkdir(parents=True, exist_ok=True)
        _try_writing(output)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise UsageError(f"output {path}: cannot be written there ({reason}); choose another place with -o") from error
    return output


def _refuse_other_kinds(output: Path) -> None:
    if output.is_dir():
        raise UsageError(f"output {output}: is a directory; name a file in it with -o, such as {output / 'scan.nc'}")
    if output.exists() and not output.is_file():
        raise UsageError(f"output {output}: is not a regular file; choose another with -o")


def _try_writing(output: Path) -> None:
    """Create the file that the writer will create, and remove it: permission bits do not tell the whole story."""
    probe = temporary_path(output)
    probe.touch()
    probe.unlink(missing_ok=True)
