"""What the user asks of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class RunRequest:
    """What the user asked for on the command line."""

    config: str
    output: str | None = None
    overrides: Sequence[str] = ()
    overwrite: bool = False
    resume: bool = False
    strict: bool = False
    keep_journal: bool = False
    max_time: float | None = None


@dataclass(frozen=True)
class ToyRequest:
    """What the user asks of `toys`."""

    scan: str
    config: str
    overrides: Sequence[str] = ()
    max_time: float | None = None
