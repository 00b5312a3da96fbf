"""Journals that anybody may have written: a message and exit code 2, or what is sound of them; never anything else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from hpcscan.errors import UsageError
from hpcscan.output.frames import HEADER, MARK, JournalFrame, key_of, write_frame
from hpcscan.output.journal import Kind, columns_of, pack
from hpcscan.output.journal_header import header_bytes
from hpcscan.output.journal_reading import MOST_PROBLEMS, parse_journal, read_journal
from hpcscan.table import DTYPES, Column
from output import untrusted
from output.journals import make_header, make_results

RESULTS = make_results(4)
HEADER_BYTES = header_bytes(make_header(RESULTS))


def written(payload: bytes, *frames: JournalFrame) -> bytes:
    """A journal with sound checksums."""
    head = write_frame(JournalFrame(0, HEADER, payload), b"")
    return head + b"".join(write_frame(frame, key_of(payload)) for frame in frames)


def problem(**changes: object) -> str:
    """What is said of a header with other entries; an entry that is None is left out."""
    entries = {name: value for name, value in (json.loads(HEADER_BYTES) | changes).items() if value is not None}
    with pytest.raises(UsageError) as raised:
        parse_journal(written(json.dumps(entries).encode()), "j")
    assert raised.value.exit_code == 2
    return str(raised.value)


def test_sixty_mutations(tmp_path):
    """`status` and `run --resume` on journals that are sound in form and wrong in content, or wrong in both.

    In a process of its own with limited memory, so that a crash or a flood is seen; each within seconds.
    """
    command = [sys.executable, untrusted.__file__, str(tmp_path), "7", "0", "60"]
    job = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert job.returncode == 0, job.stdout + job.stderr
    assert len(job.stdout.splitlines()) == 60
    assert " exit 2 " in job.stdout
    assert " exit 0 " in job.stdout


@pytest.mark.parametrize("dtype", ["|O", "O", "<U4", "|V8", "f8,f8", "<M8[s]", ">f8", "<f4"])
def test_a_type_is_checked_before_anything_is_made_of_it(dtype, monkeypatch):
    """An address in a file is never followed."""
    columns = json.loads(HEADER_BYTES)["columns"]
    columns[3][1] = dtype
    monkeypatch.setattr(np, "dtype", lambda *_: pytest.fail("numpy was asked"))
    assert f"has the type {dtype!r}; expected one of {', '.join(DTYPES)}" in problem(columns=columns)
    with pytest.raises(ValueError, match="has the type"):
        Column("x", dtype)


@pytest.mark.parametrize("shape", [[-1], [2**62], [2**20, 2**20], [1] * 5, ["a"], [True], None, 3])
def test_a_shape_is_checked(shape):
    columns = json.loads(HEADER_BYTES)["columns"]
    columns[3][2] = shape
    assert "its header is not one that hpcscan writes (columns: " in problem(columns=columns)


@pytest.mark.parametrize(
    ("axes", "words"),
    [
        ([["x", [0.0, float("nan")]]], "expected a number"),
        ([["x", [0.0, 10**400]]], "too large"),
        ([["x", [1.0, 0.0]]], "expected values that rise"),
        ([["x", [0.0, 0.0]]], "expected values that rise"),
        ([["x", []]], "expected values that rise"),
        ([["x", [0.0]], ["x", [1.0]]], "axes with different names"),
        ([[f"x{i}", [0.0]] for i in range(33)], "expected 1 to 32 axes"),
        ([], "expected 1 to 32 axes"),
        ([["\x1b[2J", [0.0]]], "without control characters"),
        ([[f"x{i}", [*range(1000)]] for i in range(5)], "a grid of 1e+15 points does not fit into the memory here"),
    ],
)
def test_axes_are_checked(axes, words):
    assert words in problem(axes=axes)


@pytest.mark.parametrize("name", list(json.loads(HEADER_BYTES)))
def test_every_entry_is_needed_and_has_a_type(name):
    assert f"({name} is missing)" in problem(**{name: None})
    assert "is not one that hpcscan writes (" in problem(**{name: False})


@pytest.mark.parametrize("name", ["point_index", "status", "wave", "asked"])
def test_columns_that_every_reader_needs(name):
    columns = [column for column in json.loads(HEADER_BYTES)["columns"] if column[0] != name]
    assert "expected point_index, status, wave, asked among the columns" in problem(columns=columns)


@pytest.mark.parametrize("payload", [b"", b"[]", b"nonsense", b"\xff", b"[" * 100_000, b"9" * 5000])
def test_a_header_that_is_none(payload):
    with pytest.raises(UsageError, match="its header is not one that hpcscan writes"):
        parse_journal(written(payload), "j")


def test_a_status_that_no_point_has():
    part = RESULTS.take(np.array([1]))
    part.status[:] = 77
    frame = JournalFrame(1, Kind.FITTED, pack(columns_of(part), make_header(RESULTS).layout))
    contents = parse_journal(written(HEADER_BYTES, frame), "j")
    assert (contents.records, contents.problems) == ((), ("record 1: it holds a status that no point has",))


def test_many_problems_are_told_in_short():
    frames = [JournalFrame(number, 200, b"") for number in range(1, 1001)]
    told = parse_journal(written(HEADER_BYTES, *frames), "j").problems
    assert (len(told), told[-1]) == (MOST_PROBLEMS + 1, "and 980 more like these")


def test_marks_without_frames_do_not_keep_a_reader_busy():
    """Each claims to be as long as the file: to read that for each would take a hundred thousand times as long."""
    claim = MARK + (3_000_000).to_bytes(8, "little") + bytes(25)
    data = written(HEADER_BYTES) + claim * 100_000 + bytes(3_000_000)
    begin = time.monotonic()
    (told,) = parse_journal(data, "j").problems
    assert time.monotonic() - begin < 5
    assert told == f"bytes {len(written(HEADER_BYTES)):,} to {len(data):,} are damaged"


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "j")
    with pytest.raises(UsageError, match="not a regular file"):
        read_journal(tmp_path / "j")


def test_the_mutations_are_the_same_again():
    data = Path(__file__).read_bytes()
    assert untrusted.mutated(data, 3, 2) == untrusted.mutated(data, 3, 2)
