"""What goes wrong while the scan runs: a prediction that is no number costs its start, other surprises the job."""

from __future__ import annotations

import numpy as np
import pytest

from commands.conftest import PLUGINS, start
from commands.plugins.moody import LIMIT, Moody
from commands.results import read
from hpcscan.fitting.records import Status
from hpcscan.fitting.starts import draw_starts
from hpcscan.likelihood.box import Box
from hpcscan.model.posing import pose

SCAN = """\
scan: {x: {values: [1, 2, 3, 4]}}
model: {plugin: PLUGINS/moody.py:Moody, options: {mood: MOOD}}
fit: {starts: 8}
run: {chunk: 1}
output: results/out.nc
"""


@pytest.fixture
def moody(tmp_path):
    """A configuration for a model in this mood."""

    def write(mood):
        path = tmp_path / "scan.yaml"
        path.write_text(SCAN.replace("PLUGINS", str(PLUGINS)).replace("MOOD", mood))
        return path

    return write


def run(moody, mood, tmp_path, ranks=1, launcher=None, *options):
    return start(("-m", "hpcscan", moody(mood), *options), ranks, launcher, cwd=tmp_path)


def test_a_model_in_good_mood(moody, tmp_path):
    """What the others are compared with."""
    job = run(moody, "fine", tmp_path)
    assert job.returncode == 0, job.stderr
    result = read(tmp_path / "results/out.nc")
    np.testing.assert_allclose(result["chi2"], [1, 4, 9, 16], rtol=1e-9)


def test_a_start_that_is_not_finite_fails_and_the_others_go_on(own_mpi, moody, tmp_path):
    """Exactly the starts that were drawn where there is no prediction have status failed."""
    job = run(moody, "nan above", tmp_path, 2, own_mpi)
    assert job.returncode == 0, job.stderr
    result = read(tmp_path / "results/out.nc")
    np.testing.assert_allclose(result["chi2"], [1, 4, 9, 16], rtol=1e-9)
    drawn = draw_starts(
        Box.of(pose(Moody("fine"), ("x",))), np.array([[1.0], [2.0], [3.0], [4.0]]), seed=42, n_starts=8
    )[0]
    is_outside = drawn > LIMIT
    assert is_outside.any()
    np.testing.assert_array_equal(result["start_status"] == Status.FAILED, is_outside)
    np.testing.assert_array_equal(np.isnan(result["start_chi2"]), is_outside)
    np.testing.assert_array_equal(result["n_starts_converged"], 8 - is_outside.sum(axis=1))


def test_a_point_whose_starts_all_fail_has_failed_and_the_others_go_on(own_mpi, moody, tmp_path):
    """Its status says so, its numbers are missing, and the exit code is 1."""
    job = run(moody, "nan at 2", tmp_path, 2, own_mpi)
    assert job.returncode == 1, job.stderr
    assert "status: 3 converged, 1 failed of 4 points" in job.stderr
    result = read(tmp_path / "results/out.nc")
    converged, failed = Status.CONVERGED, Status.FAILED
    assert result["status"].tolist() == [converged, failed, converged, converged]
    assert result["start_status"][1].tolist() == [failed] * 8
    for name in ("chi2", "delta_chi2", "edm", "profiled_parameter", "predicted", "pull", "start_chi2"):
        assert np.isnan(result[name][1]).all(), name
        assert np.isfinite(result[name][[0, 2, 3]]).all(), name
    assert result["n_starts"].tolist() == [8] * 4
    assert result["n_starts_converged"][1] == result["n_starts_at_minimum"][1] == 0


def test_a_model_that_predicts_nothing_finite_anywhere_is_a_mistake(moody, tmp_path):
    job = run(moody, "nan", tmp_path)
    assert job.returncode == 2, job.stderr
    assert "predict returned inf for of_a, and nothing better at any of 64 places" in job.stderr
    assert not list(tmp_path.glob("results/*"))


def test_a_scan_in_which_everything_fails_is_a_result_too(moody, tmp_path):
    job = run(moody, "nan in the run", tmp_path)
    assert job.returncode == 1, job.stderr
    assert "no point has a chi2" in job.stderr
    assert read(tmp_path / "results/out.nc").count(Status.FAILED) == 4


def test_a_point_at_which_a_model_raises_has_failed_and_the_others_go_on(launch, moody, tmp_path):
    """Exit 1; its traceback is told once, with the rank and the line of the plugin."""
    job = run(moody, "raises", tmp_path, 4, launch)
    assert job.returncode == 1, job.stderr
    assert "point x = 2 failed on rank " in job.stderr
    assert 'raise ArithmeticError("two is too much")' in job.stderr
    assert job.stderr.count("Traceback") == 1
    converged, failed = Status.CONVERGED, Status.FAILED
    assert read(tmp_path / "results/out.nc")["status"].tolist() == [converged, failed, converged, converged]


def test_a_model_that_leaves_the_program_fails_at_that_point(launch, moody, tmp_path):
    """`sys.exit(0)` in a model is an exception like any other."""
    job = run(moody, "exits", tmp_path, 4, launch)
    assert job.returncode == 1, job.stderr
    assert "SystemExit: 0" in job.stderr
    converged, failed = Status.CONVERGED, Status.FAILED
    assert read(tmp_path / "results/out.nc")["status"].tolist() == [converged, failed, converged, converged]


def test_a_directory_that_vanishes_is_a_storage_error(launch, moody, tmp_path):
    """Exit 74 on every rank, with the remedy and without a traceback."""
    job = run(moody, "removes results", tmp_path, 4, launch)
    assert job.returncode == 74, job.stderr
    assert job.stderr.count("cannot write results/out.nc") == 1
    assert "the directory results is missing" in job.stderr
    assert "Traceback" not in job.stderr


#: A process whose files cannot grow: writing fails as it does on a full disk.
LIMITED = """\
import resource, runpy
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
runpy.run_module("hpcscan", run_name="__main__", alter_sys=True)
"""


def test_a_full_disk_is_a_storage_error_and_the_old_result_survives(moody, tmp_path):
    assert run(moody, "fine", tmp_path).returncode == 0
    before = (tmp_path / "results/out.nc").read_bytes()
    # MPI's own files could not grow either.
    no_mpi = {"MPI4PY_LIBMPI": str(tmp_path / "nowhere.so")}
    job = start(("-c", LIMITED, moody("fine"), "--overwrite"), cwd=tmp_path, env=no_mpi)
    assert job.returncode == 74, job.stderr
    assert job.stderr.count("cannot write results/out.nc") == 1
    assert "Traceback" not in job.stderr
    assert (tmp_path / "results/out.nc").read_bytes() == before
    assert sorted(path.name for path in (tmp_path / "results").iterdir()) == ["out.log", "out.nc"]
