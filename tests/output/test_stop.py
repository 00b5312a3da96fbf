"""A run that is asked to stop leaves a readable file, and goes on where it was."""

from __future__ import annotations

import re
import shutil
import signal
from dataclasses import replace

import numpy as np
import pytest
from commands.results import different_variables, read

from hpcscan.fitting.records import Status
from hpcscan.output.journal import Journal, Record
from hpcscan.output.journal_reading import read_journal
from output.conftest import EXIT, N_POINTS, PLUGINS, SLOWLY, n_known, write_scan
from output.jobs import running


@pytest.fixture(scope="session")
def made_stopped(tmp_path_factory):
    """A scan that was stopped after a few points: its folder, exit code and output."""
    folder = tmp_path_factory.mktemp("stopped")
    write_scan(folder)
    with running("scan.yaml", cwd=folder, env=SLOWLY) as job:
        assert job.wait_until(lambda: n_known(folder) >= 4)
        job.process.send_signal(signal.SIGUSR1)
        return folder, *job.end()


@pytest.fixture
def stopped(made_stopped, folder):
    """The same in the folder of this test: its exit code and output."""
    shutil.copytree(made_stopped[0], folder, dirs_exist_ok=True)
    return made_stopped[1:]


def test_a_readable_file_and_how_to_go_on(stopped, folder):
    """Exit 75; every point is accounted for, those to come as not run."""
    code, text = stopped
    assert code == 75, text
    n = n_known(folder)
    assert f"{n} of {N_POINTS} points are done and saved; continue with the same command and --resume" in text
    result = read(folder / "out.nc")
    assert result.about["hpcscan_complete"] == 0
    assert result.count(Status.NOT_RUN) == N_POINTS - n > 0
    is_done = result["status"] != Status.NOT_RUN
    assert np.isfinite(result["chi2"][is_done]).all()
    assert np.isnan(result["chi2"][~is_done]).all()
    assert not (folder / "out.nc.lock").exists()


def test_what_is_done_is_as_in_a_run_in_one_go(stopped, folder, uninterrupted):
    """Of the first pass: a start ends where it ends."""
    result = read(folder / "out.nc")
    is_done = result["status"] != Status.NOT_RUN
    assert result["start_chi2"][is_done].tobytes() == uninterrupted["start_chi2"][is_done].tobytes()


def test_it_goes_on(stopped, folder, hpcscan, own_mpi, uninterrupted):
    """On another number of ranks, to the same file; the log has both sessions."""
    n = n_known(folder)
    code, text = hpcscan("scan.yaml", "--resume", ranks=3, launcher=own_mpi)
    assert code == EXIT, text
    assert f"continuing: {n} points known, {N_POINTS - n} to do" in text
    assert different_variables(uninterrupted, read(folder / "out.nc")) == []
    log = (folder / "out.log").read_text()
    assert log.index("stopped early") < log.index("continuing: ") < log.index("written: out.nc")
    assert all(line[:4].isdecimal() and line[19] == "Z" for line in log.splitlines())


def test_an_unfinished_result_is_refused_without_a_word(stopped, folder, hpcscan):
    before = (folder / "out.nc").read_bytes(), (folder / "out.nc.journal").read_bytes()
    code, text = hpcscan("scan.yaml")
    assert code == 2
    assert "output out.nc: is unfinished; continue it with --resume, start over with --overwrite" in text
    assert before == ((folder / "out.nc").read_bytes(), (folder / "out.nc.journal").read_bytes())


def test_it_can_begin_again(stopped, folder, hpcscan, uninterrupted):
    code, text = hpcscan("scan.yaml", "--overwrite")
    assert (code, "continuing" in text) == (EXIT, False)
    assert different_variables(uninterrupted, read(folder / "out.nc")) == []


def test_another_fit_is_refused_with_what_differs(stopped, hpcscan, folder):
    """Old and new; what does not count is not named, and nothing is changed."""
    before = (folder / "out.nc.journal").read_bytes()
    settings = ("--set", "fit.seed=7", "--set", "fit.starts=5", "--set", "run.chunk=2")
    code, text = hpcscan("scan.yaml", "--resume", *settings)
    assert code == 2
    assert "was begun with another model or fit, and cannot go on; start over with --overwrite" in text
    assert text.splitlines()[-2:] == ["  fit.starts: 4 before, 5 now", "  fit.seed: 42 before, 7 now"]
    assert (folder / "out.nc.journal").read_bytes() == before


def test_another_source_of_the_plugin_is_refused(stopped, hpcscan, folder):
    """Neither its path nor an empty line or a comment counts; what it computes does."""
    source = (PLUGINS / "slow.py").read_text()
    (folder / "slow.py").write_text(f"{source}\nIS_CHANGED = True\n")
    code, text = hpcscan("scan.yaml", "--resume", "--set", "model.plugin=slow.py:Slow")
    assert code == 2
    assert text.splitlines()[-1].startswith("  model.plugin: Slow (source ")
    (folder / "slow.py").write_text(f"# As it was.\n\n{source}\n")
    assert hpcscan("scan.yaml", "--resume", "--set", "model.plugin=slow.py:Slow")[0] == EXIT


def test_a_model_that_predicts_something_else_is_refused(stopped, hpcscan, folder):
    """Though its source is the same: what it reads is not. Nothing is lost by that."""
    before = (folder / "out.nc").read_bytes(), (folder / "out.nc.journal").read_bytes()
    code, text = hpcscan("scan.yaml", "--resume", env={"SLOW_SHIFT": "1e-3"})
    assert code == 2, text
    assert "its points are of another model, which predicted something else, and cannot be continued" in text
    assert re.search(r"\n  at x = -?\d, y = \d: slope \S+ before, \S+ now, 0\.001 σ apart$", text.rstrip())
    assert before == ((folder / "out.nc").read_bytes(), (folder / "out.nc.journal").read_bytes())


def test_a_difference_of_rounding_is_told(stopped, hpcscan, folder):
    code, text = hpcscan("scan.yaml", "--resume", env={"SLOW_SHIFT": "3e-12"})
    assert code == EXIT, text
    assert re.search(r"predicted again: the same to 3e-12 σ", text)


def test_another_numpy_or_processor_is_told(stopped, hpcscan, folder):
    """Not refused: the predictions are the same."""
    path = folder / "out.nc.journal"
    header = read_journal(path).header
    elsewhere = replace(header, libraries="numpy 1.0, another processor")
    records = [Record(one.kind, one.read()) for one in read_journal(path).records]
    Journal.create(path, elsewhere, records).close()
    code, text = hpcscan("scan.yaml", "--resume")
    assert code == EXIT, text
    assert f"computed with numpy 1.0, another processor before, with {header.libraries} now" in text


@pytest.mark.parametrize("option", ["--max-time", "--set"])
def test_a_time_budget(hpcscan, folder, option):
    """On the command line or as a key; one second is over before the scan is."""
    value = "1s" if option == "--max-time" else "run.max_time=1"
    code, text = hpcscan("scan.yaml", option, value, env={"SLOW_SECONDS": "0.01"})
    assert code == 75, text
    assert "the time budget of 1 s is used up" in text
    assert read(folder / "out.nc").about["hpcscan_complete"] == 0


def test_a_wrong_time_budget(hpcscan):
    code, text = hpcscan("scan.yaml", "--max-time", "soon")
    assert code == 2
    assert "--max-time: expected a time such as 90 (seconds), 30m, 2h" in text
