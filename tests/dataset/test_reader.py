"""A result is read whole; what is not a result is refused with a remedy and exit code 2."""

import netCDF4
import numpy as np
import pytest
from report.synthetic import BETA, W, good

from hpcscan.dataset.reader import read_scan
from hpcscan.errors import Exit, UsageError


def test_what_was_written_is_read(tmp_path):
    scan = read_scan(str(good(leptons=True).write(tmp_path / "scan.nc")))
    assert [(axis.name, len(axis.values)) for axis in scan.grid.axes] == [("beta", 16), ("w", 10)]
    assert scan.variables["chi2"].values.shape == (16, 10)
    assert scan.at_points("profiled_parameter").shape == (160, 2)
    assert scan.labels("lepton") == ("electron", "muon", "tau")
    assert (scan.unit("w"), scan.unit("chi2"), scan.unit("S_opt")) == ("model length", "", "MeV per energy unit")
    assert scan.profiled_scales == scan.scales == ("S",)
    assert scan.variables["status"].flags[1] == "converged"
    assert np.array_equal(scan.grid.points([11])[0], [BETA[1], W[1]])


def test_a_scale_that_the_model_derives_is_a_scale_without_interval(tmp_path):
    path = good().write(tmp_path / "scan.nc")
    with netCDF4.Dataset(path, "a") as dataset:
        dataset.createVariable("anchor_opt", "f8", ("beta", "w"))[:] = 3.0
    scan = read_scan(str(path))
    assert scan.scales == ("S", "anchor")
    assert scan.profiled_scales == ("S",)


def not_there(path):
    return str(path / "nothing.nc")


def folder(path):
    return str(path)


def text(path):
    (path / "a.nc").write_text("scan: {}\n")
    return str(path / "a.nc")


def truncated(path):
    whole = good().write(path / "a.nc").read_bytes()
    (path / "a.nc").write_bytes(whole[: len(whole) // 2])
    return str(path / "a.nc")


def somebody_elses(path):
    with netCDF4.Dataset(path / "a.nc", "w") as dataset:
        dataset.createDimension("x", 3)
    return str(path / "a.nc")


def with_schema(path):
    with netCDF4.Dataset(good().write(path / "a.nc"), "a") as dataset:
        dataset.hpcscan_schema, dataset.hpcscan_version = 99, "7.0"
    return str(path / "a.nc")


def without_chi2(path):
    with netCDF4.Dataset(good().write(path / "a.nc"), "a") as dataset:
        dataset.renameVariable("chi2", "chi_squared")
    return str(path / "a.nc")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (not_there, "does not exist"),
        (folder, "is a directory"),
        (text, "is not a netCDF file"),
        (truncated, "expected a result that hpcscan has written"),
        (somebody_elses, "not a result of hpcscan"),
        (with_schema, "has schema 99, written by hpcscan 7.0; this version reads schema 2 only"),
        (without_chi2, "chi2 is missing"),
    ],
)
def test_what_is_not_a_result_is_refused(tmp_path, make, words):
    path = make(tmp_path)
    with pytest.raises(UsageError) as caught:
        read_scan(path)
    assert caught.value.exit_code == Exit.USAGE
    assert words in str(caught.value)
    assert str(caught.value).startswith(path)
