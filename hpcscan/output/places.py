"""The files that lie beside a result."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from hpcscan.errors import UsageError
from hpcscan.guard.output import log_path


def is_there(path: Path) -> bool:
    """Tell whether there is a file; also of a name that is too long for one, of which `Path` raises."""
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
    """Say what lies at a path where it is no regular file; nothing where it is one, or nothing is there."""
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


_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFLNK: "a symbolic link",
}


def journal_path(output: Path) -> Path:
    """Name the file in which every finished point is written at once."""
    return output.with_name(f"{output.name}.journal")


def toy_journal_path(output: Path) -> Path:
    """Name the file in which toys of a finished result are written at once."""
    return output.with_name(f"{output.name}.toys.journal")


def lock_path(output: Path) -> Path:
    """Name the file that keeps a second run away."""
    return output.with_name(f"{output.name}.lock")
