"""How a process joins the others that its launcher started, or finds that it is alone; and the patience of that."""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import cache
from typing import Any, NoReturn

from hpcscan.errors import UsageError, voice
from hpcscan.parallel.world import SerialWorld, World

# The first one present is trusted. Slurm's comes last: where mpirun runs inside a Slurm job, the job
# step it creates has one task per node and not one per rank.
_SIZES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS")

# SLURM_PROCID is left out for the same reason: it may number nodes.
_RANKS = ("PMI_RANK", "OMPI_COMM_WORLD_RANK", "PMIX_RANK")

# Set by Open MPI's launcher where the job shall outlive its ranks.
_FAULT_TOLERANT = "OMPI_MCA_mpi_ft_enable"

# Open MPI's parameter `async_mpi_finalize`, read from the environment when MPI starts.
_NO_BARRIER = "OMPI_MCA_async_mpi_finalize"

PR_SET_PDEATHSIG = 1  # from linux/prctl.h

#: Seconds that the start may take, unless this variable says something else.
START_LIMIT, START_LIMIT_VARIABLE = 120.0, "HPCSCAN_MPI_START_LIMIT"

# The launcher ends the job with the first process that leaves, so the one that prints gets a head start.
HEAD_START = 1.0


def launched_size() -> int:
    """Count the processes that the launcher says it started; 1 without a launcher."""
    return _first_number(_SIZES, default=1)


def launcher_rank() -> int:
    """Return which of the launched processes this one is; 0 where the launcher does not say.

    For messages that every process would print before MPI works, or because it does not. Ranks that
    talk to each other use ``World.rank``.
    """
    return _first_number(_RANKS, default=0)


def status_for_launcher(exit_code: int) -> int:
    """Return what this process should exit with, from the code on which all ranks agreed.

    Under ``mpirun --with-ft ulfm`` rank 0 speaks for all. Where several ranks exit non-zero at once, that launcher
    (of Open MPI 5.0.11) notes the end of the job once for each and frees the job as often; in one of ten jobs of 12
    ranks it then hung for ever. It exits with the code of rank 0 all the same.
    """
    return 0 if is_fault_tolerant() and launcher_rank() > 0 else exit_code


def is_fault_tolerant() -> bool:
    """Whether the launcher lets a job outlive its ranks: ``mpirun --with-ft ulfm``."""
    return _FAULT_TOLERANT in os.environ


def leave_without_barrier() -> None:
    """Keep a fault-tolerant Open MPI from waiting for all ranks at the end; before MPI starts.

    Its barrier in ``MPI_Finalize`` hangs where a rank has just died (every second job of 12 ranks, one of them killed
    as the others left). A team parts by its own goodbyes, so nobody is cut short.
    """
    if is_fault_tolerant():
        os.environ.setdefault(_NO_BARRIER, "1")


def without_signal_handlers() -> None:
    """Keep UCX, which MPICH and Open MPI may use, from hearing signals itself; before MPI starts.

    Its handler of SIGHUP is for debugging: it writes a hundred lines, and hides the signal from the program.
    """
    os.environ.setdefault("UCX_HANDLE_ERRORS", "none")
    os.environ.setdefault("UCX_DEBUG_SIGNO", "0")


def _first_number(names: tuple[str, ...], default: int) -> int:
    values = (os.environ.get(name, "") for name in names)
    return next((int(value) for value in values if value.isdecimal()), default)


def start_limit() -> float:
    """Return the seconds that the start of MPI may take; the usual ones unless the variable has a positive number."""
    with suppress(ValueError):
        seconds = float(os.environ.get(START_LIMIT_VARIABLE, ""))
        return seconds if seconds > 0 else START_LIMIT
    return START_LIMIT


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Kill this process, with a message, if the block takes longer.

    `MPI_Init` holds the interpreter's lock, so that no thread and no handler of this process would run: a child waits.
    It is forked before MPI starts, and gone before anything is computed.
    """
    waiting = os.getpid()
    child = os.fork()
    if child == 0:
        _watch(waiting, seconds)
    try:
        yield
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _watch(waiting: int, seconds: float) -> NoReturn:
    """Wait; this process ends with the other one, or with it."""
    end_with_parent()
    # Signals for the whole job are the other's affair.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    end = time.monotonic() + seconds
    while os.getppid() == waiting and time.monotonic() < end:
        time.sleep(min(1.0, max(end - time.monotonic(), 0)))
    if os.getppid() == waiting:
        text = (
            f"rank {launcher_rank()} on {platform.node()}: MPI has not started within {seconds:g} s "
            f"({START_LIMIT_VARIABLE}); has another rank failed to start? This one ends.\n"
        )
        voice.say(text)
        os.kill(waiting, signal.SIGKILL)
    os._exit(0)


def end_with_parent() -> None:
    """Ask the kernel to kill this process when its parent dies, where it can."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


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
    """Return the name and version of the MPI library."""
    return " ".join(mpi.Get_library_version().splitlines()[0].strip("\0").split())


def _let_first_process_speak() -> None:
    if launcher_rank() > 0:
        time.sleep(HEAD_START)
