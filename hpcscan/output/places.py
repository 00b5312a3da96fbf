"""The files that lie beside a result."""

from __future__ import annotations

import os
from pathlib import Path


def is_there(path: Path) -> bool:
    """Tell whether there is a file; also of a name that is too long for one, of which `Path` raises."""
    return os.path.isfile(path)  # noqa: PTH113


def journal_path(output: Path) -> Path:
    """Name the file in which every finished point is written at once."""
    return output.with_name(f"{output.name}.journal")


def toy_journal_path(output: Path) -> Path:
    """Name the file in which toys of a finished result are written at once."""
    return output.with_name(f"{output.name}.toys.journal")


def lock_path(output: Path) -> Path:
    """Name the file that keeps a second run away."""
    return output.with_name(f"{output.name}.lock")


def log_path(output: Path) -> Path:
    """Name the file that keeps the lines of the terminal."""
    return output.with_suffix(".log") if output.suffix == ".nc" else output.with_name(f"{output.name}.log")
