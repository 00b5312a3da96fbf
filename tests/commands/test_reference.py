"""The scan finds the exact minima of the sanity grid, through the whole program."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from commands.conftest import CONFIGS
from hpcscan.fitting.records import Status

MINIMA = json.loads((Path(__file__).parents[1] / "fitting" / "sanity_minima.json").read_text())
PUBLISHED = ("--set", "model.options.box=published")
ANCHORED = (*PUBLISHED, "--set", "model.options.mapping=electron_anchor")


def reference(box: str, name: str) -> np.ndarray:
    return np.array([point[name] for point in MINIMA[box]]).reshape(3, 3)


def test_the_grid_is_the_one_of_the_reference(scan):
    result = scan(CONFIGS / "sanity.yaml").result()
    beta, w = np.meshgrid(result["beta"], result["w"], indexing="ij")
    np.testing.assert_allclose(beta, reference("widened", "beta"), rtol=1e-11)
    np.testing.assert_allclose(w, reference("widened", "w"), rtol=1e-11)


def test_the_masses_are_matched_in_the_widened_box(launch, scan):
    """χ² is 0 at all nine points, and the text says that the landscape is flat."""
    job = scan(CONFIGS / "sanity.yaml", ranks=4, launcher=launch)
    assert job.exit_code == 0, job.stderr
    result = job.result()
    assert result["chi2"].shape == (3, 3)
    assert np.all(result["chi2"] <= 1e-10)
    assert np.all(result["chi2"] >= 0)
    np.testing.assert_allclose(result["predicted"], np.broadcast_to(result["observed"], (3, 3, 3)), rtol=1e-8)
    assert "9 converged of 9 points" in job.stderr
    assert "landscape is flat" in job.stderr


@pytest.mark.parametrize("seed", ["42", "7"])
def test_the_floor_of_the_published_box_is_reached(launch, scan, seed):
    """Within 1e-9 at every point, for any seed; the lowest point is a corner, and the text says so."""
    if launch.mpi == "openmpi" and seed != "42":
        launch = None
    ranks = 4 if launch else 1
    job = scan(CONFIGS / "sanity.yaml", *PUBLISHED, "--set", f"fit.seed={seed}", ranks=ranks, launcher=launch)
    assert job.exit_code == 0, job.stderr
    result = job.result()
    np.testing.assert_allclose(result["chi2"], reference("published", "chi2_min"), rtol=1e-9)
    assert "at beta = 3.15, w = 0.02" in job.stderr
    assert "the upper end of beta and the upper end of w: an edge of the grid" in " ".join(job.stderr.split())
    assert "muon.U at its lower bound at 9 of 9 points" in job.stderr
    assert "tau.U at its upper bound at 9 of 9 points" in job.stderr


def test_both_mappings_have_the_same_floor(scan):
    """The electron's energy can be anything near zero, so that it takes the place of the free scale."""
    job = scan(CONFIGS / "sanity.yaml", *ANCHORED)
    assert job.exit_code == 0, job.stderr
    result = job.result()
    np.testing.assert_allclose(result["chi2"], reference("published", "chi2_min"), rtol=1e-9)
    assert "S_opt" in result.values
    np.testing.assert_allclose(result["predicted"][..., 0], 0.511, rtol=1e-12)


def test_the_result_is_consistent_in_itself(scan):
    """Every variable against the others, as its description says."""
    result = scan(CONFIGS / "sanity.yaml", *PUBLISHED).result()
    chi2, pull, best = result["chi2"], result["pull"], result["profiled_parameter"]
    np.testing.assert_allclose((pull**2).sum(axis=-1), chi2, rtol=1e-12)
    np.testing.assert_allclose(pull, (result["predicted"] - result["observed"]) / result["sigma"], rtol=1e-12)
    np.testing.assert_array_equal(result["delta_chi2"], chi2 - result["best_fit_chi2"])
    assert chi2.min() * (1 - 1e-9) < result["best_fit_chi2"] <= chi2.min()
    energy = result["energy_circulation"] - result["energy_stabilization"] + result["energy_gradient"]
    np.testing.assert_allclose(result["energy_total"], energy, rtol=0, atol=1e-12 * result["energy_circulation"].max())
    np.testing.assert_allclose(result["S_opt"][..., None] * result["energy_total"], result["predicted"], rtol=1e-12)
    np.testing.assert_array_equal(result["at_bound"] == -1, best == result["parameter_lower"])
    np.testing.assert_array_equal(result["at_bound"] == 1, best == result["parameter_upper"])
    assert np.all((best >= result["parameter_lower"]) & (best <= result["parameter_upper"]))
    np.testing.assert_allclose(np.nanmin(result["start_chi2"], axis=-1), chi2, rtol=1e-9)
    converged = (result["start_status"] == Status.CONVERGED).sum(axis=-1)
    np.testing.assert_array_equal(result["n_starts_converged"], converged)
    assert np.all(result["n_starts_at_minimum"] <= converged)


def test_the_published_fitter_runs_through_the_same_records(scan):
    """One run per point, stopped after two generations: a result, not converged, with the same variables."""
    few = ("--set", "scan.beta.points=2", "--set", "scan.w.points=1", "--set", "scan.w.max=0.01")
    method = ("--set", "fit.method=differential_evolution", "--set", "fit.max_iter=2")
    job = scan(CONFIGS / "sanity.yaml", *PUBLISHED, *few, *method)
    assert job.exit_code == 1, job.stderr
    result = job.result()
    floor = reference("published", "chi2_min")[[0, 2], 0]
    assert np.all(result["chi2"][:, 0] >= floor * (1 - 1e-9))
    assert np.all(result["chi2"][:, 0] < 100 * floor)
    np.testing.assert_array_equal(result["status"], Status.NOT_CONVERGED)
    np.testing.assert_array_equal(result["n_starts"], 1)
    np.testing.assert_array_equal(result["start_chi2"][..., 0], result["chi2"])
    assert np.all(result["n_evaluations"] > 3 * 15 * 9)
    assert result.values.keys() == scan(CONFIGS / "sanity.yaml", *PUBLISHED).result().values.keys()
