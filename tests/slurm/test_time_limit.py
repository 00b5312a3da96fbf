"""A job that meets its limit ends its scan in further attempts, with the result of a scan in one go."""

from __future__ import annotations

from commands.results import different_variables, read
from output.conftest import N_POINTS


def test_a_job_that_meets_its_limit(batch, limited, uninterrupted):
    """Slurm gives the signal by itself; one log for all attempts, and a job that depends on it waits for the last."""
    folder, job, waiting = limited
    assert batch.end(job) == "COMPLETED 0:0", batch.log(job)
    log = batch.log(job)
    n = batch.attempts(job)
    assert n > 1
    assert log.count("stopped early: signal SIGUSR1") == log.count("requeued, to go on in attempt") == n - 1
    assert log.count("continuing: ") == n - 1
    assert "TIME LIMIT" not in log
    assert log.rstrip().endswith("gate: open, all 2 criteria hold (numerical criteria alone)")
    assert batch.end(waiting) == "COMPLETED 0:0"
    result = read(folder / "results" / "slow.nc")
    assert different_variables(uninterrupted, result) == []
    assert result.about["hpcscan_complete"] == 1
    assert result["status"].size == N_POINTS
