"""How a process joins the others that its launcher started, or finds that it is alone."""

from __future__ import annotations

import sys
import time
import warnings
from contextlib import nullcontext
from functools import cache
from typing import Any

from hpcscan.errors import UsageError
from hpcscan.parallel.launcher import launched_size, launcher_rank, leave_without_barrier, without_signal_handlers
from hpcscan.parallel.start import within
from hpcscan.parallel.world import SerialWorld, World

# The launcher ends the job with the first process that leaves, so the one that prints gets a head start.
HEAD_START = 1.0


def connect(start_limit: float | None = None) -> World:
    """Join the other ranks that the launcher started, or be alone.

    Parameters
    ----------
    start_limit : float, optional
        Seconds after which a process that still waits for the others kills itself; for programs of our own, in which
        nothing else has begun.

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
        with nullcontext() if launched == 1 or start_limit is None else within(start_limit):
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


def disconnect() -> None:
    """Leave MPI, if this process is in it: the last that it does with other ranks."""
    if "mpi4py.MPI" in sys.modules:
        from mpi4py import MPI  # noqa: PLC0415

        if MPI.Is_initialized() and not MPI.Is_finalized():
            MPI.Finalize()


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


def _load_mpi() -> World:
    leave_without_barrier()
    without_signal_handlers()
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
