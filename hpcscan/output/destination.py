"""Where a result and the files beside it lie, whether they can be written there, and what a run may replace."""

from __future__ import annotations

import itertools
import logging
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path, PosixPath

from hpcscan.dataset.replacing import create_new, temporary_path
from hpcscan.errors import UsageError
from hpcscan.guard.printed import log_path

logger = logging.getLogger(__name__)

_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFLNK: "a symbolic link",
}


def anchor() -> Callable[[str], Path]:
    """Return the function that turns what the user wrote into a path, to be called before any code of a model runs.

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
        # The new file is built beside what a link leads to, which may be another file system.
        _try_writing(_behind_links(output))


def make_room(path: str | Path) -> Path:
    """Create the directory of a result, and return its path."""
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
    # Its name is the longest of all, and a name that is too long fails here.
    probe = temporary_path(journal_path(parent / output.name))
    create_new(probe)
    probe.unlink(missing_ok=True)


def is_there(path: Path) -> bool:
    """Whether there is a file; also of a name that is too long for one, of which `Path` raises."""
    return os.path.isfile(path)  # noqa: PTH113


def refuse_other_kinds(output: Path) -> None:
    """Refuse what is not a file where a run keeps one: opening a pipe would wait for whoever is at its other end.

    Raises
    ------
    UsageError
    """
    refuse_other_lock(lock_path(output))
    for what, path in (("journal", journal_path(output)), ("log", log_path(output))):
        kind = _other_kind(path, os.stat)
        # A log may go to /dev/null.
        if kind and (what, kind) != ("log", "a device"):
            raise UsageError(_not_a_file(output, what, path, kind))


def refuse_other_lock(path: Path) -> None:
    """Refuse what cannot be the lock of any run; also a link, which may lead to what is not ours to remove."""
    if kind := _other_kind(path, os.lstat):
        raise UsageError(_not_a_file(path.with_suffix(""), "lock", path, kind))


def _other_kind(path: Path, look: Callable[[Path], os.stat_result]) -> str:
    """Return what lies at a path where it is no regular file; nothing where it is one, or nothing is there."""
    try:
        mode = look(path).st_mode
    except (OSError, ValueError):
        return ""
    return "" if stat.S_ISREG(mode) else _KINDS.get(stat.S_IFMT(mode), "something else")


def _not_a_file(output: Path, what: str, path: Path, kind: str) -> str:
    return (
        f"output {output}: {path} is {kind}, and a run keeps its {what} there, a regular file; remove it, or choose "
        "another output with -o"
    )


def journal_path(output: Path) -> Path:
    """Return the path of the file in which every finished point is written at once."""
    return output.with_name(f"{output.name}.journal")


def toy_journal_path(output: Path) -> Path:
    """Return the path of the file in which toys of a finished result are written at once."""
    return output.with_name(f"{output.name}.toys.journal")


def lock_path(output: Path) -> Path:
    """Return the path of the file that keeps a second run away."""
    return output.with_name(f"{output.name}.lock")


class Claim:
    """The place of a result, and whether somebody else has put a file there meanwhile.

    Parameters
    ----------
    output : Path
        What lies there now is known to the user.
    overwrite : bool
        Whether the user lets everything be replaced.

    Attributes
    ----------
    place : Path
        Where the result is, or will be.
    """

    def __init__(self, output: Path, *, overwrite: bool) -> None:
        self.place, self._overwrite = output, overwrite
        self._known = _stamp(output)

    def choose(self) -> Path:
        """Return the place to which a file is moved now: beside a file that nobody spoke of."""
        if not self._overwrite and (found := _stamp(self.place)) != self._known and found is not None:
            foreign, self.place = self.place, _free_name(self.place)
            logger.warning(
                "%s was put there by somebody else during the run, and stays; the result is %s", foreign, self.place
            )
        return self.place

    def settle(self) -> None:
        """Note what this run has written."""
        self._known = _stamp(self.place)


def _free_name(path: Path) -> Path:
    names = (path.with_name(f"{path.stem}-{number}{path.suffix}") for number in itertools.count(2))
    return next(name for name in names if not os.path.lexists(name))


def _stamp(path: Path) -> tuple[int, ...] | None:
    """Return what tells a file from every other one; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
