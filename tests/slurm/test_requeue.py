"""A job that is stopped is started again, as long as that helps."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from commands.results import different_variables, read
from launch import find_launcher
from output.conftest import N_POINTS

from hpcscan.output.journal_reading import read_journal
from slurm.batch import Batch
from slurm.conftest import make_site

SCRIPT = ("jobs/slurm-full.sh", "configs/slow.yaml")
LAUNCHERS = (("mpich", "mpirun"), ("mpich", "srun --mpi=pmi2"), ("openmpi", "mpirun"))


def counts(log: str) -> list[tuple[int, ...]]:
    """The points that were finished after and before each attempt, as the job says it."""
    lines = re.findall(r"^attempt \d+ of at most \d+: (\d+) fits of .* are finished, (\d+) were before it$", log, re.M)
    return [tuple(map(int, line)) for line in lines]


@dataclass(frozen=True)
class Signalled:
    """A job that was signalled and has begun its second attempt, and the points that it had before it."""

    site: Path
    job: int
    n_points: int


@pytest.fixture(scope="module")
def signalled(batch: Batch, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Signalled]:
    """A job on three ranks and two nodes for each launcher that there is; all at once, to save time."""
    jobs = {}
    for mpi, launcher in LAUNCHERS:
        with suppress(pytest.skip.Exception):
            site = make_site(tmp_path_factory.mktemp("signalled"), find_launcher(mpi).python)
            variables = {"LAUNCHER": launcher, "SLOW_SECONDS": "0.1"}
            jobs[mpi, launcher] = site, batch.submit(site, "--nodes=2", "--ntasks=3", *SCRIPT, **variables)
    for site, job in jobs.values():
        batch.wait(lambda site=site: finished(site) >= 3, job)
        batch.signal(job)
    for _, job in jobs.values():
        batch.wait(lambda job=job: batch.is_requeued(job), job)
    counted = {key: Signalled(site, job, finished(site)) for key, (site, job) in jobs.items()}
    for _, job in jobs.values():
        batch.start(job)
    return counted


@pytest.mark.mpi
@pytest.mark.parametrize(("mpi", "launcher"), LAUNCHERS)
def test_a_signal(batch, signalled, uninterrupted, mpi, launcher):
    """It reaches the ranks on two nodes, through either MPI's launcher and Slurm's; no point is lost or done twice."""
    find_launcher(mpi)
    one = signalled[mpi, launcher]
    assert batch.end(one.job) == "COMPLETED 0:0", batch.log(one.job)
    assert 3 <= one.n_points < N_POINTS
    log = batch.log(one.job)
    assert counts(log) == [(one.n_points, 0)]
    assert f"continuing: {one.n_points} points known, {N_POINTS - one.n_points} to do" in log
    assert log.count("28 points, 4 starts each, on 3 ranks") == batch.attempts(one.job) == 2
    assert different_variables(uninterrupted, read(one.site / "results" / "slow.nc")) == []


def finished(site: Path) -> int:
    """Number of points in the journal of a job."""
    path = site / "results" / "slow.nc.journal"
    return sum(record.n_points for record in read_journal(path).records) if path.exists() else 0


def test_an_attempt_in_vain_is_the_last(batch, site):
    """Its time is over before it has finished a point; the job fails, and says why."""
    config = site / "configs" / "slow.yaml"
    config.write_text(config.read_text().replace("run: {chunk: 1}", "run: {chunk: 1, max_time: 1e-3}"))
    job = batch.submit(site, "--ntasks=1", *SCRIPT)
    assert batch.end(job) == "FAILED 75:0", batch.log(job)
    assert counts(batch.log(job)) == [(0, 0)]
    assert batch.log(job).splitlines()[-1].startswith("not requeued, because no fit was finished: submit it again")
    assert batch.attempts(job) == 1


def test_the_number_of_attempts_is_bounded(batch, site):
    """What they have finished is kept."""
    with (site / "activate").open("a") as file:
        file.write("export SLOW_SECONDS=0.05\n")
    job = batch.submit(site, "--ntasks=1", *SCRIPT, ATTEMPTS="2")
    batch.wait(lambda: finished(site) >= 1, job)
    batch.signal(job)
    batch.wait(lambda: batch.is_requeued(job), job)
    n = finished(site)
    batch.start(job)
    batch.wait(lambda: finished(site) > n, job)
    batch.signal(job)
    assert batch.end(job) == "FAILED 75:0", batch.log(job)
    assert counts(batch.log(job)) == [(n, 0), (finished(site), n)]
    assert batch.log(job).splitlines()[-1].startswith("not requeued, because it was the last attempt: submit it again")
    assert batch.attempts(job) == 2


def test_a_signal_before_the_scan(batch, site):
    """Nothing was begun, and nothing is started again."""
    (site / "activate").write_text("echo slow; sleep 2\n")
    job = batch.submit(site, "--ntasks=1", *SCRIPT)
    batch.wait(lambda: batch.log(job) == "slow\n", job)
    batch.signal(job)
    assert batch.end(job) == "FAILED 75:0"
    assert batch.log(job).splitlines()[1:] == ["stopped before the scan began: submit it again with a longer --time"]
    assert batch.attempts(job) == 1


def test_a_cancelled_job_stays_so(batch, site):
    """The ranks leave with 75 there, too."""
    job = batch.submit(site, "--ntasks=2", *SCRIPT, SLOW_SECONDS="0.05")
    batch.wait(lambda: finished(site) >= 1, job)
    batch.run(site, "scancel", str(job))
    assert batch.end(job).startswith("CANCELLED")
    assert batch.attempts(job) == 1
    assert "requeued" not in batch.log(job)
