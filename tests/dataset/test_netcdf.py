"""How files are opened."""

from __future__ import annotations

import fcntl
import subprocess
import sys

import pytest

from hpcscan.dataset.netcdf import open_netcdf


@pytest.mark.parametrize(
    "name", [" ", " a.nc", "a ", "a#mode=zarr", "http://x/y.nc", "file://x", "s3://b/k", "[a=b]c", "é"]
)
def test_any_name_of_a_file_is_one(tmp_path, monkeypatch, name):
    """Some of them look like URLs."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    with open_netcdf(name, "w") as dataset:
        dataset.setncattr("title", "it")
    assert (tmp_path / name).is_file()
    with open_netcdf(name) as dataset:
        assert dataset.getncattr("title") == "it"


def test_nothing_is_locked(tmp_path):
    """A file that somebody else has locked is read: file systems without locks will do."""
    path = tmp_path / "a.nc"
    open_netcdf(path, "w").close()
    ask = f"from hpcscan.dataset.netcdf import open_netcdf; open_netcdf({str(path)!r}).close()"
    with path.open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        job = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=False, timeout=60)
    assert job.returncode == 0, job.stderr
