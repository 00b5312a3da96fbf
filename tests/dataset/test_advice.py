"""What is said of a file that cannot be written."""

from __future__ import annotations

import errno
import os
import shutil
from types import SimpleNamespace

import pytest

from hpcscan.dataset import replacing as advice
from hpcscan.dataset.replacing import write_failure


@pytest.mark.parametrize(
    ("number", "disk", "words"),
    [
        (errno.ENOSPC, (0, True), "No space left on device; the disk or quota is full (2.0 MB wanted, 0.0 MB free)"),
        (errno.EDQUOT, (10**9, True), "the disk or quota is full (2.0 MB wanted, 1000.0 MB free)"),
        (errno.EACCES, (0, True), "No space left on device; the disk or quota is full (2.0 MB wanted, 0.0 MB free)"),
        (errno.EACCES, (10**9, True), "Permission denied; check the permissions of "),
        (errno.EACCES, (0, False), "Permission denied; check the permissions of "),
        (errno.EROFS, (0, False), "Read-only file system; check the permissions of "),
        (errno.EIO, (10**9, True), "check the quota and the file system of "),
    ],
)
def test_the_cause_and_the_remedy(monkeypatch, tmp_path, number, disk, words):
    """The library says that permission is denied where there is no room for a new file."""
    free, may_write = disk
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    monkeypatch.setattr(advice.os, "access", lambda *_: may_write)
    text = write_failure(tmp_path / "scan.nc", OSError(number, os.strerror(number)), 2_000_000)
    assert text.startswith(f"cannot write {tmp_path / 'scan.nc'}: ")
    assert words in text


def test_a_directory_that_is_missing(tmp_path):
    text = write_failure(tmp_path / "gone/scan.nc", FileNotFoundError(errno.ENOENT, "No such file or directory"), 0)
    assert f"the directory {tmp_path / 'gone'} is missing, create it or choose another output" in text


def test_an_error_without_a_number(monkeypatch, tmp_path):
    """The library hides the cause; the free space tells it."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=100))
    assert "HDF error; the disk or quota is full" in write_failure(tmp_path / "a", RuntimeError("HDF error"), 1000)


@pytest.mark.parametrize(
    ("number", "disk", "is_called_so"),
    [
        (errno.ENOSPC, (1000, 0, 10**9), True),
        (errno.EACCES, (1000, 0, 10**9), True),
        (errno.ENOSPC, (1000, 1, 10**9), False),
        (errno.ENOSPC, (0, 0, 10**9), False),
        (errno.ENOSPC, (1000, 0, 10), False),
    ],
)
def test_no_inode_is_left(monkeypatch, tmp_path, number, disk, is_called_so):
    """Though there is space. Where a file system does not count files, or is full as well, it is not the cause."""
    n_inodes, n_left, free = disk
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    monkeypatch.setattr(advice.os, "statvfs", lambda _: SimpleNamespace(f_files=n_inodes, f_favail=n_left))
    text = write_failure(tmp_path / "scan.nc", OSError(number, os.strerror(number)), 1000)
    assert "No space left on device" in text
    assert (f"no inode is left: the file system of {tmp_path} takes no more files" in text) == is_called_so
    assert ("the disk or quota is full" in text) != is_called_so
