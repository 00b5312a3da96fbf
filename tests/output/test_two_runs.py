"""Two runs on one output, and what `status` says meanwhile."""

from __future__ import annotations

import pytest
from commands.results import different_variables, read

from output.conftest import EXIT, N_POINTS, n_known
from output.jobs import running


@pytest.fixture
def first(own_mpi, folder):
    """A run on two ranks that has finished some points."""
    with running("scan.yaml", ranks=2, launcher=own_mpi, cwd=folder, env={"SLOW_SECONDS": "0.005"}) as job:
        assert job.wait_until(lambda: n_known(folder) >= 3)
        yield job


@pytest.mark.parametrize("options", [(), ("--resume",), ("--overwrite",)])
def test_the_second_run_stops(first, hpcscan, folder, options):
    """Whatever it wants; it names the first, which does not notice."""
    code, text = hpcscan("scan.yaml", *options)
    assert code == 2
    assert text.startswith("output out.nc: another run is writing it, process ")
    assert "let it finish, or choose another output with -o" in text
    assert first.process.poll() is None


def test_status_of_a_run(first, hpcscan, folder, uninterrupted):
    """While it runs, when it was killed, and when it is finished; reading changes nothing."""
    code, text = hpcscan("status", "out.nc")
    assert code == 75
    assert "out.nc is running: process " in text
    assert f" of {N_POINTS} points" in text
    assert "points/s" in text
    assert "time left" in text

    first.kill()
    before = (folder / "out.nc.journal").read_bytes()
    code, text = hpcscan("status", "out.nc")
    assert code == 75
    assert "out.nc is interrupted; continue it with --resume" in text
    assert f"{n_known(folder)} of {N_POINTS} points" in text
    assert hpcscan("status", "out.nc", "--count") == (0, f"{n_known(folder)}\n")
    assert (folder / "out.nc.journal").read_bytes() == before

    # The lock of the dead run is in nobody's way.
    assert (folder / "out.nc.lock").exists()
    assert hpcscan("scan.yaml", "--resume")[0] == EXIT
    assert different_variables(uninterrupted, read(folder / "out.nc")) == []
    code, text = hpcscan("status", "out.nc")
    assert code == EXIT
    assert "out.nc is complete" in text
    assert f"{N_POINTS} of {N_POINTS} points (100%)" in text


def test_status_of_nothing(hpcscan):
    code, text = hpcscan("status", "nothing.nc")
    assert code == 2
    assert "output nothing.nc: there is no scan, neither a result nor a journal; expected a file" in text
    assert hpcscan("status", "nothing.nc", "--count") == (0, "0\n")


def test_status_of_a_foreign_file(hpcscan, folder):
    (folder / "other.nc").write_text("text")
    code, text = hpcscan("status", "other.nc")
    assert code == 2
    assert "other.nc: is not a netCDF file" in text
    assert hpcscan("status", "other.nc", "--count") == (code, text)
