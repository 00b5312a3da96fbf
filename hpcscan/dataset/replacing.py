"""A file that is built aside and moved into place, and what to tell a user where it cannot be written."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hpcscan.errors import UsageError

FULL = (errno.ENOSPC, errno.EDQUOT)

#: Bytes; a few more of a file that grows are no help to anybody.
WORTH_MENTIONING = 50_000

FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)


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
    """Return a temporary path to write to; it takes the place of `path` at the end, and vanishes on an exception.

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


def write_failure(path: Path, error: Exception, n_bytes: int) -> str:
    """Describe in one line why a file of up to `n_bytes` could not be written, and what to do about it."""
    if _hides_a_full_disk(path, error, n_bytes):
        error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return f"cannot write {path}: {_reason(error)}; {_remedy(path, error, n_bytes)}"


def _has_no_inode(directory: Path) -> bool:
    """Whether a file system has no room for one more file, however small; some do not count files, and say 0 of 0."""
    found = os.statvfs(directory)
    return found.f_files > 0 and found.f_favail == 0


def _hides_a_full_disk(path: Path, error: Exception, n_bytes: int) -> bool:
    """Whether permission was not the cause: netCDF says so of any file that it cannot create."""
    parent, is_forbidden = path.parent, getattr(error, "errno", None) in FORBIDDEN
    is_full = is_forbidden and os.access(parent, os.W_OK)
    return is_full and (shutil.disk_usage(parent).free < n_bytes or _has_no_inode(parent))


def _reason(error: Exception) -> str:
    number = getattr(error, "errno", None)
    if isinstance(error, OSError) and number is not None and number > 0:
        return os.strerror(number)
    return str(error) or type(error).__name__


def _remedy(path: Path, error: Exception, n_bytes: int) -> str:
    number, parent = getattr(error, "errno", None), path.parent
    if not parent.is_dir():
        return f"the directory {parent} is missing, create it or choose another output"
    if number in FORBIDDEN:
        return f"check the permissions of {parent}, or choose another output"
    # HDF5 hides the cause of most failures, so that the free space is the better witness.
    free = shutil.disk_usage(parent).free
    if number in FULL and free >= n_bytes and _has_no_inode(parent):
        return (
            f"no inode is left: the file system of {parent} takes no more files, remove some or choose another output"
        )
    if number in FULL or free < n_bytes:
        wanted = f"{n_bytes / 1e6:.1f} MB wanted, " if n_bytes >= WORTH_MENTIONING else ""
        return f"the disk or quota is full ({wanted}{free / 1e6:.1f} MB free), make room or choose another output"
    return f"check the quota and the file system of {parent}, or choose another output"
