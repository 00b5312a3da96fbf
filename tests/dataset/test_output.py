"""Checking the output before anything is computed."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from hpcscan.dataset.replacing import remove_leftovers, replacing, temporary_path
from hpcscan.errors import UsageError
from hpcscan.output.destination import Claim, anchor, check_output, journal_path, make_room


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

    monkeypatch.setattr("hpcscan.dataset.replacing.os.open", refuse)
    with pytest.raises(UsageError, match=os.strerror(number)):
        check_output(str(tmp_path / "scan.nc"))


def test_a_name_that_only_the_writer_finds_too_long(tmp_path):
    """The hidden name of the unfinished file is longer than the result's: it is the one that is tried."""
    with pytest.raises(UsageError, match="too long"):
        check_output(str(tmp_path / ("x" * 250 + ".nc")))


def test_a_path_stays_where_it_is_and_is_shown_as_it_was_written(tmp_path, monkeypatch):
    """A model may change the working directory; the paths made from an output are bound like it."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    output = anchor()("results/scan.nc")
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert make_room(output) == output
    output.write_text("result")
    journal_path(output).write_text("journal")
    with replacing(output.with_name("other.nc")) as temporary:
        temporary.write_text("other")
    assert {path.name for path in (tmp_path / "results").iterdir()} == {"scan.nc", "scan.nc.journal", "other.nc"}
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert (f"{output}", str(journal_path(output))) == ("results/scan.nc", "results/scan.nc.journal")
    assert os.fspath(output) == str(tmp_path / "results/scan.nc")
    assert output.is_file()
    assert [path.name for path in output.parent.glob("s*.nc")] == ["scan.nc"]


def test_a_home_directory_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    check_output("~/a/scan.nc")
    assert make_room("~/a/scan.nc") == tmp_path / "a/scan.nc"
    monkeypatch.chdir(tmp_path)
    assert os.fspath(anchor()("./~/scan.nc")) == str(tmp_path / "~/scan.nc")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (
            "$SCRATCH/scan.nc",
            r'a \$ is not expanded in a configuration; write the path out, or say -o "\$SCRATCH/scan.nc"',
        ),
        ("~nobody-of-this-name/scan.nc", r"nobody has this home directory; .* write \./~nobody-of-this-name/scan.nc"),
    ],
)
def test_what_only_a_shell_expands_is_refused(path, words):
    with pytest.raises(UsageError, match=words):
        check_output(path)


@pytest.fixture
def linked(tmp_path):
    """A link to a result in another directory."""
    (tmp_path / "far").mkdir()
    (tmp_path / "scan.nc").symlink_to("far/real.nc")
    return tmp_path


@pytest.mark.parametrize("is_there", [True, False])
def test_a_link_is_followed(linked, is_there):
    """The file to which it leads is replaced, or made; the link stays, and nothing else is left."""
    link, real = linked / "scan.nc", linked / "far/real.nc"
    if is_there:
        real.write_text("old")
    check_output(str(link))
    with replacing(link) as temporary:
        assert temporary.parent == linked / "far"
        temporary.write_text("new")
    assert link.is_symlink()
    assert real.read_text() == "new"
    assert [path.name for path in (linked / "far").iterdir()] == ["real.nc"]


def test_leftovers_behind_a_link_are_removed(linked):
    for path in (linked / "far/.real.nc.123.part", linked / ".scan.nc.journal.5.part", linked / "far/.other.nc.1.part"):
        path.write_text("")
    remove_leftovers(linked / "scan.nc")
    assert [path.name for path in linked.rglob("*.part")] == [".other.nc.1.part"]


def test_a_link_to_itself_is_refused(tmp_path):
    (tmp_path / "scan.nc").symlink_to("scan.nc")
    with pytest.raises(UsageError, match="a symbolic link that leads to itself"):
        check_output(str(tmp_path / "scan.nc"))


def test_a_link_to_where_nothing_can_be_written_is_refused(tmp_path):
    (tmp_path / "scan.nc").symlink_to("/proc/scan.nc")
    with pytest.raises(UsageError, match="cannot be written there"):
        check_output(str(tmp_path / "scan.nc"))


def test_nothing_is_written_through_a_link_at_a_temporary_name(tmp_path):
    """Somebody else may know the name beforehand, and put a link there."""
    output, victim = tmp_path / "scan.nc", tmp_path / "victim"
    victim.write_text("precious")
    for path in (output, journal_path(output)):
        temporary_path(path).symlink_to(victim)
    before = victim.stat()
    check_output(str(output))
    with replacing(output) as temporary:
        temporary.write_text("new")
    assert output.read_text() == "new"
    assert not output.is_symlink()
    assert victim.read_text() == "precious"
    assert victim.stat().st_mtime_ns == before.st_mtime_ns


def write(claim, text):
    """Write as a run does; give the name of the file."""
    with replacing(claim.place, claim.choose) as temporary:
        temporary.write_text(text)
    claim.settle()
    return claim.place.name


@pytest.mark.parametrize("found", [None, "of an earlier session"])
def test_a_file_that_appears_during_a_run_stays(tmp_path, caplog, found):
    """The result goes beside it, and stays there; what the run found or wrote itself is replaced."""
    output = tmp_path / "scan.nc"
    (tmp_path / "scan-2.nc").write_text("something else")
    if found:
        output.write_text(found)
    claim = Claim(output, overwrite=False)
    assert write(claim, "unfinished") == "scan.nc"
    assert write(claim, "more") == "scan.nc"
    output.unlink()
    output.write_text("of somebody else")
    assert write(claim, "nearly") == "scan-3.nc"
    assert write(claim, "whole") == "scan-3.nc"
    assert output.read_text() == "of somebody else"
    assert (tmp_path / "scan-3.nc").read_text() == "whole"
    assert [record.getMessage() for record in caplog.records] == [
        f"{output} was put there by somebody else during the run, and stays; the result is {tmp_path / 'scan-3.nc'}"
    ]


def test_a_file_that_appears_is_replaced_where_the_user_says_so(tmp_path):
    claim = Claim(tmp_path / "scan.nc", overwrite=True)
    (tmp_path / "scan.nc").write_text("of somebody else")
    assert write(claim, "whole") == "scan.nc"
    assert (tmp_path / "scan.nc").read_text() == "whole"


def test_a_file_that_vanishes_is_written_again(tmp_path):
    output = tmp_path / "scan.nc"
    output.write_text("old")
    claim = Claim(output, overwrite=False)
    output.unlink()
    assert write(claim, "whole") == "scan.nc"
