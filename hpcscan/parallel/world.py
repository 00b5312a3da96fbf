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
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from hpcscan.errors import UsageError
from hpcscan.parallel.launcher import launched_size, launcher_rank, leave_without_barrier

if TYPE_CHECKING:
    from hpcscan.parallel.mpi import MpiWorld

# The launcher ends the job with the first process that leaves, so the one that prints gets a head start.
HEAD_START = 1.0


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
        """Name the ranks that are known to have died."""

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
        """Name nobody."""
        return frozenset()

    def replace(self, rank: int) -> bool:
        """Refuse: there is nobody to replace."""
        return False

    def leave(self) -> None:
        """Return at once."""
        sys.stdout.flush()
        sys.stderr.flush()

    def abort(self, exit_code: int) -> NoReturn:
        """Leave the program."""
        raise Aborted(exit_code)


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


def join() -> World:
    """Join the other ranks of somebody else's MPI program, or be alone; called by all of them together.

    MPI is loaded only where the program has done so already, or a launcher started several processes.
    """
    if launched_size() == 1 and "mpi4py.MPI" not in sys.modules:
        return SerialWorld()
    return _duplicated()


@cache
def _duplicated() -> World:
    """Make a communicator that nobody else uses, once for the life of a program."""
    from mpi4py import MPI  # noqa: PLC0415 - the package must import without MPI

    from hpcscan.parallel.mpi import MpiWorld  # noqa: PLC0415

    return SerialWorld() if MPI.COMM_WORLD.size == 1 else MpiWorld(MPI.COMM_WORLD.Dup(), _library(MPI))


def _load_mpi() -> MpiWorld:
    leave_without_barrier()
    with warnings.catch_warnings():
        # The wrong launcher: `connect` says so with a remedy, and once instead of once per process.
        warnings.filterwarnings("ignore", message="suspicious MPI execution environment")
        from mpi4py import MPI  # noqa: PLC0415 - the package must import without MPI

        from hpcscan.parallel.mpi import MpiWorld  # noqa: PLC0415
    return MpiWorld(MPI.COMM_WORLD, _library(MPI))


def _library(mpi: Any) -> str:
    """Name the MPI library and its version."""
    return " ".join(mpi.Get_library_version().splitlines()[0].strip("\0").split())


def _let_first_process_speak() -> None:
    if launcher_rank() > 0:
        time.sleep(HEAD_START)
