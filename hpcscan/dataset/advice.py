"""What to tell a user whose file cannot be written."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

FULL = (errno.ENOSPC, errno.EDQUOT)
#: Bytes; a few more of a file that grows are no help to anybody.
WORTH_MENTIONING = 50_000
FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)


def write_failure(path: Path, error: Exception, n_bytes: int) -> str:
    """Say in one line why a file of up to `n_bytes` could not be written, and what to do about it."""
    if _hides_a_full_disk(path, error, n_bytes):
        error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return f"cannot write {path}: {_reason(error)}; {_remedy(path, error, n_bytes)}"


def _has_no_inode(directory: Path) -> bool:
    """Whether a file system has no room for one more file, however small; some do not count files, and say 0 of 0."""
    found = os.statvfs(directory)
    return found.f_files > 0 and found.f_favail == 0


def _hides_a_full_disk(path: Path, error: Exception, n_bytes: int) -> bool:
    """Tell whether permission was not the cause: netCDF says so of any file that it cannot create."""
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
