"""What mpirun or srun says about this process, read from the environment, before and without MPI."""

from __future__ import annotations

import os

# The first one present is trusted. Slurm's comes last: where mpirun runs inside a Slurm job, the job
# step it creates has one task per node and not one per rank.
_SIZES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS")

# SLURM_PROCID is left out for the same reason: it may number nodes.
_RANKS = ("PMI_RANK", "OMPI_COMM_WORLD_RANK", "PMIX_RANK")

# Set by Open MPI's launcher where the job shall outlive its ranks.
_FAULT_TOLERANT = "OMPI_MCA_mpi_ft_enable"

# Open MPI's parameter `async_mpi_finalize`, read from the environment when MPI starts.
_NO_BARRIER = "OMPI_MCA_async_mpi_finalize"


def launched_size() -> int:
    """Count the processes that the launcher says it started; 1 without a launcher."""
    return _first_number(_SIZES, default=1)


def launcher_rank() -> int:
    """Tell which of the launched processes this one is; 0 where the launcher does not say.

    For messages that every process would print before MPI works, or because it does not. Ranks that
    talk to each other use ``World.rank``.
    """
    return _first_number(_RANKS, default=0)


def status_for_launcher(exit_code: int) -> int:
    """Give what this process should exit with, from the code on which all ranks agreed.

    Under ``mpirun --with-ft ulfm`` rank 0 speaks for all. Where several ranks exit non-zero at once, that launcher
    (of Open MPI 5.0.11) notes the end of the job once for each and frees the job as often; in one of ten jobs of 12
    ranks it then hung for ever. It exits with the code of rank 0 all the same.
    """
    return 0 if is_fault_tolerant() and launcher_rank() > 0 else exit_code


def is_fault_tolerant() -> bool:
    """Tell whether the launcher lets a job outlive its ranks: ``mpirun --with-ft ulfm``."""
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
