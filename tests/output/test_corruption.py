"""A journal to which something has happened: what is damaged is told and never trusted, the rest is recovered."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcscan.output.frames import MARK, JournalFrame, key_of, read_frames, write_frame
from hpcscan.output.journal import Kind, columns_of, pack
from hpcscan.output.journal_header import header_bytes
from hpcscan.output.journal_reading import parse_journal
from output.journals import make_results, same_bits, write_journal

N_POINTS, PER_RECORD = 8, 2
ORIGINAL = make_results(N_POINTS)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A journal of four records with two points each: its bytes, and where its frames begin and end."""
    return write(tmp_path_factory.mktemp("journal") / "scan.nc.journal", ORIGINAL, PER_RECORD)


def write(path, results, n_per_record):
    header = write_journal(path, results, n_per_record)
    data = path.read_bytes()
    begin, edges = 0, [0]
    for frame in read_frames(BytesIO(data), key_of(header_bytes(header))):
        begin = data.index(frame.payload, begin) + len(frame.payload)
        edges.append(begin)
    assert edges[-1] == len(data)
    return data, edges


def frame(written, number):
    """Bytes of record 1 to 4; 0 and −1 are the two copies of the header."""
    data, edges = written
    return data[edges[number + 1] : edges[number + 2]]


def look(data: bytes) -> tuple[list[int], tuple[str, ...]]:
    """First points of the records that are recovered, and what is told; all they hold is as it was written."""
    contents = parse_journal(data, "scan.nc.journal")
    found = []
    for record in contents.records:
        points = record.read().point_index
        assert same_bits(record.read(), ORIGINAL.take(points))
        found.append(int(points[0]))
    return found, contents.problems


def recovered(data: bytes) -> list[int]:
    """Numbers of the records that are recovered."""
    return [point // PER_RECORD + 1 for point in look(data)[0]]


def problems(data: bytes) -> tuple[str, ...]:
    return look(data)[1]


def test_a_sound_journal(written):
    assert recovered(written[0]) == [1, 2, 3, 4]
    assert problems(written[0]) == ()


def test_every_flipped_bit_is_found(tmp_path):
    """Of two records one is lost, and never the other. Of the header, one copy is enough."""
    data, edges = write(tmp_path / "scan.nc.journal", ORIGINAL.take(np.arange(2)), 1)
    for position in range(len(data)):
        is_header = position < edges[2]
        kept = [0, 1] if is_header else [1] if position < edges[3] else [0]
        for bit in [position % 8] if is_header else range(8):
            damaged = bytearray(data)
            damaged[position] ^= 1 << bit
            found, told = look(bytes(damaged))
            assert found == kept, (position, bit)
            assert told, (position, bit)


def test_a_journal_that_is_cut_anywhere(tmp_path):
    """What was written before the cut is recovered; only a cut between records leaves no trace."""
    data, edges = write(tmp_path / "scan.nc.journal", ORIGINAL.take(np.arange(2)), 1)
    for length in range(len(data)):
        found, told = look(data[:length])
        assert found == [point for point, edge in ((0, edges[3]), (1, edges[4])) if edge <= length]
        assert bool(told) == (length not in edges[1:])
        assert not told or length < edges[1] or told[0].startswith("the last record was cut off")


def test_the_message_about_a_torn_record(written):
    assert problems(written[0][:-5]) == (
        f"the last record was cut off while it was written, at byte {len(written[0]) - 5:,}",
    )


def test_the_message_about_a_damaged_record(written):
    data, edges = written
    damaged = data[: edges[3] + 40] + bytes([data[edges[3] + 40] ^ 0xFF]) + data[edges[3] + 41 :]
    assert problems(damaged) == (f"bytes {edges[3]:,} to {edges[4]:,} are damaged",)


@pytest.mark.parametrize(
    ("order", "expected", "words"),
    [
        ([1, 2, 2, 3, 4], [1, 2, 3, 4], ["record 2 is there more than once"]),
        ([1, 2, 3, 4, 1], [1, 2, 3, 4], ["record 1 is there more than once"]),
        ([1, 2, 1, 2, 3, 4], [1, 2, 3, 4], ["record 1 is there", "record 2 is there"]),
        ([2, 1, 3, 4], [3, 4], ["record 2 is out of order", "record 1 is out of order"]),
        ([1, 2, 4, 3], [1, 2], ["record 4 is out of order", "record 3 is out of order"]),
        ([4, 2, 3, 1], [], ["record 4 is out", "record 2 is out", "record 3 is out", "record 1 is out"]),
        ([1, 3, 4], [1, 3, 4], ["record 2 is missing"]),
        ([4], [4], ["records 1 to 3 are missing"]),
        ([], [], []),
    ],
)
def test_records_that_were_moved(written, order, expected, words):
    """Second copies are ignored. Where numbers do not rise, nothing is believed."""
    data, edges = written
    moved = data[: edges[2]] + b"".join(frame(written, number) for number in order)
    assert recovered(moved) == expected
    told = problems(moved)
    assert len(told) == len(words)
    assert all(any(line.startswith(word) for line in told) for word in words)


@pytest.mark.parametrize("place", range(2, 7))
def test_a_record_of_another_journal(written, tmp_path, place):
    """The same scan, the same record, another session: its checksum is of another key."""
    write_journal(tmp_path / "other", make_results(N_POINTS, seed=1), PER_RECORD)
    other = (tmp_path / "other").read_bytes()
    stranger = other[-len(frame(written, 4)) :]
    assert stranger.startswith(MARK)
    data, edges = written
    assert recovered(data[: edges[place]] + stranger + data[edges[place] :]) == [1, 2, 3, 4]
    assert problems(data[: edges[place]] + stranger + data[edges[place] :])


@pytest.mark.parametrize("length", [2**63, 2**64 - 1, 10**12, 10**6])
def test_an_absurd_length_costs_nothing(written, length):
    data, edges = written
    start = edges[3] + len(MARK)
    damaged = data[:start] + length.to_bytes(8, "little") + data[start + 8 :]
    assert recovered(damaged) == [1, 3, 4]
    assert len(problems(damaged)) == 1


@pytest.mark.parametrize("n", [8, 9, 100, 1000])
def test_a_mark_is_found_wherever_a_piece_ends(written, monkeypatch, n):
    """What is damaged is searched for the next mark so many bytes at a time."""
    monkeypatch.setattr("hpcscan.output.frames.PIECE_BYTES", n)
    data, edges = written
    for position in range(edges[3], edges[4], 7):
        # Whatever the byte was, it is another one now.
        wrong = bytes([data[position] ^ 0xFF])
        assert recovered(data[:position] + wrong + data[position + 1 :]) == [1, 3, 4]


def test_a_gap_in_the_middle(written):
    """Bytes that are missing take one or two records with them."""
    data, edges = written
    assert recovered(data[: edges[3] + 10] + data[edges[3] + 90 :]) == [1, 3, 4]
    assert recovered(data[: edges[3] + 10] + data[edges[4] + 10 :]) in ([1, 4], [1, 3, 4])


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=300), st.integers(0, 5000), st.integers(0, 400))
def test_anything_written_over_anything(written, garbage, position, n_removed):
    """No exception, and nothing that was not written."""
    data = written[0]
    recovered(data[:position] + garbage + data[position + n_removed :])


