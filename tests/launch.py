"""Start programs as MPI jobs from a test."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

MPIS = ("mpich", "openmpi")

# More ranks than cores, and root in a container: Open MPI wants to be told.
OPENMPI_ENVIRONMENT = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
}

# The first two hide output that was never flushed and bytecode races; the rest would come from a launcher
# around the tests.
NOT_INHERITED = ("PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "PMI_", "PMIX_", "OMPI_COMM_WORLD_", "SLURM_STEP_")


@dataclass(frozen=True)
class Launcher:
    """Call it to run ``python *arguments`` on some ranks of one MPI.

    Attributes
    ----------
    mpi : str
        ``"mpich"`` or ``"openmpi"``.
    python, mpirun : str
        A pair that belongs together.
    options : tuple of str
        For ``mpirun``.
    """

    mpi: str
    python: str
    mpirun: str
    options: tuple[str, ...] = ()

    def __call__(
        self,
        n_ranks: int,
        *arguments: object,
        timeout: float = 60.0,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run ``mpirun -n n_ranks python *arguments`` to its end.

        Parameters
        ----------
        n_ranks : int
            Number of ranks.
        *arguments : object
            A script and its arguments, or ``"-m", "hpcscan", ...``; made into strings.
        timeout : float, optional
            Seconds; after that the whole job is killed and the test fails, with the output so far.
        env : mapping, optional
            Variables on top of the inherited environment.
        cwd : Path, optional
            Working directory.

        Returns
        -------
        subprocess.CompletedProcess
            With ``returncode``, ``stdout`` and ``stderr``. Lines of different ranks may be mixed
            within a line: look for what rank 0 alone writes, or let each rank write a file.
        """
        return run_to_its_end(self.command(n_ranks, *arguments), timeout, self.environment(env or {}), cwd)

    def command(self, n_ranks: int, *arguments: object) -> list[str]:
        """Write the command of a job."""
        return [self.mpirun, *self.options, "-n", str(n_ranks), self.python, *map(str, arguments)]

    def environment(self, env: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of a job: the inherited one, what this MPI needs, and ``env``."""
        own = OPENMPI_ENVIRONMENT | session_directory() if self.mpi == "openmpi" else {}
        return environment(own | dict(env))


def session_directory() -> dict[str, str]:
    """Return the variable that gives one job of Open MPI a directory for its session.

    The launcher names its session by its process number alone. A launcher that was killed leaves its
    directory, and a later one that happens to get the same number does not start ("The PMIx server's
    listener thread failed to start").
    """
    directory = tempfile.mkdtemp(prefix="session-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return {"PRTE_MCA_prte_tmpdir_base": directory}


def environment(extra: Mapping[str, str]) -> dict[str, str]:
    """The inherited environment without what would disturb a job, plus ``extra``."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(NOT_INHERITED)}
    return inherited | dict(extra)


def run_to_its_end(
    command: list[str], timeout: float, env: Mapping[str, str], cwd: Path | None
) -> subprocess.CompletedProcess[str]:
    """Run a command; on timeout kill it with all its children and fail the test."""
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=env,
        cwd=cwd,
        start_new_session=True,
    ) as process:
        try:
            stdout, stderr = process.communicate(timeout=timeout)
        except BaseException as error:
            # The launcher first, politely: its ranks may be in a process group that we do not know.
            stdout, stderr = _kill(process)
            if isinstance(error, subprocess.TimeoutExpired):
                pytest.fail(f"no end after {timeout} s: {' '.join(command)}\n{stdout}\n{stderr}")
            raise
    return subprocess.CompletedProcess(command, process.returncode, stdout, stderr)


def _kill(process: subprocess.Popen[str]) -> tuple[str, str]:
    process.terminate()
    try:
        return process.communicate(timeout=3.0)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return process.communicate()


def find_launcher(mpi: str) -> Launcher:
    """Find this interpreter's MPI, or that of the environment which ``HPCSCAN_<MPI>_PYTHON`` names; else skip."""
    variable = f"HPCSCAN_{mpi.upper()}_PYTHON"
    python = os.environ.get(variable) or sys.executable
    if mpi_of(python) != mpi:
        title = {"mpich": "MPICH", "openmpi": "Open MPI"}[mpi]
        pytest.skip(f"needs {title}: set {variable}")
    # Not resolved: a virtual environment's python is a link, and its mpirun is beside the link.
    beside = Path(python).parent / "mpirun"
    mpirun = str(beside) if beside.exists() else shutil.which("mpirun")
    if mpirun is None:
        pytest.skip(f"needs an mpirun beside {python} or on PATH")
    return Launcher(mpi, python, mpirun)


@cache
def mpi_of(python: str) -> str:
    """Tell which MPI an interpreter's mpi4py is bound to: a name from ``MPIS``, or ``"none"``."""
    ask = "import mpi4py; mpi4py.rc.initialize = False; from mpi4py import MPI; print(MPI.Get_library_version())"
    answer = subprocess.run([python, "-c", ask], capture_output=True, text=True, check=False, env=environment({}))
    if answer.returncode != 0:
        return "none"
    # Intel MPI, MVAPICH and Cray's are MPICH's children, and start like it.
    return "openmpi" if "Open MPI" in answer.stdout else "mpich"
