"""What the environment says about the launch."""

from __future__ import annotations

import os

import pytest

from hpcscan.parallel import launched_size, launcher_rank, status_for_launcher


@pytest.fixture(autouse=True)
def no_launcher(monkeypatch):
    for name in list(os.environ):
        if name.startswith(("PMI", "OMPI_", "SLURM_")):
            monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("environment", "size", "rank"),
    [
        ({}, 1, 0),
        ({"PMI_SIZE": "4", "PMI_RANK": "3"}, 4, 3),
        ({"OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "2", "PMIX_RANK": "2"}, 4, 2),
        ({"SLURM_STEP_NUM_TASKS": "6", "PMIX_RANK": "5", "SLURM_PROCID": "5"}, 6, 5),
        ({"SLURM_STEP_NUM_TASKS": "6", "SLURM_PROCID": "5"}, 6, 0),
        # Hydra inside Slurm: the step has a task per node
        ({"PMI_SIZE": "8", "PMI_RANK": "7", "SLURM_STEP_NUM_TASKS": "2", "SLURM_PROCID": "1"}, 8, 7),
        ({"PMI_SIZE": "1", "PMI_RANK": "0", "SLURM_STEP_NUM_TASKS": "4"}, 1, 0),
        ({"PMI_SIZE": "", "PMI_RANK": "unknown"}, 1, 0),
    ],
)
def test_size_and_rank_are_what_the_launcher_says(monkeypatch, environment, size, rank):
    """The launcher closest to the process is believed, and SLURM_PROCID never."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert launched_size() == size
    assert launcher_rank() == rank


@pytest.mark.parametrize(
    ("environment", "status"),
    [
        ({}, 75),
        ({"OMPI_COMM_WORLD_RANK": "1"}, 75),
        ({"PMI_RANK": "1"}, 75),
        ({"OMPI_MCA_mpi_ft_enable": "1", "OMPI_COMM_WORLD_RANK": "0"}, 75),
        ({"OMPI_MCA_mpi_ft_enable": "1", "OMPI_COMM_WORLD_RANK": "1"}, 0),
    ],
)
def test_rank_0_speaks_for_all_where_ranks_may_be_lost(monkeypatch, environment, status):
    """Elsewhere every rank ends with the same code."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert status_for_launcher(75) == status
    assert status_for_launcher(0) == 0