@given(st.binary(max_size=200))
@settings(deadline=None)
def test_what_is_no_journal(garbage):
    contents = parse_journal(garbage, "scan.nc.journal")
    assert contents.header is None
    assert contents.records == ()
    assert "header is damaged" in contents.problems[0]


def test_a_mark_inside_a_record_is_just_bytes(tmp_path):
    results = make_results(2)
    results.chi2[:] = np.frombuffer(MARK, "<f8")[0]
    write_journal(tmp_path / "journal", results, 1)
    contents = parse_journal((tmp_path / "journal").read_bytes(), "journal")
    assert contents.problems == ()
    assert [record.read().chi2.tobytes() for record in contents.records] == [MARK, MARK]


def test_a_sound_record_with_impossible_points(written, tmp_path):
    """Points that are not on the grid, or in an earlier record: a bug of the writer is not believed either."""
    header = write_journal(tmp_path / "journal", make_results(N_POINTS), PER_RECORD)
    data, key = (tmp_path / "journal").read_bytes(), key_of(header_bytes(header))
    absent, again = "its points are not on the grid", "it has points that are there already"
    for points, what in (([2, 99], absent), ([-1, 2], absent), ([3, 3], again), ([0, 1], again)):
        part = make_results(N_POINTS).take(np.array([0, 1]))
        part.point_index[:] = points
        extra = write_frame(JournalFrame(5, Kind.FITTED, pack(columns_of(part), header.layout)), key)
        assert recovered(data + extra) == [1, 2, 3, 4]
        assert problems(data + extra) == (f"record 5: {what}",)


def test_a_sound_record_of_an_unknown_kind(tmp_path):
    header = write_journal(tmp_path / "journal", make_results(N_POINTS), PER_RECORD)
    data, key = (tmp_path / "journal").read_bytes(), key_of(header_bytes(header))
    assert "record 5: 9 is not a valid Kind" in problems(data + write_frame(JournalFrame(5, 9, b""), key))[0]
