"""A cluster for the tests of this directory, and the scan that its jobs compute."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from launch import Launcher
from output.conftest import SCAN, uninterrupted  # noqa: F401

from slurm.batch import ROOT, Batch
from slurm.cluster import cluster, missing

#: Of the slow scan, at whose points not all starts agree, its gate asks nothing.
GATE = "gate: {converged: 0, spikes: 28}\n"

#: Only the first attempt at the slow scan is slow.
ACTIVATE = """\
PATH="{}:$PATH"
if [ -n "${{SLURM_RESTART_COUNT-}}" ]; then
    unset SLOW_SECONDS
fi
"""


@pytest.fixture(scope="session")
def batch() -> Iterator[Batch]:
    """A Slurm that runs while these tests do."""
    if absent := missing():
        pytest.skip(absent)
    # The path of a socket must be short.
    with tempfile.TemporaryDirectory(prefix="slurm-") as folder, cluster(Path(folder)) as configuration:
        yield Batch(configuration)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return make_site(tmp_path, sys.executable)


def make_site(folder: Path, python: str) -> Path:
    """What a user has on a cluster: the repository's scripts and configurations, a slow scan, and environments."""
    for name in ("configs", "jobs"):
        shutil.copytree(ROOT / name, folder / name)
    plugins = ROOT / "tests" / "output" / "plugins"
    (folder / "configs" / "slow.yaml").write_text(SCAN.format(plugins=plugins) + GATE)
    (folder / "activate").write_text(ACTIVATE.format(Path(python).parent))
    return folder


@pytest.fixture(scope="session", autouse=True)
def limited(batch: Batch, own_mpi: Launcher, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, int]:
    """A job that is going to meet its limit, and one that waits for its success.

    The controller looks at limits twice a minute, and gives a signal half a minute early rather than late: here, when
    the job is 20 to 50 seconds old. It begins before the other tests of this directory, so that nobody has to wait for
    it alone.
    """
    folder = make_site(tmp_path_factory.mktemp("limited"), own_mpi.python)
    limit = ("--time=1", "--signal=B:USR1@10")
    # Longer than the limit; all but sleeping.
    job = batch.submit(folder, "--ntasks=2", *limit, "jobs/slurm-full.sh", "configs/slow.yaml", SLOW_SECONDS="0.1")
    waiting = batch.submit(folder, f"--dependency=afterok:{job}", "--kill-on-invalid-dep=yes", "--wrap=true")
    return folder, job, waiting
