"""A slow scan, and what it is compared with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from commands.results import Result, read
from launch import Launcher

from hpcscan.output.journal_reading import Contents, read_journal
from output.jobs import running

PLUGINS = Path(__file__).parent / "plugins"

SCAN = """\
scan:
  x: {{min: -3.0, max: 3.0, points: 7}}
  y: {{values: [0.0, 1.0, 2.0, 4.0]}}
model: {{plugin: {plugins}/slow.py:Slow}}
fit: {{starts: 4, proof: false}}
run: {{chunk: 1}}
output: out.nc
"""
N_POINTS = 28
#: Of the finished scan: at some points not enough starts agree.
EXIT = 1
#: So slow that a point takes a few hundredths of a second.
SLOWLY = {"SLOW_SECONDS": "0.002"}
#: Options of Open MPI's launcher.
FAULT_TOLERANT = ("--with-ft", "ulfm")

Answer = tuple[int, str]


def write_scan(folder: Path) -> None:
    (folder / "scan.yaml").write_text(SCAN.format(plugins=PLUGINS))


def journal(folder: Path) -> Contents:
    """What the journal holds by now; empty while there is none."""
    path = folder / "out.nc.journal"
    return read_journal(path) if path.exists() else Contents(None, (), ())


def n_known(folder: Path) -> int:
    """Number of points in the journal."""
    return sum(record.n_points for record in journal(folder).records)


def n_begun(trace: Path) -> int:
    """Number of grid points whose fits were begun; derivatives along the axes take the model to others too."""
    points = {line for file in trace.iterdir() for line in file.read_text().splitlines()}
    return len(points & {f"({float(x)}, {y})" for x in range(-3, 4) for y in (0.0, 1.0, 2.0, 4.0)})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_scan(tmp_path)
    return tmp_path


@pytest.fixture
def hpcscan(folder: Path) -> Callable[..., Answer]:
    """Run hpcscan to its end in the folder: exit code and everything it says."""

    def run(*arguments: object, ranks: int = 1, launcher: Launcher | None = None, env=None, timeout=60) -> Answer:
        with running(*arguments, ranks=ranks, launcher=launcher, cwd=folder, env=env) as job:
            return job.end(timeout)

    return run


@pytest.fixture(scope="session")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """The result of the slow scan, run in one go on one rank, and quickly."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    write_scan(folder)
    with running("scan.yaml", cwd=folder) as job:
        code, text = job.end()
    assert code == EXIT, text
    return read(folder / "out.nc")
