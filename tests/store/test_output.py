"""Checking the output before anything is computed."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from hpcscan.errors import UsageError
from hpcscan.output.destination import check_output, make_room


def test_a_new_file_is_accepted_and_leaves_nothing(tmp_path):
    """To ask is not to do; afterwards directories are made, and nothing else."""
    output = tmp_path / "a" / "b" / "scan.nc"
    check_output(str(output))
    assert list(tmp_path.rglob("*")) == []
    assert make_room(str(output)) == output
    assert list(tmp_path.rglob("*")) == [tmp_path / "a", tmp_path / "a" / "b"]


def test_a_relative_path_is_relative_to_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    check_output("results/scan.nc")
    assert make_room("results/scan.nc") == Path("results/scan.nc")
    assert (tmp_path / "results").is_dir()


def test_a_directory_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"cannot be written there \(.+\); choose another place with -o"):
        make_room(str(tmp_path / "file" / "scan.nc"))


def test_an_existing_result_may_stay(tmp_path):
    """Whether it may be replaced is not asked here."""
    output = tmp_path / "scan.nc"
    output.write_text("old")
    check_output(str(output))
    assert output.read_text() == "old"


@pytest.mark.parametrize("path", ["", ".", "/"])
def test_a_directory_is_refused(path):
    with pytest.raises(UsageError, match=r"is a directory; name a file"):
        check_output(path)


def test_a_device_is_refused():
    """Replacing /dev/null would be possible, and a disaster."""
    with pytest.raises(UsageError, match="not a regular file"):
        check_output("/dev/null")


def test_a_backslash_is_refused(tmp_path):
    """The library that writes would look for a directory."""
    with pytest.raises(UsageError, match="takes a backslash for a slash; choose another with -o"):
        check_output(str(tmp_path / "a\\b.nc"))


@pytest.mark.parametrize(
    "place", ["{tmp}/file/scan.nc", "{tmp}/file/deeper/scan.nc", "/proc/scan.nc", "/proc/none/scan.nc"]
)
def test_an_impossible_place_is_refused(tmp_path, place):
    """A parent that is a file, or a file system that takes no files."""
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"cannot be written there \(.+\); choose another place with -o"):
        check_output(place.format(tmp=tmp_path))
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC])
def test_a_place_without_permission_is_refused(tmp_path, monkeypatch, number):
    """The reason that the file system gives is passed on."""

    def refuse(*_, **__):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "touch", refuse)
    with pytest.raises(UsageError, match=os.strerror(number)):
        check_output(str(tmp_path / "scan.nc"))


def test_a_name_that_only_the_writer_finds_too_long(tmp_path):
    """The hidden name of the unfinished file is longer than the result's: it is the one that is tried."""
    with pytest.raises(UsageError, match="too long"):
        check_output(str(tmp_path / ("x" * 250 + ".nc")))
