"""A kind of task that the program does not know: run over ranks, killed in the middle, resumed, and in the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from commands.results import different_variables, read

from hpcscan.output.journal_reading import read_journal
from output.balls import FAILING, KIND, N_BALLS
from output.conftest import N_POINTS, journal, n_known, write_scan
from output.jobs import running

PROGRAM = (str(Path(__file__).with_name("balls.py")),)


def n_thrown(folder):
    return sum(table.read(KIND).n_records for table in journal(folder).tables)


@pytest.fixture(scope="module")
def in_one_go(tmp_path_factory):
    """The folder of a run on one rank, without interruption."""
    folder = tmp_path_factory.mktemp("balls")
    write_scan(folder)
    with running(cwd=folder, program=PROGRAM) as job:
        assert job.end() == (0, "known: 0\n")
    return folder


@pytest.fixture
def killed(folder, own_mpi):
    """A folder in which a run on three ranks was killed when it had thrown some balls."""
    with running(cwd=folder, ranks=3, launcher=own_mpi, program=PROGRAM, env={"BALL_SECONDS": "0.05"}) as job:
        assert job.wait_until(lambda: n_thrown(folder) >= 4)
        job.kill()
    assert n_known(folder) == N_POINTS
    return folder


def test_its_records_are_variables_of_the_result(in_one_go):
    """With a dimension of their own, beside those of the grid."""
    result = read(in_one_go / "out.nc")
    assert result["ball_number"].tolist() == [*range(N_BALLS)]
    assert result["ball_minimum"].shape == (N_BALLS, 2)
    assert result["ball_side"].shape == (N_BALLS, 3)
    is_lost = result["ball_status"] == 3
    assert np.flatnonzero(is_lost).tolist() == [FAILING]
    assert np.isfinite(result["ball_chi2"]).tolist() == (~is_lost).tolist()
    xarray = pytest.importorskip("xarray")
    with xarray.open_dataset(in_one_go / "out.nc") as dataset:
        assert dataset["ball_minimum"].dims == ("ball", "parameter")
        assert dataset["ball_side"].attrs["units"] == "m"
        assert dataset["ball_status"].attrs["flag_meanings"] == "thrown lost"


def test_its_records_are_in_the_journal(in_one_go):
    contents = read_journal(in_one_go / "out.nc.journal")
    assert contents.header.kinds == {"ball": KIND.layout}
    assert contents.problems == ()
    assert n_thrown(in_one_go) == N_BALLS


def test_a_run_that_was_killed_goes_on(killed, in_one_go, own_mpi):
    """What was thrown is not thrown again; the file is the same, on any number of ranks."""
    n = n_thrown(killed)
    assert 4 <= n < N_BALLS
    with running(cwd=killed, ranks=2, launcher=own_mpi, program=PROGRAM) as job:
        assert job.end() == (0, f"known: {n}\n")
    assert different_variables(read(in_one_go / "out.nc"), read(killed / "out.nc")) == []


def test_who_does_not_know_the_kind_refuses(killed, hpcscan):
    """Nothing is lost; and how far the scan is can be said all the same."""
    before = (killed / "out.nc.journal").read_bytes()
    code, text = hpcscan("scan.yaml", "--resume")
    assert code == 2
    assert "its journal was written by hpcscan " in text
    assert "may hold records of the kind 'ball', which this version, " in text
    assert (killed / "out.nc.journal").read_bytes() == before
    code, text = hpcscan("status", "out.nc")
    assert code == 75
    assert f"{N_POINTS} of {N_POINTS} points (100%)" in text
