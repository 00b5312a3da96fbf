"""Writing a journal: whole records, brought to the disk, and a clear end where that fails."""

from __future__ import annotations

import errno
import os
import resource

import numpy as np
import pytest

from hpcscan.dataset.provenance import SCHEMA
from hpcscan.errors import StorageError, UsageError
from hpcscan.fitting.records import PointResults
from hpcscan.output import journal as module
from hpcscan.output.journal import Journal, Kind, Record
from hpcscan.output.journal_header import FORMAT, header_bytes, read_header
from hpcscan.output.journal_reading import read_journal
from output.journals import make_header, make_results, same_bits, write_journal


def part(results, *points, kind=Kind.FITTED):
    return Record(kind, results.take(np.array(points)))


@pytest.fixture
def results():
    return make_results(6)


@pytest.fixture
def syncs(monkeypatch):
    """Descriptors that were brought to the disk."""
    seen = []
    monkeypatch.setattr(os, "fsync", seen.append)
    return seen


def test_header_and_records_come_back(tmp_path, results):
    """Also while the journal is open."""
    header = make_header(results, n_kept=2, history=("one", "two"), started=1.25)
    journal = Journal.create(tmp_path / "j", header, [part(results, 4, 1, kind=Kind.TAKEN_OVER)])
    journal.append(part(results, 0, kind=Kind.SETTLED))
    journal.append(part(results, 3, 5))
    contents = read_journal(tmp_path / "j")
    assert contents.header == header
    assert [record.kind for record in contents.records] == [Kind.TAKEN_OVER, Kind.SETTLED, Kind.FITTED]
    joined = PointResults.joined([record.read() for record in contents.records])
    assert same_bits(joined, results.take(np.array([4, 1, 0, 3, 5])))
    assert contents.problems == ()
    journal.close()


def test_a_header_keeps_every_bit_of_the_grid(results):
    """Numbers that need 17 digits, and what a command line may hold."""
    header = make_header(results, identity={"fit.x": "0.1 + 0.2 = β"}, history=("\udc80",), started=0.1 + 0.2)
    assert read_header(header_bytes(header), "j") == header


def test_a_new_journal_takes_the_place_of_the_old_one(tmp_path, results):
    """At once: nobody meets half of it."""
    write_journal(tmp_path / "j", results)
    journal = Journal.create(tmp_path / "j", make_header(results), [part(results, 0)])
    assert len(read_journal(tmp_path / "j").records) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["j"]
    journal.close()


def test_another_format_is_refused(tmp_path, results, monkeypatch):
    monkeypatch.setattr("hpcscan.output.journal_header.FORMAT", FORMAT + 1)
    write_journal(tmp_path / "j", results)
    monkeypatch.undo()
    with pytest.raises(UsageError, match=rf"is a journal of format {FORMAT + 1}, and this .* reads format {FORMAT}"):
        read_journal(tmp_path / "j")


def test_another_schema_is_refused(results):
    """What it calls by the same names may mean something else."""
    old = make_header(results, schema=SCHEMA - 1, program="0.0.1")
    words = f"was written by hpcscan 0.0.1 in the names of schema {SCHEMA - 1}, and this version reads schema {SCHEMA}"
    with pytest.raises(UsageError, match=words):
        read_header(header_bytes(old), "j")


def test_a_journal_that_cannot_be_opened(tmp_path):
    with pytest.raises(UsageError, match=r"cannot read the journal .*: Is a directory"):
        read_journal(tmp_path)


def test_a_record_that_is_spoilt_after_it_was_found(tmp_path, results):
    """Its results are read later, and are not believed unseen."""
    write_journal(tmp_path / "j", results)
    first, second, third = read_journal(tmp_path / "j").records
    data = bytearray((tmp_path / "j").read_bytes())
    data[third.place - 1] ^= 1
    (tmp_path / "j").write_bytes(data)
    assert same_bits(first.read(), results.take(np.array([0, 1])))
    with pytest.raises(StorageError, match=rf"byte {second.place:,} was sound a moment ago and is not now"):
        second.read()
    (tmp_path / "j").unlink()
    with pytest.raises(StorageError, match=r"cannot read the journal .*/j: No such file"):
        first.read()


