"""--resume where there is nothing to resume, and a grid that grows."""

from __future__ import annotations

import shutil

import pytest
from commands.results import different_variables, read

from hpcscan.fitting.records import Status
from output.conftest import EXIT, write_scan
from output.jobs import running

SMALL = ("--set", "scan.x={values: [-3, -1, 1, 3]}", "--set", "scan.y={values: [0, 2]}")
LEPTONS = """\
scan:
  beta: {min: 3.0, max: 3.1, points: 3}
  w: {values: [0.01, 0.02]}
model: {name: leptons, options: {box: published}}
fit: {starts: 3}
output: out.nc
"""
WIDER = ("--set", "scan.beta={min: 2.95, max: 3.15, points: 5}", "--set", "scan.w={values: [0.005, 0.01, 0.015, 0.02]}")


@pytest.fixture(scope="session")
def made_small(tmp_path_factory):
    """A small scan that is finished: its folder and exit code."""
    folder = tmp_path_factory.mktemp("small")
    write_scan(folder)
    with running("scan.yaml", "--keep-journal", *SMALL, cwd=folder) as job:
        code, text = job.end()
    assert code in (0, 1), text
    return folder, code


@pytest.fixture
def small(made_small, folder):
    """The same in the folder of this test: its exit code."""
    shutil.copytree(made_small[0], folder, dirs_exist_ok=True)
    return made_small[1]


def inode(path):
    return path.stat().st_ino


def test_nothing_to_resume_is_a_fresh_run(hpcscan, folder, uninterrupted):
    """So that a job script can always say --resume."""
    code, text = hpcscan("scan.yaml", "--resume")
    assert (code, "continuing" in text) == (EXIT, False)
    assert different_variables(uninterrupted, read(folder / "out.nc")) == []


@pytest.mark.parametrize("has_journal", [True, False])
def test_a_finished_scan_stays_as_it_is(small, hpcscan, folder, has_journal):
    """Its exit code again, and nothing is computed or written."""
    if not has_journal:
        (folder / "out.nc.journal").unlink()
    before = {path.name: (inode(path), path.read_bytes()) for path in folder.iterdir()}
    code, text = hpcscan("scan.yaml", "--resume", *SMALL)
    assert (code, text) == (small, "already complete: out.nc\n")
    assert {path.name: (inode(path), path.read_bytes()) for path in folder.iterdir()} == before


def test_a_grid_that_grows_keeps_its_points(hpcscan, folder):
    """The built-in model: the same file as from a fresh run; kept points keep the time that they took."""
    (folder / "scan.yaml").write_text(LEPTONS)
    assert hpcscan("scan.yaml", "--keep-journal")[0] in (0, 1)
    small = read(folder / "out.nc")
    code, text = hpcscan("scan.yaml", "--resume", *WIDER)
    assert "continuing: 6 points known, 14 to do" in text
    grown = read(folder / "out.nc")
    fresh_code, _ = hpcscan("scan.yaml", "-o", "fresh.nc", *WIDER)
    assert code == fresh_code
    assert different_variables(read(folder / "fresh.nc"), grown) == []
    kept = grown["fit_seconds"][1:4][:, [1, 3]]
    assert kept.tobytes() == small["fit_seconds"].tobytes()


def test_a_plugin_on_a_grid_that_grows(hpcscan, folder):
    """Its points are kept too; what they took to compute tells, where no repair adds to it."""
    unrepaired = ("--set", "fit.repair_waves=0")
    hpcscan("scan.yaml", "--keep-journal", *SMALL, *unrepaired)
    before = read(folder / "out.nc")
    code, text = hpcscan("scan.yaml", "--resume", *SMALL[:2], "--set", "scan.y={values: [0, 1, 2]}", *unrepaired)
    assert code in (0, 1)
    assert "continuing: 8 points known, 4 to do" in text
    grown = read(folder / "out.nc")
    assert grown["fit_seconds"][:, ::2].tobytes() == before["fit_seconds"].tobytes()
    assert grown["start_chi2"][:, ::2].tobytes() == before["start_chi2"].tobytes()
    assert grown.count(Status.NOT_RUN) == 0


def test_a_grid_that_loses_values_is_refused(small, hpcscan, folder):
    """With their names; the result stays."""
    before = (folder / "out.nc").read_bytes()
    other = ("--set", "scan.x={values: [-3, -2, 1, 3]}", "--set", "scan.y={values: [1, 5]}")
    code, text = hpcscan("scan.yaml", "--resume", *other)
    assert code == 2
    assert "must keep the values it has, and scan.x lacks -1; scan.y lacks 0, 2" in text
    assert (folder / "out.nc").read_bytes() == before


def test_the_journal_of_a_complete_scan_is_removed(hpcscan, folder):
    """The run says so, and how it is kept; without it a grid cannot grow, and the result stays."""
    _, text = hpcscan("scan.yaml", *SMALL)
    assert "out.nc.journal is removed; a grid that is to grow later needs it: run --keep-journal" in text
    assert not (folder / "out.nc.journal").exists()
    before = (folder / "out.nc").read_bytes()
    code, text = hpcscan("scan.yaml", "--resume")
    assert code == 2
    assert "cannot grow, because out.nc.journal is missing or damaged: it is kept where a scan is run with" in text
    assert (folder / "out.nc").read_bytes() == before


def test_points_that_failed_are_tried_again(hpcscan, folder, uninterrupted):
    """And only these, though the scan is finished; they have failed for want of memory, say."""
    code, text = hpcscan("scan.yaml", env={"SLOW_FAILS_AT": "1.0"})
    assert code == 1, text
    failed = read(folder / "out.nc")
    assert failed.count(Status.FAILED) == 4
    assert "out.nc.journal is kept: with --resume, the points that failed are tried again" in text
    code, text = hpcscan("scan.yaml", "--resume")
    assert "continuing: 24 points known, 4 to do, 4 points that failed among them" in text
    result = read(folder / "out.nc")
    assert different_variables(uninterrupted, result) == []
    is_kept = failed["status"] != Status.FAILED
    assert (code, is_kept.sum()) == (EXIT, 24)


def test_points_that_fail_again_leave_a_finished_scan(hpcscan, folder):
    env = {"SLOW_FAILS_AT": "1.0"}
    assert hpcscan("scan.yaml", env=env)[0] == 1
    first = read(folder / "out.nc")
    assert hpcscan("scan.yaml", "--resume", env=env)[0] == 1
    assert different_variables(first, read(folder / "out.nc")) == []


def test_a_foreign_file_is_not_touched(hpcscan, folder):
    (folder / "out.nc").write_text("mine")
    for options in ((), ("--resume",)):
        code, text = hpcscan("scan.yaml", *options)
        assert code == 2
        assert "out.nc" in text
        assert (folder / "out.nc").read_text() == "mine"
