"""A file that is built aside and moved into place: a reader meets the old file or the new one, nothing else."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def temporary_path(path: Path) -> Path:
    """Where a file is built: hidden, in the same directory, one name per process."""
    return path.with_name(f".{path.name}.{os.getpid()}.part")


def remove_leftovers(path: Path) -> None:
    """Remove what runs that were killed left of files they were building: this one, and those named after it."""
    pattern = re.compile(rf"\.{re.escape(path.name)}(\.journal|\.lock)?\.\d+\.part")
    with suppress(OSError):
        for leftover in [entry for entry in path.parent.iterdir() if pattern.fullmatch(entry.name)]:
            leftover.unlink()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path to write to; it takes the place of `path` at the end, and vanishes on an exception."""
    temporary = temporary_path(path)
    try:
        yield temporary
        _sync(temporary)
        temporary.replace(path)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
    # Some network file systems cannot sync a directory; the file itself is safe by now.
    with suppress(OSError):
        _sync(path.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
