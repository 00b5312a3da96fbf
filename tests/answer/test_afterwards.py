"""The answer of a finished grid, fitted afterwards: the same bytes as if the run had fitted it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands.conftest import start
from commands.results import different_variables, read

import hpcscan

PLUGIN = Path(__file__).parents[2] / "configs" / "plugins" / "pendulum.py"
CONFIG = """\
scan:
  gravity: {min: 9.7, max: 10.0, points: 4}
  length: {min: 0.995, max: 1.01, points: 3}
model: {plugin: pendulum.py}
fit: {starts: 4}
answer: {fitted: FITTED, contours: false}
output: OUTPUT
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """With a scan that has its answer, and one that has not."""
    folder = tmp_path_factory.mktemp("afterwards")
    folder.joinpath("pendulum.py").write_text(PLUGIN.read_text())
    for name, fitted in (("with", "true"), ("without", "false")):
        folder.joinpath(f"{name}.yaml").write_text(CONFIG.replace("FITTED", fitted).replace("OUTPUT", f"{name}.nc"))
        assert start(("-m", "hpcscan", f"{name}.yaml"), 1, None, cwd=folder).returncode == 0
    return folder


def answer(folder, *options):
    return start(("-m", "hpcscan", "answer", "without.nc", *options), 1, None, cwd=folder)


def test_it_is_the_answer_of_the_run(folder):
    before = (folder / "without.nc").read_bytes()
    job = answer(folder, "--config", "with.yaml", "--set", "fit.seed=43")
    assert (job.returncode, (folder / "without.nc").read_bytes()) == (2, before)
    assert "fit.seed: 42 before, 43 now" in job.stderr
    assert "best_fit_chi2" not in read(folder / "without.nc").values

    job = answer(folder, "--config", "with.yaml")
    assert job.returncode == 0, job.stderr
    assert "1. The best fit has chi2 = 2.00" in job.stdout
    one, other = read(folder / "with.nc"), read(folder / "without.nc")
    assert different_variables(one, other) == []
    assert other.about["history"].splitlines()[1].endswith("hpcscan answer")


def test_a_file_with_another_answer_gets_this_one(folder):
    """And 1σ to 3σ, which the verdict quotes; the run that asked for it finds nothing left to do."""
    job = answer(folder, "--config", "with.yaml", "--set", "answer.cl=[0.9]")
    assert job.returncode == 0, job.stderr
    found = read(folder / "without.nc").values
    assert set(found["interval_cl"].tolist()) == {0.6827, 0.9, 0.9545, 0.9973}
    quoted = [hpcscan.open(folder / name).verdict().sentences[0] for name in ("with.nc", "without.nc")]
    assert quoted[0] == quoted[1]
    again = start(
        ("-m", "hpcscan", "with.yaml", "--set", "answer.cl=[0.9]", "-o", "without.nc", "--resume"), 1, None, cwd=folder
    )
    assert (again.returncode, "already complete" in again.stderr) == (0, True)


def test_a_check_as_json_has_the_numbers_of_the_file(folder):
    job = start(("-m", "hpcscan", "check", "with.nc", "--json"), 1, None, cwd=folder)
    facts, found = json.loads(job.stdout), read(folder / "with.nc").values
    assert job.returncode == (0 if facts["gate_is_open"] else 1)
    assert facts["best_fit"]["chi2"] == found["best_fit_chi2"]
    assert [region["upper"] for region in facts["intervals"]] == found["interval_upper"].tolist()
    assert {"best fit": True, "regions seen by the grid": True}.items() <= {
        criterion["name"]: criterion["holds"] for criterion in facts["criteria"]
    }.items()
