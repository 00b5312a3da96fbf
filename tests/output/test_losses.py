"""Ranks that die while the launcher lets the others live."""

from __future__ import annotations

import os
import signal
from dataclasses import replace

import pytest
from commands.results import different_variables, read

from output.conftest import EXIT, FAULT_TOLERANT, N_POINTS, SLOWLY, n_known
from output.jobs import running


def run_and_kill(launch, folder, rank):
    """A scan on four ranks, one of which is killed after some points: exit code and output."""
    launcher = replace(launch, options=FAULT_TOLERANT)
    with running("scan.yaml", ranks=4, launcher=launcher, cwd=folder, env=SLOWLY) as job:
        assert job.wait_until(lambda: n_known(folder) >= 5)
        os.kill(job.process_of(rank), signal.SIGKILL)
        return job.end()


@pytest.mark.parametrize("launch", ["openmpi"], indirect=True)
def test_a_scan_goes_on_without_a_worker(launch, folder, uninterrupted):
    """The log says so; the file is complete and has the same bits, and the exit code is that of the scan."""
    code, text = run_and_kill(launch, folder, rank=2)
    assert code == EXIT, text
    assert "rank 2 has died; tasks to do again: " in (folder / "out.log").read_text()
    result = read(folder / "out.nc")
    assert different_variables(uninterrupted, result) == []
    assert result.about["hpcscan_complete"] == 1


@pytest.mark.parametrize("launch", ["openmpi"], indirect=True)
def test_a_scan_ends_without_rank_0(launch, folder, hpcscan, uninterrupted):
    """Soon and with an error; what was journalled is kept."""
    code, text = run_and_kill(launch, folder, rank=0)
    assert code != 0, text
    assert 5 <= n_known(folder) < N_POINTS
    assert not (folder / "out.nc").exists()
    code, text = hpcscan("scan.yaml", "--resume")
    assert code == EXIT, text
    assert different_variables(uninterrupted, read(folder / "out.nc")) == []
