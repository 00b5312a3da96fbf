"""Toys have the same bytes for any number of ranks, and where a job was killed while they were made."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from commands.results import different_variables, read
from output.jobs import running
from output.phases import check_killed_and_resumed, check_ranks, folder_with, run_alone

from hpcscan.commands.status import status

CONFIG = """\
scan:
  signal: {min: 0.0, max: 14.0, points: 6}
model: {plugin: counting.py}
fit: {starts: 16}
answer: false
toys: {n: 400, cl: [0.9], coverage: {signal: [2.0]}, experiments: 30}
output: out.nc
"""
PLUGIN = """\
import numpy as np
from hpcscan.model import Model, Parameter, Poisson


class Counting(Model):
    parameters = (
        Parameter("signal", 0.0, np.inf, start=(0.0, 15.0)),
        Parameter("background", 0.0, np.inf, start=(0.0, 10.0)),
        Parameter("efficiency", 0.3, 1.7, constraint=(1.0, 0.1)),
    )
    data = (Poisson("n", 5), Poisson("aside", 9))

    def predict(self, signal, background, efficiency):
        return {"n": efficiency * signal + background, "aside": 3 * background}
"""
#: A call takes so long that toys can be interrupted.
SLOW = "        import time; time.sleep(0.001)\n        return"


def folder_of(path: Path, *, is_slow: bool = False) -> Path:
    text = PLUGIN.replace("        return", SLOW) if is_slow else PLUGIN
    return folder_with(path, CONFIG, {"counting.py": text})


@pytest.fixture(scope="module")
def alone_folder(tmp_path_factory):
    return run_alone(folder_of(tmp_path_factory.mktemp("alone") / "scan"))


@pytest.fixture(scope="module")
def alone(alone_folder):
    return read(alone_folder / "out.nc")


def n_made(folder: Path) -> tuple[int, int]:
    """Toys that the last session has made and those of earlier ones, as its log says."""
    pattern = r"toys: ([\d,]+) made in [^,\n]+(?:, ([\d,]+) taken from the journal)?"
    made, taken = re.findall(pattern, (folder / "out.log").read_text())[-1]
    return int(made.replace(",", "")), int(taken.replace(",", "") or 0)


def test_log_and_file_count_the_same_toys(alone_folder, alone):
    """Those at points, at the best fit, at ends of intervals and in experiments are all that were made."""
    made = dict(zip(alone["toy_use_name"].tolist(), alone["n_toys_made"].tolist(), strict=True))
    assert made["points"] == alone["n_toys"].sum()
    assert made["best fit"] == 400
    assert min(made.values()) > 0
    assert n_made(alone_folder) == (sum(made.values()), 0)


def test_the_file_has_the_regions_and_not_the_toys(alone):
    kept = {"toy_p_value", "toy_critical", "n_toys", "toy_interval_upper", "toy_goodness_of_fit", "coverage_toys"}
    assert kept <= set(alone.values)
    assert not {"toy_t", "toy_block", "answer_chi2"} & set(alone.values)
    assert alone.dimensions["toy_critical"] == ("signal", "toy_level")
    assert '"n": 400' in alone.about["hpcscan_toys"]


@pytest.mark.parametrize("ranks", [3, 64])
@pytest.mark.parametrize("launch", ["mpich"], indirect=True)
def test_ranks(launch, tmp_path, alone, ranks):
    check_ranks(launch, folder_of(tmp_path / "scan"), ranks, alone)


@pytest.mark.parametrize("launch", ["mpich"], indirect=True)
def test_killed_and_resumed(launch, tmp_path, alone):
    """What was made before the kill is not made again."""
    folder = folder_of(tmp_path / "scan", is_slow=True)
    check_killed_and_resumed(launch, folder, alone, "repair, wave", 15_000)
    made, taken = n_made(folder)
    assert made + taken == alone["n_toys_made"].sum()
    assert min(made, taken) > 0


@pytest.mark.parametrize("launch", ["mpich"], indirect=True)
def test_for_a_finished_result(launch, tmp_path, alone):
    """`hpcscan toys` gives the file that a run with toys gives, also where it was killed and began again."""
    folder = folder_of(tmp_path / "scan", is_slow=True)
    job = launch(1, "-m", "hpcscan", "run", "scan.yaml", "--set", "toys=null", cwd=folder, timeout=60)
    assert job.returncode == 0, job.stderr
    journal = folder / "out.nc.toys.journal"
    command = ("out.nc", "--config", "scan.yaml")
    with running("toys", *command, ranks=2, launcher=launch, cwd=folder) as job:
        assert job.wait_until(lambda: journal.exists() and journal.stat().st_size > 15_000)
        job.kill()
    assert "toy_p_value" not in read(folder / "out.nc").values
    assert "interrupted; go on with the command that began them" in status(str(folder / "out.nc"))[0]
    job = launch(3, "-m", "hpcscan", "toys", *command, cwd=folder, timeout=120)
    assert job.returncode == 0, job.stderr
    assert not journal.exists()
    assert "toys" not in status(str(folder / "out.nc"))[0]
    assert different_variables(alone, read(folder / "out.nc")) == []


def test_mistakes_are_told(alone_folder):
    """A result of another fit, a missing one, one that is no result: exit code 2 and one message."""
    path = str(alone_folder / "out.nc")
    for arguments, message in (
        ((path, "--config", "scan.yaml", "--set", "fit.seed=7"), "fit.seed: 42 before, 7 now"),
        ((path, "--config", "scan.yaml", "--set", "scan.signal.points=5"), "has another grid"),
        (("nothing.nc", "--config", "scan.yaml"), "does not exist"),
        (("scan.yaml", "--config", "scan.yaml"), "is not a netCDF file"),
    ):
        with running("toys", *arguments, cwd=alone_folder) as job:
            code, text = job.end(60)
        assert (code, "Traceback" in text) == (2, False)
        assert message in text
