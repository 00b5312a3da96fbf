"""kill -9 of a whole job, again and again: what was finished is kept, and the file is that of a run in one go."""

from __future__ import annotations

import random

import pytest
from commands.results import different_variables, read

from output.conftest import EXIT, N_POINTS, SLOWLY, n_known
from output.jobs import running


def kill_and_resume(folder, launcher, dice, n_kills):
    """Kill a job n times, each after some more points; give what is known after each kill."""
    known = [0]
    for _ in range(n_kills):
        wanted = min(known[-1] + dice.randint(1, 6), N_POINTS - 1)
        command = ("scan.yaml", "--resume")
        with running(*command, ranks=dice.randint(1, 4), launcher=launcher, cwd=folder, env=SLOWLY) as job:
            assert job.wait_until(lambda n=wanted: n_known(folder) >= n)
            job.kill()
        known.append(n_known(folder))
    return known


def check_the_end(folder, hpcscan, launcher, uninterrupted, ranks):
    code, text = hpcscan("scan.yaml", "--resume", ranks=ranks, launcher=launcher)
    assert code == EXIT, text
    result = read(folder / "out.nc")
    assert different_variables(uninterrupted, result) == []
    assert result.about["hpcscan_complete"] == 1
    return result


def test_a_journal_that_somebody_removes(own_mpi, folder, hpcscan, uninterrupted):
    """It is there again within a second, with all that was in it; then the job is killed, and goes on from there."""
    path = folder / "out.nc.journal"
    with running("scan.yaml", ranks=2, launcher=own_mpi, cwd=folder, env={"SLOW_SECONDS": "0.01"}) as job:
        assert job.wait_until(lambda: n_known(folder) >= 4)
        path.unlink()
        assert job.wait_until(lambda: n_known(folder) >= 6)
        job.kill()
    assert (
        "out.nc.journal was removed while this run was writing it; it is written again"
        in (folder / "out.log").read_text()
    )
    check_the_end(folder, hpcscan, own_mpi, uninterrupted, 1)


def test_killed_jobs(own_mpi, folder, hpcscan, uninterrupted):
    """Nothing that was in the journal is computed again; nothing is left lying about."""
    known = kill_and_resume(folder, own_mpi, random.Random(4), 3)
    assert known == sorted(known)
    assert 0 < known[-1] < N_POINTS
    result = check_the_end(folder, hpcscan, own_mpi, uninterrupted, ranks=3)
    assert result.about["history"].count("--resume") == 4
    assert sorted(path.name for path in folder.iterdir()) == ["out.log", "out.nc", "scan.yaml"]


@pytest.mark.parametrize("launch", ["openmpi"], indirect=True)
def test_killed_jobs_of_the_other_mpi(launch, folder, hpcscan, uninterrupted):
    kill_and_resume(folder, launch, random.Random(5), 1)
    check_the_end(folder, hpcscan, launch, uninterrupted, ranks=2)


def test_a_kill_during_repair(folder, hpcscan, uninterrupted):
    """All points are known; their repair begins anew."""
    with running("scan.yaml", cwd=folder, env=SLOWLY) as job:
        assert job.wait_until(lambda: "repair, wave 1" in log(folder))
        job.kill()
    assert n_known(folder) == N_POINTS
    assert not (folder / "out.nc").exists()
    check_the_end(folder, hpcscan, None, uninterrupted, ranks=1)


def log(folder):
    return (folder / "out.log").read_text() if (folder / "out.log").exists() else ""


@pytest.mark.parametrize("damage", ["flipped", "cut", "header"])
def test_a_journal_that_is_damaged_too(folder, hpcscan, uninterrupted, damage):
    """It is said what is lost; the rest is kept, and the result is the same."""
    with running("scan.yaml", cwd=folder, env=SLOWLY) as job:
        assert job.wait_until(lambda: n_known(folder) >= 5)
        job.kill()
    path = folder / "out.nc.journal"
    data = bytearray(path.read_bytes())
    if damage == "flipped":
        data[-50] ^= 4
    elif damage == "cut":
        del data[-50:]
    else:
        data[:] = data.replace(b"hpcscan journal", b"hpcscam journal")
    path.write_bytes(data)
    code, text = hpcscan("scan.yaml", "--resume")
    assert code == EXIT, text
    words = {"flipped": "are damaged", "cut": "the last record was cut off", "header": "its header is damaged"}
    assert words[damage] in text
    assert ("continuing: " in text) == (damage != "header")
    assert (folder / "out.nc.journal.damaged").exists() == (damage == "header")
    assert different_variables(uninterrupted, read(folder / "out.nc")) == []
