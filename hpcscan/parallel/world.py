"""The ranks of a job and how they talk: small patient operations, none of which blocks inside MPI.

A rank that waits inside a blocking MPI call spins on its processor: measured with 64 ranks on two
cores, it made the one rank that had work 30 times slower. So nobody calls Recv, Barrier or Bcast;
waiting is :meth:`World.receive` with :meth:`World.nap` in between.
"""

from __future__ import annotations

import platform
import sys
from contextlib import suppress
from typing import NoReturn, Protocol


class Aborted(SystemExit):
    """The end of a program that is the only process of its job."""


class World(Protocol):
    """All ranks of the job, as seen from this one.

    Attributes
    ----------
    rank, size : int
        This rank, and how many there are.
    library : str
        Name and version of the MPI library; ``"none"`` where there is none.
    host : str
        The machine this rank runs on.
    """

    rank: int
    size: int
    library: str
    host: str

    def send(self, message: object, to: int) -> None:
        """Post a message, without waiting until it is received."""

    def receive(self) -> list[object]:
        """Take all messages that have arrived, possibly none; those of one sender in the order sent."""

    def nap(self) -> None:
        """Sleep a little, and longer with every nap since the last message."""

    def dead(self) -> frozenset[int]:
        """Return the ranks that are known to have died."""

    def replace(self, rank: int) -> bool:
        """Start a new process under this rank's number, if that is possible; messages of the old one are lost."""

    def leave(self) -> None:
        """Wait until everything that was sent is gone: the last thing that a rank does."""

    def abort(self, exit_code: int) -> NoReturn:
        """End every rank of the job at once."""


class SerialWorld:
    """One rank, no MPI."""

    rank = 0
    size = 1
    library = "none"

    def __init__(self) -> None:
        self.host = platform.node()

    def send(self, message: object, to: int) -> None:
        """Refuse: there is nobody to send to."""
        raise ValueError(f"no rank {to} to send to in a world of one")

    def receive(self) -> list[object]:
        """Take nothing."""
        return []

    def nap(self) -> None:
        """Return at once: no message will ever come."""

    def dead(self) -> frozenset[int]:
        """Return nobody."""
        return frozenset()

    def replace(self, rank: int) -> bool:
        """Refuse: there is nobody to replace."""
        return False

    def leave(self) -> None:
        """Return at once."""
        flush()

    def abort(self, exit_code: int) -> NoReturn:
        """Leave the program."""
        raise Aborted(exit_code)


def flush() -> None:
    """Write out what is buffered, where somebody reads it: the launcher may end this rank at any time from now on."""
    for stream in (sys.stdout, sys.stderr):
        # A stream that is full, closed or missing must not cost a result.
        with suppress(AttributeError, OSError, ValueError):
            stream.flush()
