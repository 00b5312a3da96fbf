"""The jobs that the README names; the chain goes on as long as each scan can be trusted, whatever its physics."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from commands.results import read
from launch import environment
from readme.page import blocks

from slurm.batch import Batch

STEPS = ("sanity", "modest", "full")


def readmes_lines(word: str) -> list[str]:
    """Find the commands for a site that have this word."""
    return [line for block in blocks("sh site") for line in block.text.splitlines() if word in line]


def submit_chain(batch: Batch, site: Path, *options: str) -> list[int]:
    """Submit the shipped chain: the numbers of its jobs."""
    (command,) = readmes_lines("chain")
    lines = batch.run(site, *command.split(), *options).splitlines()
    assert [line.partition(":")[0] for line in lines] == list(STEPS)
    return [int(line.split()[-1]) for line in lines]


def test_the_readmes_jobs(batch, site):
    """As they stand, on 4 and on 16 ranks."""
    commands = readmes_lines("sbatch")
    assert len(commands) == 2
    answers = batch.run(site, "bash", "-euc", "\n".join(commands)).splitlines()
    jobs = [int(answer.removeprefix("Submitted batch job ")) for answer in answers]
    assert [batch.end(job) for job in jobs] == ["COMPLETED 0:0"] * 2, "".join(map(batch.log, jobs))
    assert results(site) == ["full", f"smoke-{jobs[0]}"]
    assert read(site / "results" / "full.nc").about["hpcscan_ranks"] == 16


def results(site: Path) -> list[str]:
    return sorted(path.stem for path in (site / "results").glob("*.nc"))


def test_all_is_well(batch, site):
    """One after the other, although the physical criteria fail: that is a result."""
    jobs = submit_chain(batch, site)
    assert [batch.end(job) for job in jobs] == ["COMPLETED 0:0"] * 3, "".join(map(batch.log, jobs))
    assert results(site) == sorted(STEPS)
    times = [batch.facts(job) for job in jobs]
    assert all(before["EndTime"] <= after["StartTime"] for before, after in pairwise(times))
    assert [path.name for path in sorted(site.glob("*.log"))] == sorted(
        f"hpcscan-{step}-{job}.log" for step, job in zip(STEPS, jobs, strict=True)
    )
    check = [sys.executable, "-m", "hpcscan", "check", "results/sanity.nc", "--only", "physical"]
    assert subprocess.run(check, cwd=site, env=environment({}), capture_output=True, check=False).returncode == 1


@pytest.mark.parametrize(
    ("change", "end", "message"),
    [
        (("points: 3", "pionts: 3"), "FAILED 2:0", "did you mean scan.beta.points?"),
        (("model: {name: leptons}", "model: {name: leptons}\nfit: {max_iter: 1}"), "FAILED 1:0", "gate: closed"),
    ],
    ids=["scan", "gate"],
)
def test_a_step_that_fails_is_the_last(batch, site, change, end, message):
    """A scan that cannot begin, or one that is complete and did not converge: what comes after it is not run."""
    config = site / "configs" / "sanity.yaml"
    config.write_text(config.read_text().replace(*change))
    first, *others = submit_chain(batch, site, "--ntasks=2")
    assert batch.end(first) == end, batch.log(first)
    assert message in batch.log(first)
    assert [batch.end(job) for job in others] == ["CANCELLED 0:0"] * 2
    assert results(site) == (["sanity"] if end == "FAILED 1:0" else [])
