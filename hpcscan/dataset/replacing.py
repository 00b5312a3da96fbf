"""A file that is built aside and moved into place: a reader meets the old file or the new one, nothing else."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hpcscan.errors import UsageError


def temporary_path(path: Path) -> Path:
    """Where a file is built: hidden, in the same directory, one name per process."""
    return path.with_name(f".{path.name}.{os.getpid()}.part")


def create_new(path: Path) -> None:
    """Create an empty file, never through a link; what a process that was killed left under its name goes."""
    path.unlink(missing_ok=True)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666))


def remove_leftovers(path: Path) -> None:
    """Remove what runs that were killed left of files they were building: this one, and those named after it."""
    for place in {path, Path(os.path.realpath(path))}:
        pattern = re.compile(rf"\.{re.escape(place.name)}(\.journal|\.lock)?\.\d+\.part")
        with suppress(OSError):
            for leftover in [entry for entry in place.parent.iterdir() if pattern.fullmatch(entry.name)]:
                leftover.unlink()


@contextmanager
def replacing(path: Path, choose: Callable[[], Path] | None = None) -> Iterator[Path]:
    """Give a temporary path to write to; it takes the place of `path` at the end, and vanishes on an exception.

    Parameters
    ----------
    path : Path
        A symbolic link stays, and the file to which it leads is replaced.
    choose : callable, optional
        Asked at the end for the place to take instead of `path`, in the same directory.
    """
    # Built beside the file itself, for a link may lead to another file system.
    temporary = temporary_path(Path(os.path.realpath(path)))
    try:
        create_new(temporary)
        yield temporary
        _sync(temporary)
        target = Path(os.path.realpath(choose() if choose else path))
        temporary.replace(target)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
    # Some network file systems cannot sync a directory; the file itself is safe by now.
    with suppress(OSError):
        _sync(target.parent)


def copy_result(source: Path, target: Path) -> None:
    """Copy a file to a place, which has it as a whole or not at all."""
    if not source.exists():
        raise UsageError(f"{source}: is gone, so that it cannot be copied to {target}")
    with replacing(target) as temporary:
        shutil.copyfile(source, temporary)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
