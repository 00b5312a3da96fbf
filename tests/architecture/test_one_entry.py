"""A setting, and a result of every point, is declared in one place: one more line there is all that it takes."""

from __future__ import annotations

import shutil

import netCDF4
import numpy as np
import pytest

from architecture.sources import PACKAGE

SETTING = '    patience: Annotated[int, Setting("whole number", "how long to wait", highest=9)] = 3\n'
RESULT = '    luck: Annotated[Array, _numbers("luck of the point", comment="of no use")]\n'
SCAN = "scan: {beta: {values: [3.0]}, w: {values: [0.01, 0.02]}}\nmodel: {name: leptons}\nfit: {starts: 1}\n"


@pytest.fixture(scope="module")
def changed(tmp_path_factory):
    """A folder with a copy of the package that has one more line in each of two files."""
    folder = tmp_path_factory.mktemp("changed")
    shutil.copytree(PACKAGE, folder / "hpcscan", ignore=shutil.ignore_patterns("__pycache__"))
    for name, before, line in (
        ("settings.py", "    time_limit: Annotated[", SETTING),
        ("fitting/records.py", "    fit_seconds: Annotated[", RESULT),
    ):
        file = folder / "hpcscan" / name
        text = file.read_text()
        assert text.count(before) == 1
        file.write_text(text.replace(before, line + before))
    (folder / "scan.yaml").write_text(SCAN)
    return folder


def run(alone, folder, *arguments):
    """Run the changed copy, which is found first."""
    start = f"import runpy, sys; sys.path.insert(0, {str(folder)!r}); runpy.run_module('hpcscan', run_name='__main__')"
    return alone("-c", start, *arguments, cwd=folder)


def test_both_reach_the_file(alone, changed):
    """The value of the setting is in the configuration of the result; the new array is a variable, blank."""
    job = run(alone, changed, "scan.yaml", "-o", "out.nc", "--set", "fit.patience=5")
    assert (changed / "out.nc").exists(), job.stderr
    with netCDF4.Dataset(changed / "out.nc") as dataset:
        assert "patience: 5" in dataset.hpcscan_config
        assert "fit.patience" in dataset.hpcscan_identity
        luck = dataset["luck"]
        assert (luck.dimensions, luck.long_name, luck.comment) == (("beta", "w"), "luck of the point", "of no use")
        assert np.all(np.isnan(np.ma.filled(luck[...], np.nan)))


def test_the_setting_is_listed(alone, changed):
    listed = run(alone, changed, "keys").stdout.splitlines()
    (line,) = (line for line in listed if line.startswith("fit.patience "))
    assert {"whole", "3"} <= set(line.split())


def test_its_limits_are_held(alone, changed):
    job = run(alone, changed, "scan.yaml", "-o", "other.nc", "--set", "fit.patience=10")
    assert job.returncode == 2
    assert "fit.patience: expected a whole number from 1 to 9, found the number 10" in job.stderr
