"""The job scripts do what they say, with the launcher of this environment and without a batch system."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from launch import OPENMPI_ENVIRONMENT, environment, run_to_its_end
from netCDF4 import Dataset

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted((ROOT / "jobs").glob("*.sh"))
BATCH_SCRIPTS = [path for path in SCRIPTS if "#SBATCH" in path.read_text()]

#: Takes the place of a site's launcher: notes its arguments, and the threads that it would hand on, then launches.
SRUN = """\
#!/usr/bin/env bash
echo "$@" > srun.arguments
echo "$OMP_NUM_THREADS $OPENBLAS_NUM_THREADS $MKL_NUM_THREADS $SRUN_CPUS_PER_TASK" > srun.threads
shift
exec mpirun "$@"
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The repository's configurations and scripts, and an environment to activate, in a directory of their own."""
    if not (Path(sys.prefix) / "bin" / "mpirun").exists():
        pytest.skip("needs an environment with the extra mpich (or openmpi)")
    for name in ("configs", "jobs"):
        shutil.copytree(ROOT / name, tmp_path / name)
    (tmp_path / "srun").write_text(SRUN)
    (tmp_path / "srun").chmod(0o755)
    (tmp_path / "activate").write_text(f'PATH="{Path(sys.prefix) / "bin"}:$PATH"\n')
    return tmp_path


def submit(root: Path, script: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a script like the batch system does: from a copy elsewhere, in the directory where it was submitted."""
    spooled = root / "spool" / "slurm_script"
    spooled.parent.mkdir(exist_ok=True)
    shutil.copy(root / "jobs" / script, spooled)
    path = f"{root}{os.pathsep}{os.environ['PATH']}"
    source = f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    extra = {"PATH": path, "PYTHONPATH": source, "ACTIVATE": "./activate", **OPENMPI_ENVIRONMENT, **variables}
    return run_to_its_end(["bash", str(spooled), *arguments], 120.0, environment(extra), root)


def statuses(path: Path) -> list[int]:
    with Dataset(path) as dataset:
        return np.unique(dataset["status"][:]).tolist()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_is_bash(script: Path) -> None:
    subprocess.run(["bash", "-n", script], check=True)


@pytest.mark.mpi
def test_the_local_script_runs_a_scan(root: Path) -> None:
    """Further arguments are hpcscan's own."""
    run = submit(root, "local.sh", "configs/smoke.yaml", "-o", "here.nc", RANKS="2")
    assert run.returncode == 0, run.stderr
    assert "on 2 ranks" in run.stderr
    assert statuses(root / "here.nc") == [1]


@pytest.mark.mpi
@pytest.mark.parametrize(("script", "result"), [("slurm-smoke.sh", "smoke-7.nc"), ("slurm-full.sh", "full.nc")])
def test_a_batch_script_runs_its_scan_with_the_sites_launcher(root: Path, script: str, result: str) -> None:
    """All ranks of the job, one thread each; the smoke test has the job's number in the name of its result."""
    run = submit(root, script, LAUNCHER="srun --mpi=site", SLURM_NTASKS="3", SLURM_JOB_ID="7", SLURM_CPUS_PER_TASK="1")
    assert run.returncode == 0, run.stderr
    assert "on 3 ranks" in run.stderr
    assert statuses(root / "results" / result) == [1]
    assert (root / "srun.arguments").read_text().startswith("--mpi=site -n 3 python -m hpcscan configs/")
    assert (root / "srun.threads").read_text() == "1 1 1 1\n"


@pytest.mark.mpi
def test_the_full_script_goes_on_with_the_configuration_it_is_given(root: Path) -> None:
    """A job that was stopped, the next one that ends its work, and one too many."""
    config, result = root / "configs" / "sanity.yaml", root / "results" / "sanity.nc"
    whole = config.read_text()
    config.write_text(f"{whole}run: {{max_time: 1e-3}}\n")
    assert submit(root, "slurm-full.sh", "configs/sanity.yaml", SLURM_NTASKS="2", SLURM_JOB_ID="8").returncode == 75
    config.write_text(whole)
    run = submit(root, "slurm-full.sh", "configs/sanity.yaml", SLURM_NTASKS="2", SLURM_JOB_ID="9")
    assert run.returncode == 0, run.stderr
    assert statuses(result) == [1]
    again = submit(root, "slurm-full.sh", "configs/sanity.yaml", SLURM_NTASKS="2", SLURM_JOB_ID="10")
    assert again.returncode == 0, again.stderr
    assert "already complete" in again.stderr


@pytest.mark.mpi
def test_the_exit_code_of_a_job_is_that_of_its_scan(root: Path) -> None:
    """A batch system tells success by it; here the result exists already."""
    (root / "results").mkdir()
    (root / "results" / "smoke-9.nc").touch()
    run = submit(root, "slurm-smoke.sh", SLURM_NTASKS="2", SLURM_JOB_ID="9")
    assert run.returncode == 2
    assert "exists" in run.stderr


@pytest.mark.parametrize("script", [path.name for path in BATCH_SCRIPTS])
def test_a_missing_environment_is_named(root: Path, script: str) -> None:
    run = submit(root, script, SLURM_NTASKS="2", SLURM_JOB_ID="9", ACTIVATE="nowhere/activate")
    assert run.returncode == 2
    assert "there is no nowhere/activate" in run.stderr


@pytest.mark.parametrize(
    ("restarts", "finished", "scontrol", "said"),
    [
        ("", "5", "echo called", "requeued, to go on in attempt 2\ncalled 7\n"),
        ("1", "5", "echo called", "requeued, to go on in attempt 3\ncalled 7\n"),
        ("2", "5", "echo called", "not requeued, because it was the last attempt"),
        ("", "4", "echo called", "not requeued, because no fit was finished"),
        ("", "5", "false", "requeued, to go on in attempt 2\nno, scontrol failed: submit it again to go on\n"),
    ],
)
def test_when_a_job_is_requeued(restarts: str, finished: str, scontrol: str, said: str) -> None:
    """After progress, as long as there are attempts left; as far as Slurm goes, the job has failed."""
    lines = [f"python() {{ echo {finished}; }}", f'scontrol() {{ [ "$1" = requeue ] && {scontrol} "$2"; }}']
    text = "\n".join([f". {ROOT / 'jobs' / 'batch.sh'}", *lines, "requeue results/full.nc 4"])
    variables = {"ATTEMPTS": "3", "SLURM_JOB_ID": "7"} | ({"SLURM_RESTART_COUNT": restarts} if restarts else {})
    run = run_to_its_end(["bash", "-euc", f"exec 2>&1; {text}"], 10.0, environment(variables), ROOT)
    assert run.returncode == 75
    first, _, rest = run.stdout.partition("\n")
    attempt = int(restarts or 0) + 1
    assert first == f"attempt {attempt} of at most 3: {finished} fits of results/full.nc are finished, 4 were before it"
    assert rest.startswith(said)


def test_modules_are_loaded_before_the_environment(root: Path) -> None:
    """`module` is a function of the site's shell; an unknown module ends the job before anything is computed."""
    modules = root / "site-profile"
    modules.write_text('module() { echo "$@" >> modules.loaded; [ "$2" != unknown ]; }\n')
    variables = {"BASH_ENV": str(modules), "MODULES": "python/3.11 unknown mpi", "ACTIVATE": "nowhere/activate"}
    run = submit(root, "slurm-smoke.sh", SLURM_NTASKS="2", SLURM_JOB_ID="9", **variables)
    assert run.returncode == 1
    assert (root / "modules.loaded").read_text() == "load python/3.11\nload unknown\n"