def test_some_points_of_a_record(tmp_path, results):
    write_journal(tmp_path / "j", results, 4)
    _, second = (record.take(np.array([1, 0])) for record in read_journal(tmp_path / "j").records)
    assert second.point_index.tolist() == [5, 4]
    assert same_bits(second.read(), results.take(np.array([5, 4])))
    alone = second.take(np.array([1])).taken_over(np.array([7]))
    assert (alone.kind, alone.n_points, alone.read().point_index.tolist()) == (Kind.TAKEN_OVER, 1, [7])
    assert alone.read().chi2.tobytes() == results.chi2[[4]].tobytes()


def test_records_are_synced_once_a_second(tmp_path, results, syncs):
    """Not each: a sync may take as long as a hundred records."""
    now = [0.0]
    journal = Journal.create(tmp_path / "j", make_header(results), clock=lambda: now[0])
    del syncs[:]
    journal.append(part(results, 0))
    assert len(syncs) == 0
    now[0] = 1.5
    journal.append(part(results, 1))
    assert len(syncs) == 1
    now[0] = 10
    journal.tick()
    assert len(syncs) == 1
    journal.append(part(results, 2))
    assert len(syncs) == 2
    journal.close()


def test_a_slow_disk_is_waited_for_a_small_share_of_the_time(tmp_path, results, monkeypatch):
    now, syncs = [0.0], []

    def slow(descriptor):
        syncs.append(now[0])
        now[0] += 2.0

    monkeypatch.setattr(os, "fsync", slow)
    journal = Journal.create(tmp_path / "j", make_header(results), clock=lambda: now[0])
    del syncs[:]
    for point in range(6):
        now[0] += 30.0
        journal.append(part(results, point))
    assert len(syncs) == 3
    journal.close()


def full_disk(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_leaves_what_was_written(tmp_path, results, monkeypatch):
    """Half a record is taken back; later ones still fit in."""
    journal = Journal.create(tmp_path / "j", make_header(results), [part(results, 0)])
    write, calls = os.write, []

    def fill(descriptor, data):
        calls.append(len(data))
        return write(descriptor, data[:10]) if len(calls) == 1 else full_disk()

    monkeypatch.setattr(os, "write", fill)
    with pytest.raises(
        StorageError, match=r"cannot write .*/j: No space left on device; .*continue later with --resume"
    ):
        journal.append(part(results, 1))
    monkeypatch.undo()
    contents = read_journal(tmp_path / "j")
    assert (len(contents.records), contents.problems) == (1, ())
    journal.close()


def test_a_file_that_may_not_grow(tmp_path, results):
    """A real one: the limit that a quota sets."""
    journal = Journal.create(tmp_path / "j", make_header(results), [part(results, 0)])
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / "j").stat().st_size + 20, before[1]))
    try:
        with pytest.raises(StorageError, match="File too large"):
            journal.append(part(results, 1))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert read_journal(tmp_path / "j").problems == ()
    journal.append(part(results, 2))
    journal.close()
    contents = read_journal(tmp_path / "j")
    assert [record.read().point_index.tolist() for record in contents.records] == [[0], [2]]
    assert contents.problems == ()


def test_no_room_for_the_header(tmp_path, results, monkeypatch):
    """The journal that is there stays."""
    write_journal(tmp_path / "j", results)
    monkeypatch.setattr(os, "write", full_disk)
    with pytest.raises(StorageError, match=r"cannot write .*/j"):
        Journal.create(tmp_path / "j", make_header(results))
    monkeypatch.undo()
    assert len(read_journal(tmp_path / "j").records) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["j"]


def test_a_directory_that_vanishes_is_noticed(tmp_path, results):
    """The file can still be written then, but nobody will find it."""
    place = tmp_path / "results"
    place.mkdir()
    journal = Journal.create(place / "j", make_header(results))
    (place / "j").unlink()
    place.rmdir()
    journal.append(part(results, 0))
    with pytest.raises(StorageError, match=r"the directory .*results is missing"):
        journal.sync()
    journal.close()


def test_a_journal_that_another_run_replaces_is_noticed(tmp_path, results):
    journal = Journal.create(tmp_path / "j", make_header(results))
    write_journal(tmp_path / "j", results)
    with pytest.raises(StorageError, match="another run has taken over this output"):
        journal.sync()
    assert len(read_journal(tmp_path / "j").records) == 3
    journal.close()


def test_the_header_is_there_twice():
    assert module.HEADER_COPIES == 2
