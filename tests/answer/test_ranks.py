"""The answer has the same bytes for any number of ranks, and where a job was killed in the midst of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from commands.results import different_variables, read
from output.jobs import running

CONFIG = """\
scan:
  gravity: {min: 9.7, max: 10.0, points: 4}
  length: {min: 0.995, max: 1.01, points: 4}
model: {plugin: pendulum.py}
fit: {starts: 4}
output: out.nc
"""
PLUGIN = Path(__file__).parents[2] / "configs" / "plugins" / "pendulum.py"
#: A call takes so long that the answer can be interrupted.
SLOW = "        import time; time.sleep(0.003)\n        frequency ="
KEPT = (
    "best_fit_value",
    "best_fit_covariance",
    "interval_lower",
    "contour_x",
    "chi2_gradient",
    "best_fit_chi2",
    "best_fit_error_upper",
)


def folder_with(path: Path, *, is_slow: bool = False) -> Path:
    path.mkdir()
    path.joinpath("scan.yaml").write_text(CONFIG)
    text = PLUGIN.read_text()
    path.joinpath("pendulum.py").write_text(text.replace("        frequency =", SLOW) if is_slow else text)
    return path


@pytest.fixture(scope="module")
def folder_alone(tmp_path_factory):
    """Where there is the scan on one rank, in one go."""
    folder = folder_with(tmp_path_factory.mktemp("alone") / "scan")
    with running("scan.yaml", cwd=folder) as job:
        code, text = job.end()
    assert code == 0, text
    return folder


@pytest.fixture(scope="module")
def alone(folder_alone):
    return read(folder_alone / "out.nc")


def n_blocks(folder: Path) -> int:
    """Blocks of fits that the last session has done for its answer, as its log says."""
    return int(re.findall(r"answer: (\d+) block", (folder / "out.log").read_text())[-1])


def test_the_file_has_the_answer_and_not_its_fits(alone):
    assert set(KEPT) <= set(alone.values)
    assert not [name for name in alone.values if name.startswith("answer_")]
    assert alone.dimensions["chi2_gradient"] == ("gravity", "length", "scanned")
    assert alone["delta_chi2"].min() > 0
    assert alone["delta_chi2"] + alone["best_fit_chi2"] == pytest.approx(alone["chi2"])


def check_same(launch, folder, ranks, alone):
    job = launch(ranks, "-m", "hpcscan", "run", "scan.yaml", cwd=folder, timeout=180)
    assert job.returncode == 0, job.stderr
    assert different_variables(alone, read(folder / "out.nc")) == []


def test_three_ranks(launch, tmp_path, alone):
    check_same(launch, folder_with(tmp_path / "scan"), 3, alone)


@pytest.mark.parametrize("launch", ["mpich"], indirect=True)
def test_sixty_four_ranks(launch, tmp_path, alone):
    check_same(launch, folder_with(tmp_path / "scan"), 64, alone)


@pytest.mark.parametrize("launch", ["mpich"], indirect=True)
def test_killed_in_the_midst_of_the_answer_and_resumed(launch, tmp_path, folder_alone, alone):
    """What was fitted before the kill is not fitted again, and the bytes are those of a job in one go."""
    folder = folder_with(tmp_path / "scan", is_slow=True)
    journal, log = folder / "out.nc.journal", folder / "out.log"
    with running("scan.yaml", ranks=2, launcher=launch, cwd=folder) as job:
        assert job.wait_until(lambda: log.exists() and "points/s)" in log.read_text())
        begun = journal.stat().st_size
        assert job.wait_until(lambda: journal.stat().st_size > begun + 20_000)
        job.kill()
    assert not (folder / "out.nc").exists()
    with running("scan.yaml", "--resume", ranks=3, launcher=launch, cwd=folder) as job:
        code, text = job.end(120)
    assert code == 0, text
    found = read(folder / "out.nc")
    assert different_variables(alone, found) == []
    assert found.about["hpcscan_complete"] == 1
    assert 0 < n_blocks(folder) < n_blocks(folder_alone)
