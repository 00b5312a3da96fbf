"""Ranks that die, hang or are asked to stop: real jobs."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from hpcscan.parallel.handout import MOST_TASKS_HELD

RANKS = Path(__file__).with_name("ranks.py")
N_TASKS = 200
FAULT_TOLERANT = ("--with-ft", "ulfm")


@pytest.mark.parametrize("launch", ["openmpi"], indirect=True)
@pytest.mark.parametrize("n_ranks", [4, 12])
def test_the_run_continues_when_a_rank_dies(launch, tmp_path, n_ranks):
    """With fault tolerance every task is done all the same, once, and the next wave too; with 12 rank 0 only leads."""
    job = replace(launch, options=FAULT_TOLERANT)(n_ranks, RANKS, "dies_once", tmp_path)
    assert job.returncode == 1, job.stderr
    assert (tmp_path / "died").exists()
    assert json.loads((tmp_path / "waves.json").read_text()) == [list(range(N_TASKS))] * 2, job.stderr
    assert "rank 2 has died; tasks to do again: " in job.stderr


@pytest.mark.parametrize("launch", ["openmpi"], indirect=True)
def test_the_job_ends_when_a_rank_dies_as_the_others_leave(launch, tmp_path):
    """With the code of the run, which those that live agreed on."""
    job = replace(launch, options=FAULT_TOLERANT)(12, RANKS, "dies_last", tmp_path)
    assert job.returncode == 1, job.stderr
    agreed = [json.loads(file.read_text())["exit_code"] for file in tmp_path.glob("rank-*.json")]
    assert agreed == [1] * 11


@pytest.mark.parametrize("launch", ["openmpi"], indirect=True)
def test_a_task_that_kills_its_rank_is_not_handed_out_for_ever(launch, tmp_path):
    """The job ends with an error when it has cost a few."""
    job = replace(launch, options=FAULT_TOLERANT)(12, RANKS, "sixth_kills", tmp_path)
    assert job.returncode == 70, job.stderr
    assert "3 ranks died one after another at the same task" in job.stderr


@pytest.mark.parametrize("n_ranks", [1, 4])
def test_the_run_continues_when_a_rank_hangs_in_c(launch, tmp_path, n_ranks):
    """What it had promised is rescued, the others go on; a rank that is alone starts a helper, and another."""
    job = launch(n_ranks, RANKS, "hangs", tmp_path)
    assert job.returncode == 1, job.stderr
    first, second = json.loads((tmp_path / "waves.json").read_text())
    assert first == [-3, 1, 2, 5, 6, 7, 8, 9, 10]
    assert second == [11, 12]
    assert job.stderr.count("hangs in a call that cannot be interrupted") == 1
    assert ("the helper process hangs" in job.stderr) is (n_ranks == 1)


@pytest.mark.parametrize("n_ranks", [1, 4, 12])
def test_after_a_request_nothing_new_is_begun(launch, tmp_path, n_ranks):
    """Nothing is handed out, what runs is finished, what waits is given back, and workers ignore the signal.

    A worker that got no processor yet gives back both tasks that it holds.
    """
    job = launch(n_ranks, RANKS, "stopped", tmp_path)
    assert job.returncode == 75, job.stderr
    n_taken_before, n_taken, n_done, n_done_later = json.loads((tmp_path / "counts.json").read_text())
    assert n_taken == n_taken_before
    assert 20 <= n_done <= n_taken <= n_done + MOST_TASKS_HELD * (n_ranks - 1)
    assert n_done_later == 0
    assert job.stderr.count("stopping: signal SIGUSR1") == 1


@pytest.mark.parametrize(
    ("launch", "number"),
    [
        ("mpich", signal.SIGUSR1),
        ("mpich", signal.SIGTERM),
        ("mpich", signal.SIGINT),
        ("openmpi", signal.SIGUSR1),
    ],
    indirect=["launch"],
)
def test_a_signal_to_the_launcher_stops_the_job(launch, tmp_path, number):
    """Exit code 75, from what the launcher forwards."""
    command = launch.command(3, RANKS, "signalled", tmp_path)
    with subprocess.Popen(command, env=launch.environment({}), stderr=subprocess.PIPE, text=True) as job:
        await_file(tmp_path / "running")
        job.send_signal(number)
        _, errors = job.communicate(timeout=60)
    assert job.returncode == 75, errors
    assert f"stopping: signal {number.name}" in errors
    assert json.loads((tmp_path / "counts.json").read_text()) >= 0


@pytest.mark.parametrize("n_ranks", [1, 3])
def test_the_job_ends_with_the_grace_period(launch, tmp_path, n_ranks):
    """Tasks that take longer are given up, also that of rank 0, and the lead still has its say."""
    job = launch(n_ranks, RANKS, "too_slow_to_stop", tmp_path, timeout=50)
    assert job.returncode == 75, job.stderr
    assert json.loads((tmp_path / "counts.json").read_text()) == 0


def test_memory_of_the_ranks_stays_flat(launch, tmp_path):
    """After thousands of messages of 20 kB no rank holds a thousandth more of them."""
    job = launch(3, RANKS, "footprint", tmp_path)
    assert job.returncode == 0, job.stderr
    early, late = json.loads((tmp_path / "kilobytes.json").read_text())
    assert late - early < 4000


def await_file(path: Path) -> None:
    end = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < end
        time.sleep(0.02)
