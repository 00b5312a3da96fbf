"""The result file: what is in it, and that it is all or nothing."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import xarray
from toy_results import Rich, random_results, rich_grid, with_failures

from hpcscan.dataset import writer as dataset_module
from hpcscan.dataset.provenance import SCHEMA
from hpcscan.dataset.variables import dimension_sizes, variable_table
from hpcscan.dataset.writer import n_bytes, write_dataset
from hpcscan.errors import StorageError
from hpcscan.fitting.records import PointResults
from hpcscan.model.problem import Problem

ATTRIBUTES = {
    "Conventions": "CF-1.11 ACDD-1.3",
    "title": "a scan",
    "summary": "χ²",
    "history": "made",
    "source": "hpcscan",
    "hpcscan_schema": SCHEMA,
}


@pytest.fixture
def rewrite(tmp_path, grid, model, results):
    """Write the same results, always to the same file."""

    def rewrite(attributes=ATTRIBUTES) -> Path:
        write_dataset(tmp_path / "scan.nc", grid, model, results, attributes)
        return tmp_path / "scan.nc"

    return rewrite


@pytest.fixture
def path(rewrite):
    return rewrite()


@pytest.fixture
def opened(path):
    with xarray.open_dataset(path) as opened:
        yield opened


def test_holds_the_table_and_nothing_else(opened, grid, model):
    """Every row of the table is in the file, and nothing else."""
    assert set(opened.variables) == {row.name for row in variable_table(grid, model)}


def test_has_the_promised_names(opened):
    """The names that notebooks rely on are there, on the promised dimensions."""
    point = ("beta", "w", "T")
    promised = dict.fromkeys(("chi2", "delta_chi2", "S_opt", "G_opt", "edm", "status", "length"), point)
    promised |= dict.fromkeys(("n_starts", "n_starts_converged", "n_starts_at_minimum"), point)
    promised |= dict.fromkeys(("n_evaluations", "n_iterations", "n_model_rows", "wave", "fit_seconds", "rank"), point)
    promised |= dict.fromkeys(("chi2_lower_bound", "optimality_gap", "unexplored_fraction", "repaired"), point)
    promised |= dict.fromkeys(("evidence", "n_boxes", "unique_within", "n_fresh", "n_hits", "largest_rank"), point)
    promised |= dict.fromkeys(("S_opt_lower", "S_opt_upper", "G_opt_lower", "G_opt_upper"), point)
    promised |= dict.fromkeys(("start_spread", "n_flat_directions", "n_determined_axes"), point)
    promised |= dict.fromkeys(("profiled_parameter", "at_bound", "bound_multiplier"), (*point, "parameter"))
    promised |= dict.fromkeys(("predicted", "pull"), (*point, "observable"))
    promised |= dict.fromkeys(("start_chi2", "start_status"), (*point, "start"))
    promised |= dict.fromkeys(("energy_total", "energy_gradient"), (*point, "lepton"))
    for label in ("parameter", "observable", "lepton"):
        promised[f"{label}_name"] = (label,)
    promised |= dict.fromkeys(
        ("parameter_lower", "parameter_upper", "parameter_unit", "parameter_label"), ("parameter",)
    )
    promised |= dict.fromkeys(("parameter_start_lower", "parameter_start_upper"), ("parameter",))
    promised |= dict.fromkeys(
        ("observed", "sigma", "is_tolerance", "observable_unit", "term_name", "observable_x"), ("observable",)
    )
    labels = ("term_label", "observable_x_label", "observable_x_unit", "is_correlated")
    promised |= dict.fromkeys(labels, ("observable",))
    promised |= {name: (name,) for name in point}
    assert {name: variable.dims for name, variable in opened.variables.items()} == promised


def test_values_are_the_results(opened, grid, model, results):
    """Every result is found at its place, with its bits."""
    names = set(vars(results)) & set(opened.variables)
    assert len(names) == 30
    for name in names:
        array = getattr(results, name)
        np.testing.assert_array_equal(opened[name].values, array.reshape(grid.shape + array.shape[1:]), strict=True)
    for name, array in results.derived.items():
        np.testing.assert_array_equal(opened[name].values, array.reshape(grid.shape + array.shape[1:]))
    np.testing.assert_array_equal(opened["S_opt"].values.ravel(), results.scale[:, 0])
    np.testing.assert_array_equal(opened["G_opt_upper"].values.ravel(), results.scale_upper[:, 1])
    np.testing.assert_array_equal(opened["optimality_gap"].values.ravel(), results.chi2 - results.chi2_lower_bound)
    np.testing.assert_array_equal(opened["G_opt"].values.ravel(), results.scale[:, 1])


def test_a_point_is_found_by_its_coordinates(opened, grid, results):
    """Selecting by scan values gives the point with that index in the grid."""
    index = 13
    beta, w, temperature = grid.points([index])[0]
    point = opened.sel(beta=beta, w=w, T=temperature)
    assert point["chi2"] == results.chi2[index]
    assert point["start_chi2"].values.tolist() == results.start_chi2[index].tolist()


def test_declarations_are_kept(opened, model):
    """Bounds, data and labels are those of the model; labels come as coordinates."""
    assert opened["parameter_name"].values.tolist() == [p.name for p in model.parameters]
    assert opened["parameter_unit"].values.tolist() == [p.unit for p in model.parameters]
    assert opened["observable_name"].values.tolist() == ["muon", "width", "ratio"]
    assert opened["lepton_name"].values.tolist() == ["muon", "tau"]
    assert opened["parameter_lower"].values.tolist() == [0.05, 0.02, -np.inf, 2.0]
    assert opened["observed"].values.tolist() == [105.7, 3.0, 1.0]
    assert {"parameter_name", "observable_name", "lepton_name"} <= set(opened.coords)
    assert "parameter_name" in opened["profiled_parameter"].coords


def test_pull_is_the_distance_in_sigmas(opened):
    """pull = (predicted − observed)/σ."""
    expected = (opened["predicted"] - opened["observed"]) / opened["sigma"]
    np.testing.assert_array_equal(opened["pull"].values, expected.values)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("beta", {"units": "1", "long_name": "vacuum stiffness"}),
        ("w", {"units": "1", "unit_name": "model length"}),
        ("T", {"units": "K", "long_name": "T"}),
        ("S_opt", {"units": "1", "unit_name": "MeV per energy unit"}),
        ("predicted", {"units": "MeV"}),
        ("observed", {"units": "MeV"}),
        ("pull", {"units": "1"}),
        ("profiled_parameter", {"units": "1", "comment": "each entry is in its parameter_unit"}),
        ("length", {"units": "m"}),
        ("fit_seconds", {"units": "s", "role": "run"}),
        ("rank", {"role": "run"}),
        (
            "status",
            {"flag_meanings": "not_run converged not_converged failed timed_out", "standard_name": "status_flag"},
        ),
        ("at_bound", {"flag_meanings": "lower_bound free upper_bound", "standard_name": "status_flag"}),
    ],
)
def test_attributes(opened, name, expected):
    """Units, flags and roles are said in the words that were agreed."""
    assert expected.items() <= opened[name].attrs.items()


def test_roles_tell_what_is_of_the_run_and_what_is_of_the_model(opened):
    """Nothing but the time and the rank may differ between equal runs."""
    roles = {name: variable.attrs["role"] for name, variable in opened.variables.items() if "role" in variable.attrs}
    assert {name for name, role in roles.items() if role == "run"} == {"fit_seconds", "rank"}
    assert {name for name, role in roles.items() if role == "derived"} == {"energy_total", "energy_gradient", "length"}
    assert {*roles.values()} == {"run", "derived"}


def test_flags_are_bytes(opened):
    """Flag values have the type of their variable."""
    assert opened["status"].attrs["flag_values"].tolist() == [0, 1, 2, 3, 4]
    assert opened["at_bound"].attrs["flag_values"].tolist() == [-1, 0, 1]
    for name in ("status", "start_status", "at_bound"):
        assert opened[name].dtype == opened[name].attrs["flag_values"].dtype == np.int8


def test_fill_values(path):
    """Floats have NaN for missing, integers and coordinates nothing."""
    with netCDF4.Dataset(path) as raw:
        fills = {name: getattr(v, "_FillValue", None) for name, v in raw.variables.items() if v.dtype is not str}
        kinds = {name: raw[name].dtype.kind for name in fills}
    for name, fill in fills.items():
        expected_nan = kinds[name] == "f" and name not in ("beta", "w", "T")
        assert (fill is not None and np.isnan(fill)) if expected_nan else fill is None, name


def test_global_attributes(opened):
    """Text of any script and integers come back as they were given."""
    assert opened.attrs == ATTRIBUTES


@pytest.mark.parametrize(
    ("value", "stored"),
    [("x" * 200_000, "x" * 200_000), ("a\udcffb", "a\\udcffb"), ("", ""), (2**80, str(2**80)), (2**63 - 1, 2**63 - 1)],
    ids=["long", "bytes", "empty", "128 bits", "64 bits"],
)
def test_awkward_attributes_are_kept(rewrite, value, stored):
    """A long plugin, a command line that is not UTF-8 and a huge seed do not cost the scan."""
    with xarray.open_dataset(rewrite({"value": value})) as opened:
        assert opened.attrs["value"] == stored


def test_passes_the_cf_checker(path):
    """The compliance checker finds no error, and no name, unit or flag to complain about."""
    checker = [Path(sys.executable).with_name("compliance-checker"), "--test", "cf:1.11", "--criteria", "strict", path]
    done = subprocess.run(checker, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "All tests passed!" in done.stdout, done.stdout


def test_failed_points_have_no_delta_chi2(tmp_path, grid, model, results):
    """Δχ² counts from the lowest point that has a χ², and is missing where χ² is."""
    lowest = int(np.argmin(results.chi2))
    failed = with_failures(results, [lowest, 3])
    write_dataset(tmp_path / "a.nc", grid, model, failed, {})
    with xarray.open_dataset(tmp_path / "a.nc") as opened:
        delta = opened["delta_chi2"].values.ravel()
    assert np.flatnonzero(np.isnan(delta)).tolist() == sorted([lowest, 3])
    assert np.nanmin(delta) == 0.0
    np.testing.assert_array_equal(delta, failed.chi2 - np.nanmin(failed.chi2))


def test_a_grid_of_failures_is_written(tmp_path, grid, model):
    """Where no point has a χ² the file still accounts for every point."""
    nothing = PointResults.not_run(model, np.arange(grid.n_points), 2)
    write_dataset(tmp_path / "a.nc", grid, model, nothing, {})
    with xarray.open_dataset(tmp_path / "a.nc") as opened:
        assert opened["delta_chi2"].isnull().all()
        assert opened["status"].values.ravel().tolist() == [0] * grid.n_points
        assert (opened["rank"] == -1).all()


def test_incomplete_results_are_refused(tmp_path, grid, model, results):
    """No point may be missing, and none out of order."""
    with pytest.raises(ValueError, match="each of the 24 grid points once, in order"):
        write_dataset(tmp_path / "a.nc", grid, model, replace(results, point_index=results.point_index[::-1]), {})


def test_two_writes_give_the_same_bytes(path, rewrite):
    """Equal results make equal files, byte for byte."""
    before = path.read_bytes()
    assert rewrite().read_bytes() == before


def test_slabs_do_not_change_the_values(tmp_path, model):
    """A grid that is written in many deflated slabs has the same values as its results."""
    grid = rich_grid((7, 41, 53))
    results = random_results(model, grid, n_starts=40)
    write_dataset(tmp_path / "a.nc", grid, model, results, {})
    with netCDF4.Dataset(tmp_path / "a.nc") as raw:
        assert len(raw["start_chi2"].chunking()) == 4
        assert raw["start_chi2"].chunking()[0] < 7
        assert raw["start_chi2"].filters()["zlib"]
    with xarray.open_dataset(tmp_path / "a.nc") as opened:
        np.testing.assert_array_equal(opened["start_chi2"].values.reshape(-1, 40), results.start_chi2)
        np.testing.assert_array_equal(opened["S_opt"].values.ravel(), results.scale[:, 0])
        np.testing.assert_array_equal(opened["delta_chi2"].values.ravel(), results.chi2 - results.chi2.min())


def test_the_estimate_bounds_the_numbers(tmp_path, model):
    """The size that `n_bytes` gives is what the numbers take before deflate."""
    grid = rich_grid((5, 6, 7))
    write_dataset(tmp_path / "a.nc", grid, model, random_results(model, grid), {})
    with netCDF4.Dataset(tmp_path / "a.nc") as raw:
        stored = sum(v.size * v.dtype.itemsize for v in raw.variables.values() if v.dtype is not str)
    assert n_bytes(variable_table(grid, model), dimension_sizes(grid, model, 5)) == stored


def test_a_model_without_parameters_is_written(tmp_path, grid):
    """A scan that only profiles scales has an empty parameter dimension."""

    class Bare(Rich):
        parameters = ()
        derived = ()

    bare: Problem = Bare()
    write_dataset(tmp_path / "a.nc", grid, bare, random_results(bare, grid), {})
    with xarray.open_dataset(tmp_path / "a.nc") as opened:
        assert opened.sizes["parameter"] == 0
        assert opened["chi2"].shape == grid.shape


# Failures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("NetCDF: HDF error")])
def test_a_failure_leaves_the_old_file(monkeypatch, path, rewrite, error):
    """Whatever fails while writing, the old result is untouched and nothing lies about."""
    before = path.read_bytes()

    def fill(*_):
        raise error

    monkeypatch.setattr(dataset_module, "_fill", fill)
    with pytest.raises(StorageError, match=r"cannot write .*scan\.nc: (No space left|NetCDF: HDF error)"):
        rewrite()
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["scan.nc"]


def test_an_interruption_leaves_the_old_file(monkeypatch, path, rewrite):
    """Ctrl-C while writing is not swallowed, and leaves nothing."""
    before = path.read_bytes()

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(dataset_module, "_fill", interrupt)
    with pytest.raises(KeyboardInterrupt):
        rewrite()
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["scan.nc"]


def test_a_file_that_cannot_grow(tmp_path, model):
    """When the file system refuses more bytes, the user is told, the old file stays, and the next write works."""
    grid = rich_grid((20, 20, 20))
    results, path = random_results(model, grid), tmp_path / "scan.nc"
    path.write_text("old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(StorageError, match="cannot write"):
            write_dataset(path, grid, model, results, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["scan.nc"]
    write_dataset(path, grid, model, results, {})
    with xarray.open_dataset(path) as opened:
        assert opened["chi2"].size == grid.n_points


def test_a_missing_directory(tmp_path, grid, model, results):
    """A directory that vanished during the run is named."""
    with pytest.raises(StorageError, match=r"the directory .*gone is missing, create it"):
        write_dataset(tmp_path / "gone" / "scan.nc", grid, model, results, {})


def test_the_last_step_is_atomic(monkeypatch, path, rewrite):
    """The new file takes the old one's place by a rename within the directory, once it is on the disk."""
    calls = []
    fsync, rename = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (calls.append("fsync"), fsync(fd))[1])
    monkeypatch.setattr(
        Path, "replace", lambda a, b: (calls.append(("replace", a.parent == b.parent)), rename(a, b))[1]
    )
    rewrite()
    assert calls == ["fsync", ("replace", True), "fsync"]


def test_importing_the_writer_does_not_load_netcdf():
    """Only the rank that writes pays for the library."""
    program = "import sys, hpcscan.dataset.writer, hpcscan.dataset.provenance; sys.exit('netCDF4' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
