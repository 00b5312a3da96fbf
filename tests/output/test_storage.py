"""A disk that fills up in the middle of a scan."""

from __future__ import annotations

import subprocess
import sys

import pytest
from commands.results import different_variables, read
from launch import environment

from output.conftest import EXIT, N_POINTS, n_known

#: A process whose files cannot grow beyond a size: writing fails as it does on a full disk.
LIMITED = """\
import resource, runpy, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)), resource.RLIM_INFINITY))
runpy.run_module("hpcscan", run_name="__main__", alter_sys=True)
"""


@pytest.fixture
def full(folder):
    """A scan that stopped because its journal could not grow: exit code and output."""
    # MPI's own files could not grow either.
    env = environment({"MPI4PY_LIBMPI": str(folder / "nowhere.so"), "SLOW_SECONDS": "0.001"})
    command = [sys.executable, "-c", LIMITED, "8000", "scan.yaml"]
    job = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False)
    return job.returncode, job.stderr


def test_a_full_disk_stops_the_run(full, folder):
    """Soon, with a message and exit 74; what was journalled is whole."""
    code, text = full
    assert code == 74, text
    assert text.count("cannot write out.nc.journal: File too large") == 1
    assert "what it holds is safe, continue later with --resume" in text
    assert "Traceback" not in text
    assert 0 < n_known(folder) < N_POINTS
    assert "cannot write out.nc.journal" in (folder / "out.log").read_text()


def test_the_scan_goes_on_when_there_is_room(full, folder, hpcscan, uninterrupted):
    n = n_known(folder)
    code, text = hpcscan("scan.yaml", "--resume")
    assert code == EXIT, text
    assert f"continuing: {n} points known, {N_POINTS - n} to do" in text
    assert different_variables(uninterrupted, read(folder / "out.nc")) == []
