"""Whether a result can be written where the user wants it: asked before anything is computed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path, PosixPath

from hpcscan.dataset.replacing import create_new, temporary_path
from hpcscan.errors import UsageError
from hpcscan.output.places import journal_path, refuse_other_kinds


def anchor() -> Callable[[str], Path]:
    """Give the function that turns what the user wrote into a path, to be called before any code of a model runs.

    Its paths are shown as they were written, and stay where they are when a model changes the working directory.
    """
    with _explaining("."):
        kind = _anchored(os.getcwd())  # noqa: PTH109  (a text is wanted)
    return lambda text: kind(_expanded(text))


@cache
def _anchored(base: str) -> Callable[[str], Path]:
    """Make the kind of path that is relative to one directory, wherever the process is."""

    class Anchored(PosixPath):
        def __fspath__(self) -> str:
            return os.path.join(base, str(self))  # noqa: PTH118  (the system wants a text)

    return Anchored


def _expanded(text: str) -> str:
    """Expand ``~`` as a shell does, and refuse what looks as if a shell had been meant to expand it."""
    if "$" in text:
        raise UsageError(
            f'output {text}: a $ is not expanded in a configuration; write the path out, or say -o "{text}" in a shell'
        )
    expanded = os.path.expanduser(text)  # noqa: PTH111  (a name that is not known stays as it is)
    if expanded.startswith("~"):
        raise UsageError(f"output {text}: nobody has this home directory; for a file of this name write ./{text}")
    return expanded


def check_output(path: str | Path) -> None:
    """Make sure that a result can be written to `path`, and leave everything as it is.

    Parameters
    ----------
    path : str or Path
        A text is relative to the working directory.

    Raises
    ------
    UsageError
        With the remedy, where it cannot.
    """
    output = anchor()(path) if isinstance(path, str) else path
    with _explaining(str(path)):
        _refuse_other_kinds(output)
        # The files beside a result lie beside a link to it.
        _try_writing(output)
        _try_writing(_behind_links(output))


def make_room(path: str | Path) -> Path:
    """Create the directory of a result, and give its path."""
    output = anchor()(path) if isinstance(path, str) else path
    with _explaining(str(path)):
        output.parent.mkdir(parents=True, exist_ok=True)
        _behind_links(output).parent.mkdir(parents=True, exist_ok=True)
    return output


@contextmanager
def _explaining(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise UsageError(f"output {path}: cannot be written there ({reason}); choose another place with -o") from error


def _behind_links(output: Path) -> Path:
    return Path(os.path.realpath(output))


def _refuse_other_kinds(output: Path) -> None:
    if output.is_dir():
        raise UsageError(f"output {output}: is a directory; name a file in it with -o, such as {output / 'scan.nc'}")
    if output.exists() and not output.is_file():
        raise UsageError(f"output {output}: is not a regular file; choose another with -o")
    refuse_other_kinds(output)
    if _behind_links(output).is_symlink():
        raise UsageError(f"output {output}: is a symbolic link that leads to itself; choose another with -o")
    if not _is_text(str(_behind_links(output))):
        raise UsageError(f"output {output}: is not UTF-8, which the netCDF library wants; choose another with -o")
    if "\\" in str(_behind_links(output)):
        raise UsageError(f"output {output}: the netCDF library takes a backslash for a slash; choose another with -o")


def _is_text(name: str) -> bool:
    """Whether a name is more than bytes."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _try_writing(output: Path) -> None:
    """Create the file with the longest name that a run will create, and remove it: permission bits do not tell all.

    Where the directory is missing, the nearest one that is there is tried instead.
    """
    parent = next(parent for parent in output.parents if parent.exists() or parent.is_symlink())
    probe = temporary_path(journal_path(parent / output.name))
    create_new(probe)
    probe.unlink(missing_ok=True)
