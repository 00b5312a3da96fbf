"""The recipes of the README, run as they are written there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import hpcscan

HERE = Path(__file__).parent


@pytest.fixture
def run(alone, tmp_path):
    """Run a recipe, with options of the command line: the scan."""

    def run(name: str, *options: str) -> hpcscan.Scan:
        job = alone("-m", "hpcscan", HERE / f"{name}.yaml", "-o", tmp_path / "out.nc", *options)
        assert job.returncode == 0, job.stderr
        return hpcscan.open(tmp_path / "out.nc")

    return run


def test_counts_with_a_signal_strength_a_background_and_a_constraint(run):
    scan = run("counts")
    assert scan.best_fit.n_dof == 9 - 2
    assert scan.best_fit.parameters["strength"] == pytest.approx(1.2, abs=0.1)
    assert set(scan.to_xarray().term_name.values) == {"counts", "constraint.background"}
    assert np.isnan(scan.data.variables["sigma"].values[:8]).all()


def test_distances_with_a_covariance(run):
    scan = run("distances")
    assert scan.best_fit.parameters["S"] == pytest.approx(1.0, abs=0.02)
    assert scan.best_fit.n_dof == 24 - 3


def test_an_unbinned_fit(run):
    scan = run("unbinned")
    assert scan.best_fit.parameters["fraction"] == pytest.approx(0.2, abs=0.03)
    assert np.isnan(scan.best_fit.p_value)


def test_options_and_a_data_file(run):
    free = run("line")
    assert free.best_fit.parameters["bend"] == 0.0
    forced = run("line", "--set", "model.options.through=origin", "--overwrite")
    assert forced.best_fit.chi2 > free.best_fit.chi2 + 50


def test_choosing_what_is_scanned(run):
    """The same model: two parameters scanned and none profiled, or none scanned, which is one fit."""
    plane = run("line", "--set", "scan.offset={min: 0.3, max: 0.7, points: 5}", "--overwrite")
    assert plane.data.variables["chi2"].values.shape == (13, 5)
    one = run("line", "--set", "scan={}", "--overwrite")
    assert one.data.variables["chi2"].values.shape == ()
    assert one.best_fit.chi2 <= np.nanmin(plane.data.variables["chi2"].values)
