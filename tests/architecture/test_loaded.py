"""What a process loads: 64 ranks that import scipy.optimize take half a minute to start."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

SCAN = """\
scan:
  beta: {min: 3.0, max: 3.1, points: 3}
  w: {values: [0.01, 0.02]}
model: {name: leptons}
fit: {starts: 4, max_iter: 3}
run: {chunk: 1}
"""

#: Runs hpcscan as ``python -m hpcscan`` does; at the end every rank writes down what it has loaded.
WATCHED = """\
import atexit, json, pathlib, runpy, sys

@atexit.register
def write():
    from hpcscan.parallel import launcher_rank
    pathlib.Path(f"loaded-{launcher_rank()}.json").write_text(json.dumps(sorted(sys.modules)))

runpy.run_module("hpcscan", run_name="__main__", alter_sys=True)
"""


def loaded_by(launch, folder: Path, *options: str) -> list[set[str]]:
    """What each of two ranks has loaded after a scan."""
    (folder / "scan.yaml").write_text(SCAN)
    job = launch(2, "-c", WATCHED, "scan.yaml", "-o", "out.nc", *options, cwd=folder)
    assert job.returncode in (0, 1), job.stderr
    assert (folder / "out.nc").exists()
    return [set(json.loads((folder / f"loaded-{rank}.json").read_text())) for rank in range(2)]


@pytest.mark.parametrize("launch", ["mpich"], indirect=True)
def test_ranks_load_what_they_need_and_no_more(launch, tmp_path):
    """A worker of the default fit needs numpy and MPI; only rank 0 reads YAML, keeps a journal and writes netCDF."""
    leader, worker = loaded_by(launch, tmp_path)
    assert not {"scipy", "matplotlib", "xarray"} & (leader | worker)
    assert "netCDF4" in leader
    assert {"numpy", "mpi4py.MPI", "hpcscan.models.leptons.model"} <= worker
    assert (
        not {
            "netCDF4",
            "yaml",
            "hpcscan.commands.run",
            "hpcscan.output.recorder",
            "hpcscan.output",
            "hpcscan.dataset.writer",
        }
        & worker
    )


@pytest.mark.parametrize("launch", ["mpich"], indirect=True)
def test_scipy_is_loaded_by_those_who_use_it(launch, tmp_path):
    """The same watch sees it where it is there."""
    _, worker = loaded_by(launch, tmp_path, "--set", "fit.method=differential_evolution", "--set", "scan.beta.points=2")
    assert "scipy.optimize" in worker


def test_importing_the_command_line_loads_no_library(alone):
    """So `--help` and shell completion are quick, and no MPI starts."""
    heavy = ("mpi4py", "scipy", "netCDF4", "matplotlib", "yaml", "numpy")
    job = alone("-c", f"import sys, hpcscan.commands.cli; sys.stdout.write(' '.join({{*{heavy}}} & {{*sys.modules}}))")
    assert (job.returncode, job.stdout, job.stderr) == (0, "", "")


@pytest.mark.parametrize("arguments", [("--version",), ("--help",), ("keys",), ("keys", "leptons")])
def test_commands_that_only_talk_start_no_mpi(alone, tmp_path, arguments):
    job = alone("-c", WATCHED, *arguments, cwd=tmp_path)
    assert job.returncode == 0, job.stderr
    loaded = set(json.loads((tmp_path / "loaded-0.json").read_text()))
    assert "hpcscan.commands.cli" in loaded
    assert not {"mpi4py", "scipy", "netCDF4", "matplotlib"} & loaded
