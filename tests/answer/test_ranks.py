"""The answer has the same bytes for any number of ranks, and where a job was killed in the midst of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from commands.results import read
from output.phases import check_killed_and_resumed, check_ranks, folder_with, run_alone

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


def folder_of(path: Path, *, is_slow: bool = False) -> Path:
    text = PLUGIN.read_text()
    return folder_with(path, CONFIG, {"pendulum.py": text.replace("        frequency =", SLOW) if is_slow else text})


@pytest.fixture(scope="module")
def folder_alone(tmp_path_factory):
    """Where there is the scan on one rank, in one go."""
    return run_alone(folder_of(tmp_path_factory.mktemp("alone") / "scan"))


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


def test_three_ranks(launch, tmp_path, alone):
    check_ranks(launch, folder_of(tmp_path / "scan"), 3, alone)


@pytest.mark.parametrize("launch", ["mpich"], indirect=True)
def test_sixty_four_ranks(launch, tmp_path, alone):
    check_ranks(launch, folder_of(tmp_path / "scan"), 64, alone)


@pytest.mark.parametrize("launch", ["mpich"], indirect=True)
def test_killed_in_the_midst_of_the_answer_and_resumed(launch, tmp_path, folder_alone, alone):
    """What was fitted before the kill is not fitted again, and the bytes are those of a job in one go."""
    folder = folder_of(tmp_path / "scan", is_slow=True)
    check_killed_and_resumed(launch, folder, alone, "points/s)", 20_000)
    assert 0 < n_blocks(folder) < n_blocks(folder_alone)
