"""Fifty points, of which the model sleeps for ever at one, raises at one, and returns NaN at one."""

from __future__ import annotations

import numpy as np
import pytest

from commands.conftest import PLUGINS, start
from commands.plugins.spoilt import IS_NAN, RAISES, SLEEPS
from commands.results import read
from hpcscan.errors import Exit
from hpcscan.fitting.records import Status

SCAN = """\
scan: {x: {min: 1, max: 50, points: 50}}
model: {plugin: PLUGINS/spoilt.py:Spoilt, options: {sleep: SLEEP}}
fit: {starts: 4, time_limit: 0.5}
output: out.nc
"""
TOLD = (
    f"point x = {SLEEPS} timed out on rank ",
    f"point x = {RAISES} failed on rank ",
    "no end within 0.5 s (fit.time_limit): 1 point\n",
    "ArithmeticError at spoilt.py:28: 1 point\n",
    f"no start with a finite prediction: 1 point, the first at x = {IS_NAN}\n",
    "status: 47 converged, 2 failed, 1 timed out of 50 points",
)


@pytest.fixture
def scan(tmp_path):
    """Run it: the job that has ended."""

    def run(sleep, ranks, launcher, *options):
        (tmp_path / "scan.yaml").write_text(SCAN.replace("PLUGINS", str(PLUGINS)).replace("SLEEP", sleep))
        return start(("-m", "hpcscan", "scan.yaml", *options), ranks, launcher, cwd=tmp_path)

    return run


def check(job, folder):
    """All is told, and only these three points have not converged."""
    assert job.returncode == 1, job.stderr
    assert [words for words in TOLD if words not in job.stderr] == []
    assert job.stderr.count("Traceback") == 1
    assert "1 point improved" not in job.stderr, "a point that fails again is no better"
    status = read(folder / "out.nc")["status"]
    expected = np.full(50, Status.CONVERGED)
    expected[[SLEEPS - 1, RAISES - 1, IS_NAN - 1]] = Status.TIMED_OUT, Status.FAILED, Status.FAILED
    np.testing.assert_array_equal(status, expected)


@pytest.mark.parametrize(("sleep", "ranks"), [("in Python", 2), ("in C", 3)])
def test_the_others_converge(own_mpi, scan, tmp_path, sleep, ranks):
    """A call that is stuck in C costs a rank; what it had goes to the others."""
    job = scan(sleep, ranks, own_mpi)
    check(job, tmp_path)
    assert ("hangs in a call that cannot be interrupted, and is given up" in job.stderr) == (sleep == "in C")


def test_they_are_tried_again(scan, tmp_path):
    """By a resumed run, and only they."""
    check(scan("in Python", 1, None), tmp_path)
    job = scan("in Python", 1, None, "--resume")
    check(job, tmp_path)
    assert "continuing: 47 points known, 3 to do" in job.stderr


def test_an_answer_that_would_cost_rank_after_rank_is_left_out(own_mpi, scan, tmp_path):
    """The first fit that hangs in C ends the answer; what the grid has found is complete, and the reason is told."""
    changes = (f"model.plugin={PLUGINS}/spoilt.py:Trap", "fit.proof=false", "fit.starts=16", "answer.cl=[0.9]")
    job = scan("in C", 3, own_mpi, *(word for change in changes for word in ("--set", change)))
    # A rank is lost, which 0 would hide.
    assert job.returncode == Exit.INTERNAL, job.stderr
    assert "the answer is left out: the model hangs in a call that cannot be interrupted, in a fit that " in job.stderr
    found = read(tmp_path / "out.nc").values
    assert (found["status"] == Status.CONVERGED).all()
    assert "best_fit_chi2" not in found
