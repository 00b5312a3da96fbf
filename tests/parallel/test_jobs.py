"""Real MPI jobs: the same results on any number of ranks, and no way to hang or to end with the wrong code."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest
from launch import find_launcher

RANKS = Path(__file__).with_name("ranks.py")
N_TASKS = 200
NO_MPI = {"MPI4PY_LIBMPI": "/nonexistent"}


def ranks_that_left(directory: Path) -> list[dict]:
    return [json.loads(path.read_text()) for path in sorted(directory.glob("rank-*.json"))]


@pytest.mark.parametrize("n_ranks", [1, 2, 4, 16])
def test_every_task_is_done_once_on_any_number_of_ranks(launch, tmp_path, n_ranks):
    """Two waves of squares, the library named, and the same exit code everywhere."""
    job = launch(n_ranks, RANKS, "squares", tmp_path)
    assert job.returncode == 1, job.stderr
    record = json.loads((tmp_path / "waves.json").read_text())
    for first, wave in zip((0, 1000), record["waves"], strict=True):
        assert sorted(result for _, result in wave) == [x * x for x in range(first, first + N_TASKS)]
        assert {rank for rank, _ in wave} <= set(range(n_ranks))
    left = ranks_that_left(tmp_path)
    # Open MPI ends the job with the first rank that returns an error, maybe before the others wrote.
    assert left
    assert all(rank["exit_code"] == 1 and rank["size"] == n_ranks for rank in left)
    name = {"mpich": "MPICH", "openmpi": "Open MPI"}[launch.mpi]
    assert all(name in rank["library"] for rank in left)
    assert record["ticks"] > 0


@pytest.mark.parametrize("launch", ["mpich"], indirect=True)
def test_64_ranks_work_on_a_small_machine(launch, tmp_path):
    """Idle ranks leave the processors to the others; rank 0 takes no tasks."""
    job = launch(64, RANKS, "squares", tmp_path)
    assert job.returncode == 1, job.stderr
    first, second = json.loads((tmp_path / "waves.json").read_text())["waves"]
    assert len(first) == len(second) == N_TASKS
    assert 0 not in {rank for rank, _ in first + second}


def test_hand_out_ends_with_the_generator(launch, tmp_path):
    """A generator that ends by the clock ends the wave; what was handed out is finished."""
    job = launch(4, RANKS, "sleeps", tmp_path)
    assert job.returncode == 0, job.stderr
    n_handed_out, n_done = json.loads((tmp_path / "counts.json").read_text())
    assert n_handed_out == n_done > 4
    assert len(ranks_that_left(tmp_path)) == 4


def test_large_results_arrive(launch, tmp_path):
    """Messages that MPI does not buffer neither deadlock nor overtake one another."""
    job = launch(3, RANKS, "large", tmp_path)
    assert job.returncode == 0, job.stderr
    sent, received = json.loads((tmp_path / "sizes.json").read_text())
    assert sent == received


def test_a_wave_left_halfway_can_be_dismissed(launch, tmp_path):
    """Rank 0 stops listening, as when the disk is full, and all leave although results are still on their way."""
    job = launch(4, RANKS, "abandoned", tmp_path)
    assert job.returncode == 74, job.stderr
    assert "dismissed" in (tmp_path / "refused.txt").read_text()


@pytest.mark.parametrize("n_ranks", [2, 12])
def test_an_exception_at_work_crosses_with_rank_host_and_traceback(launch, tmp_path, n_ranks):
    """The job ends with 70, and the message says where it happened."""
    job = launch(n_ranks, RANKS, "sixth_fails", tmp_path)
    assert job.returncode == 70, job.stderr
    assert "ZeroDivisionError" in job.stderr
    assert 'ranks.py", line' in job.stderr
    left = ranks_that_left(tmp_path)
    assert left
    assert f"on {left[0]['host']} stopped with an internal error" in job.stderr


@pytest.mark.parametrize(
    ("scenario", "message"),
    [
        ("usage", "scan.yaml:7:1: out of range"),
        ("refuse", "scan.yaml:3:5: no such model"),
        ("nothing_to_do", "scan.yaml:1:1: unknown key"),
    ],
)
def test_a_users_mistake_is_told_without_traceback(launch, tmp_path, scenario, message):
    """At work, in the preparation or before any brief: exit 2, one message, nothing else from us."""
    job = launch(4, RANKS, scenario, tmp_path)
    assert job.returncode == 2, job.stderr
    assert job.stderr.count(message) == 1
    assert "Traceback" not in job.stderr


@pytest.mark.parametrize(
    ("scenario", "message"),
    [
        ("unpicklable_result", "pickle"),
        ("plugin_exits", "SystemExit"),
        ("lead_breaks", "in the lead"),
    ],
)
def test_the_unforeseen_ends_the_job_with_70(launch, tmp_path, scenario, message):
    """Whatever breaks on whichever rank: a traceback, exit 70, no hang."""
    job = launch(4, RANKS, scenario, tmp_path, timeout=30)
    assert job.returncode == 70, job.stderr
    assert message in job.stderr
    assert "Traceback" in job.stderr


def test_an_interrupt_ends_the_job_with_130(launch, tmp_path):
    """No traceback, and nobody is left behind."""
    job = launch(3, RANKS, "interrupted", tmp_path, timeout=30)
    assert job.returncode == 130, job.stderr
    assert "Traceback" not in job.stderr


def test_a_killed_rank_ends_the_job(launch, tmp_path):
    """The launcher chooses the code, but it is not success and does not hang."""
    job = launch(12, RANKS, "killed", tmp_path, timeout=30)
    assert job.returncode != 0


def test_no_tasks_is_a_job_too(launch, tmp_path):
    """An empty wave ends at once."""
    assert launch(3, RANKS, "no_tasks", tmp_path).returncode == 0
    assert len(ranks_that_left(tmp_path)) == 3


@pytest.mark.parametrize(
    ("scenario", "exit_code", "message"),
    [
        ("squares", 1, ""),
        ("no_tasks", 0, ""),
        ("sixth_fails", 70, "rank 0 on"),
        ("usage", 2, "scan.yaml:7:1: out of range"),
        ("nothing_to_do", 2, "unknown key"),
        ("lead_breaks", 70, "in the lead"),
        ("interrupted", 130, ""),
    ],
)
def test_one_rank_needs_neither_launcher_nor_mpi(alone, tmp_path, scenario, exit_code, message):
    """The same program, messages and exit codes without mpirun, and with no MPI library at all."""
    for library, env in (("loaded", {}), ("none", NO_MPI)):
        (tmp_path / library).mkdir()
        job = alone(RANKS, scenario, tmp_path / library, env=env)
        assert job.returncode == exit_code, job.stderr
        assert message in job.stderr
        left = ranks_that_left(tmp_path / library)
        assert len(left) == (scenario not in {"lead_breaks", "interrupted"})
        assert all((rank["library"] == "none") == (library == "none") for rank in left)


def test_launched_without_an_mpi_library_is_an_error_with_remedy(alone, tmp_path):
    """Several processes were wanted, and none of them could have known of the others."""
    job = alone(RANKS, "squares", tmp_path, env=NO_MPI | {"PMI_SIZE": "4", "PMI_RANK": "0"})
    assert job.returncode == 2
    assert "4 processes were launched" in job.stderr
    assert "pip install mpi4py mpich" in job.stderr
    assert job.stderr.count("\n") == 1


@pytest.mark.parametrize("variable", ["PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS"])
def test_a_launcher_that_does_not_match_is_an_error_with_remedy(alone, tmp_path, variable):
    """N silent worlds of one rank would each do the whole scan."""
    job = alone(RANKS, "squares", tmp_path, env={variable: "4"})
    assert job.returncode == 2, job.stderr
    assert "4 processes were launched, but each of them is alone" in job.stderr
    assert "mpirun" in job.stderr
    assert not list(tmp_path.iterdir())


def test_only_one_process_of_a_mismatched_launch_speaks(alone, tmp_path):
    """The others wait a moment, so that the launcher does not end the job before the message is out."""
    start = time.monotonic()
    job = alone(RANKS, "squares", tmp_path, env=NO_MPI | {"PMI_SIZE": "4", "PMI_RANK": "3"})
    assert job.returncode == 2
    assert job.stderr == ""
    assert time.monotonic() - start > 1.0


@pytest.mark.parametrize("launch", ["openmpi"], indirect=True)
def test_hydra_with_open_mpi_is_told_once(launch, tmp_path):
    """The wrong mpirun of two installed ones, for real."""
    mismatched = replace(launch, mpirun=find_launcher("mpich").mpirun)
    job = mismatched(3, RANKS, "squares", tmp_path)
    assert job.returncode == 2, job.stderr
    assert job.stderr.count("3 processes were launched, but each of them is alone") == 1
    assert not list(tmp_path.iterdir())


def test_importing_the_package_loads_no_mpi(alone):
    """The command line starts without MPI."""
    code = "import sys, hpcscan.parallel; sys.exit(any(name.startswith('mpi4py') for name in sys.modules))"
    assert alone("-c", code).returncode == 0
