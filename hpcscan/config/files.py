"""Reading a user's text file, with a clear message where that fails."""

from __future__ import annotations

import hashlib
from pathlib import Path

from hpcscan.errors import Mistake, UsageError

MAX_BYTES = 4 * 2**20


def read_text(path: str, where: str = "") -> str:
    """Read a file as UTF-8.

    Parameters
    ----------
    path : str
    where : str, optional
        Who asked for the file; the file itself where empty.
    """
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise _error(path, where, "", getattr(error, "strerror", None) or str(error)) from None
    if len(data) > MAX_BYTES:
        raise _error(path, where, "", f"it is larger than {MAX_BYTES // 2**20} MiB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        lines = before.split(b"\n")
        place = f":{len(lines)}:{len(lines[-1].decode('utf-8-sig')) + 1}"
        raise _error(path, where, place, f"byte {data[error.start]:#04x} is not UTF-8 text") from None


def file_digest(path: str, where: str) -> str:
    """Compute the SHA-256 of what a file holds.

    Raises
    ------
    UsageError
        Where it cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError) as error:
        raise _error(path, where, "", getattr(error, "strerror", None) or str(error)) from None


def _error(path: str, where: str, place: str, reason: str) -> UsageError:
    if where:
        return UsageError(Mistake(where, f"cannot read {path}{place}: {reason}"))
    return UsageError(Mistake(f"{path}{place}", f"cannot read the configuration: {reason}"))
