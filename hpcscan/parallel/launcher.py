"""What mpirun or srun says about this process, read from the environment, before and without MPI."""

from __future__ import annotations

import os

# The first one present is trusted. Slurm's comes last: where mpirun runs inside a Slurm job, the job
# step it creates has one task per node and not one per rank.
_SIZES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS")

# SLURM_PROCID is left out for the same reason: it may number nodes.
_RANKS = ("PMI_RANK", "OMPI_COMM_WORLD_RANK", "PMIX_RANK")


def launched_size() -> int:
    """Count the processes that the launcher says it started; 1 without a launcher."""
    return _first_number(_SIZES, default=1)


def launcher_rank() -> int:
    """Tell which of the launched processes this one is; 0 where the launcher does not say.

    For messages that every process would print before MPI works, or because it does not. Ranks that
    talk to each other use ``World.rank``.
    """
    return _first_number(_RANKS, default=0)


def _first_number(names: tuple[str, ...], default: int) -> int:
    values = (os.environ.get(name, "") for name in names)
    return next((int(value) for value in values if value.isdecimal()), default)
