"""The process of a command: its streams, its signals, its import path, and the start of MPI."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from launch import environment
from output.jobs import running
from stress.unruly import CASES, FINE, STOPPED, Case

HPCSCAN = f"{sys.executable} -m hpcscan"


def shell(command, cwd, env=None):
    """Run a command line: exit code, and what is said on standard error."""
    job = subprocess.run(
        ["/bin/sh", "-c", command],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
        cwd=cwd,
        env=environment(env or {}),
    )
    return job.returncode, job.stderr


@pytest.fixture
def folder(tmp_path):
    """A scan of a model that behaves."""
    case = Case("pass", FINE)
    (tmp_path / "unruly.py").write_text(case.plugin())
    (tmp_path / "scan.yaml").write_text(case.scan())
    return tmp_path


@pytest.mark.parametrize("redirection", [">&-", "2>&-", ">&- 2>&- <&-", ">/dev/full 2>/dev/full"])
def test_a_complete_run_does_not_care_for_its_streams(folder, redirection):
    code, _ = shell(f"{HPCSCAN} scan.yaml {redirection}", folder)
    assert code == 0
    code, _ = shell(f"{HPCSCAN} status out.nc --count | grep -qx 4", folder)
    assert code == 0


@pytest.mark.parametrize("command", ["keys", "plan scan.yaml", "--version"])
@pytest.mark.parametrize("redirection", [">/dev/full", ">&-"])
def test_an_answer_that_cannot_be_written_is_a_storage_error(folder, command, redirection):
    code, said = shell(f"{HPCSCAN} {command} {redirection}", folder)
    assert code == 74
    assert said.startswith("the answer could not be written to standard output: ")
    assert "Traceback" not in said


def test_a_reader_that_goes_is_no_error(folder):
    code, said = shell(f"({HPCSCAN} keys; echo $? >code) | true", folder)
    assert (code, said, (folder / "code").read_text()) == (0, "", "0\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGINT])
def test_a_signal_drains_from_the_first_line_on(tmp_path, number):
    """75 while the program is being loaded, and while it computes; MPI's own handlers say nothing."""
    case = CASES["sleep, and SIGTERM"]
    (tmp_path / "unruly.py").write_text(Case("time.sleep(0.5)", STOPPED).plugin())
    (tmp_path / "scan.yaml").write_text(case.scan())
    # A package that is loaded by numpy is where the signal arrives.
    (tmp_path / "hook").mkdir()
    (tmp_path / "hook/sitecustomize.py").write_text(
        "import sys, os\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == os.environ.get('SEND_AT'): os.kill(os.getpid(), int(os.environ['SEND']))\n"
        "sys.meta_path.insert(0, Finder())\n"
    )
    path = os.pathsep.join([str(tmp_path / "hook"), *filter(None, [os.environ.get("PYTHONPATH")])])
    for module in ("hpcscan.commands", "numpy", "mpi4py.MPI"):
        env = {"PYTHONPATH": path, "SEND_AT": module, "SEND": str(int(number))}
        code, said = shell(f"{HPCSCAN} scan.yaml --overwrite", tmp_path, env)
        assert code == 75, (module, said)
        assert f"stopped early: signal {number.name}" in said
        assert len(said.splitlines()) < 10, said
    with running("scan.yaml", "--overwrite", cwd=tmp_path) as job:
        assert job.wait_until((tmp_path / "out.log").exists)
        time.sleep(0.2)
        job.process.send_signal(number)
        code, said = job.end()
    assert code == 75, said
    assert len(said.splitlines()) < 10, said


def test_nohup_keeps_a_run_alive(tmp_path):
    """SIGHUP stays ignored where it is."""
    (tmp_path / "unruly.py").write_text(Case("os.kill(os.getpid(), signal.SIGHUP)", FINE).plugin())
    (tmp_path / "scan.yaml").write_text(Case("pass", FINE).scan())
    code, said = shell(f"trap '' HUP; {HPCSCAN} scan.yaml", tmp_path)
    assert code == 0, said


def test_the_working_directory_is_not_on_the_import_path(folder):
    """Unless PYTHONPATH names it."""
    here = folder / "here"
    here.mkdir()
    for name in ("random", "signal", "logging", "numpy", "argparse", "yaml", "netCDF4", "mpi4py"):
        (here / f"{name}.py").write_text("raise RuntimeError('imported from the working directory')\n")
    code, said = shell(f"{HPCSCAN} ../scan.yaml", here)
    assert code == 0, said
    (here / "named").mkdir()
    (here / "argparse.py").rename(here / "named/argparse.py")
    path = os.pathsep.join([str(here / "named"), *filter(None, [os.environ.get("PYTHONPATH")])])
    code, said = shell(f"{HPCSCAN} keys", here / "named", {"PYTHONPATH": path})
    assert code == 70
    assert "imported from the working directory" in said


@pytest.mark.parametrize("launch", ["mpich"], indirect=True)
def test_a_rank_that_waits_in_vain_for_the_start_of_mpi_ends(launch, folder):
    """Another one never comes: Hydra itself would wait for ever."""
    command = launch.command(1, "-m", "hpcscan", "scan.yaml")
    job = subprocess.run(
        [*command, ":", "-n", "1", "/bin/true"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=folder,
        env=launch.environment({"HPCSCAN_MPI_START_LIMIT": "2"}),
    )
    assert job.returncode not in (0, 1)
    assert "rank 0 on " in job.stderr
    assert "MPI has not started within 2 s (HPCSCAN_MPI_START_LIMIT)" in job.stderr


def test_a_rank_that_cannot_import_ends_the_job(launch, folder):
    """With its reason, and not in silence."""
    (folder / "broken").mkdir()
    (folder / "broken/numpy.py").write_text("raise MemoryError('no memory on this node')\n")
    script = folder / "rank.sh"
    path = os.pathsep.join([str(folder / "broken"), *filter(None, [os.environ.get("PYTHONPATH")])])
    script.write_text(
        f'[ "${{PMI_RANK:-$OMPI_COMM_WORLD_RANK}}" = 1 ] && export PYTHONPATH={path}\n'
        f"exec {launch.python} -m hpcscan scan.yaml\n"
    )
    job = subprocess.run(
        [launch.mpirun, "-n", "3", "/bin/sh", str(script)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=folder,
        env=launch.environment({}),
    )
    assert job.returncode not in (0, 1)
    assert "no memory on this node" in job.stderr
