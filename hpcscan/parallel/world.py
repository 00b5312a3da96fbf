"""The ranks of a job and how they talk: small patient operations, none of which blocks inside MPI.

A rank that waits inside a blocking MPI call spins on its processor: measured with 64 ranks on two
cores, it made the one rank that had work 30 times slower. So nobody calls Recv, Barrier or Bcast;
waiting is :meth:`World.receive` with :meth:`World.nap` in between.
"""

from __future__ import annotations

import platform
import sys
import time
import warnings
from collections import deque
from typing import TYPE_CHECKING, NoReturn, Protocol

from hpcscan.errors import UsageError
from hpcscan.parallel.launcher import launched_size, launcher_rank

if TYPE_CHECKING:
    from mpi4py import MPI

# A nap starts well below the shortest task worth sending, and doubles: a rank that has waited long is
# not needed soon. At the longest, 64 idle ranks together cost a quarter of one core.
SHORTEST_NAP = 20e-6
LONGEST_NAP = 10e-3

# The launcher ends the job with the first process that leaves, so the one that prints gets a head start.
HEAD_START = 1.0


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

    def leave(self) -> None:
        """Wait until all ranks have called this; messages that still arrive are thrown away."""

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

    def leave(self) -> None:
        """Return at once."""
        _flush()

    def abort(self, exit_code: int) -> NoReturn:
        """Leave the program."""
        raise SystemExit(exit_code)


class MpiWorld:
    """The ranks of ``MPI.COMM_WORLD``.

    Parameters
    ----------
    communicator : MPI.Intracomm
        Used by nobody else.
    library : str
        Name and version of the MPI library.
    """

    def __init__(self, communicator: MPI.Intracomm, library: str) -> None:
        self._communicator = communicator
        self.rank = communicator.rank
        self.size = communicator.size
        self.library = library
        self.host = platform.node()
        self._sending: deque[MPI.Request] = deque()
        self._arriving: list[tuple[int, MPI.Request]] = []
        self._next_nap = SHORTEST_NAP

    def send(self, message: object, to: int) -> None:
        """Post a message, without waiting until it is received."""
        self._forget_what_was_sent()
        self._sending.append(self._communicator.isend(message, dest=to))

    def receive(self) -> list[object]:
        """Take all messages that have arrived, possibly none; those of one sender in the order sent."""
        self._forget_what_was_sent()
        # Matching is not receiving: the rest of a large message moves only while its sender is inside
        # MPI, and that may be a whole task later.
        while (matched := self._match()) is not None:
            self._arriving.append(matched)

        messages: list[object] = []
        incomplete: list[tuple[int, MPI.Request]] = []
        for sender, request in self._arriving:
            # A small message must not overtake a large one from the same sender.
            behind = any(sender == other for other, _ in incomplete)
            complete, message = (False, None) if behind else request.test()
            if complete:
                messages.append(message)
            else:
                incomplete.append((sender, request))
        self._arriving = incomplete
        if messages:
            self._next_nap = SHORTEST_NAP
        return messages

    def nap(self) -> None:
        """Sleep a little, and longer with every nap since the last message."""
        time.sleep(self._next_nap)
        self._next_nap = min(2 * self._next_nap, LONGEST_NAP)

    def leave(self) -> None:
        """Wait until all ranks have called this; messages that still arrive are thrown away."""
        # Open MPI's launcher kills the others as soon as one exits with an error.
        _flush()
        # A large message leaves its sender only when it is received, so throwing away comes first and
        # goes on until everybody is here.
        barrier: MPI.Request | None = None
        while barrier is None or not barrier.Test():
            self.receive()
            if barrier is None and not self._sending:
                barrier = self._communicator.Ibarrier()
            self.nap()

    def abort(self, exit_code: int) -> NoReturn:
        """End every rank of the job at once."""
        if self.size == 1:
            raise SystemExit(exit_code)
        _flush()
        self._communicator.Abort(exit_code)

    def _match(self) -> tuple[int, MPI.Request] | None:
        from mpi4py import MPI  # noqa: PLC0415 - the package must import without MPI

        status = MPI.Status()
        # MPICH looks for a message first and lets messages in afterwards: only a second miss means none.
        matched = self._communicator.improbe(status=status) or self._communicator.improbe(status=status)
        return None if matched is None else (status.Get_source(), matched.irecv())

    def _forget_what_was_sent(self) -> None:
        while self._sending and self._sending[0].Test():
            self._sending.popleft()


def connect() -> World:
    """Join the other ranks that the launcher started, or be alone.

    Returns
    -------
    World
        A :class:`SerialWorld` where MPI cannot be loaded and nothing suggests that it should be.

    Raises
    ------
    UsageError
        If the launcher started several processes that cannot talk to each other. Every one of them
        raises it; the one with ``launcher_rank() == 0`` should print it.
    """
    launched = launched_size()
    try:
        world = _load_mpi()
    except (ImportError, RuntimeError) as error:
        if launched > 1:
            _let_first_process_speak()
            raise UsageError(
                f"{launched} processes were launched, but MPI cannot be loaded ({str(error).splitlines()[0]}): "
                "load the site's MPI module, or install one (pip install mpi4py mpich)"
            ) from error
        return SerialWorld()
    if world.size == 1 < launched:
        _let_first_process_speak()
        raise UsageError(
            f"{launched} processes were launched, but each of them is alone: the launcher does not belong to the "
            f"MPI library in use, {world.library}. Start with that library's own mpirun, or with an srun that "
            "supports it (srun --mpi=list shows the choices)"
        )
    return world


def _load_mpi() -> MpiWorld:
    with warnings.catch_warnings():
        # The wrong launcher: `connect` says so with a remedy, and once instead of once per process.
        warnings.filterwarnings("ignore", message="suspicious MPI execution environment")
        from mpi4py import MPI  # noqa: PLC0415 - the package must import without MPI
    first_line = MPI.Get_library_version().splitlines()[0]
    return MpiWorld(MPI.COMM_WORLD, " ".join(first_line.strip("\0").split()))


def _let_first_process_speak() -> None:
    if launcher_rank() > 0:
        time.sleep(HEAD_START)


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
