"""A launcher that does not belong to the MPI library."""

from __future__ import annotations

import pytest


@pytest.mark.mpi
def test_a_launcher_that_does_not_fit(batch, site):
    """Four processes, each alone, would compute the same scan four times."""
    job = batch.submit(site, "jobs/slurm-smoke.sh", LAUNCHER="srun --mpi=none")
    assert batch.end(job) == "FAILED 2:0"
    assert "4 processes were launched, but each of them is alone" in batch.log(job)
    assert not (site / "results").exists()
