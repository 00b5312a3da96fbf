"""Journals that anybody may have written, and what `status` and `run --resume` make of them.

    python tests/output/untrusted.py FOLDER SEED FIRST STOP

works in a process of its own, whose memory is limited, so that a crash is seen: it prints one line for each mutation.
"""

from __future__ import annotations

import json
import logging
import random
import resource
import shutil
import struct
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from commands.results import different_variables, read

from hpcscan.commands.ranks import _prepare
from hpcscan.commands.request import RunRequest
from hpcscan.commands.run import lead
from hpcscan.commands.status import n_finished, status
from hpcscan.errors import HpcscanError
from hpcscan.output.frames import HEADER, MARK, JournalFrame, key_of, read_frames, write_frame
from hpcscan.parallel import Coordinator, SerialWorld, StopRequest

SCAN = """\
scan: {beta: {values: [3.0, 3.1, 3.2]}, w: {values: [0.01, 0.02]}}
model: {name: leptons}
fit: {starts: 2, max_iter: 20}
run: {chunk: 1}
output: out.nc
"""
#: What one mutation may take.
SECONDS, MEMORY = 20.0, 4 * 2**30

JUNK = (
    None, True, -1, 0, 1, 7, 2.5, 1e308, float("nan"), float("inf"), 2**62, 2**63, 2**64, 10**400, "", "x", "\x1b[31m",
    "9" * 5000, [], {}, [[]], [None], [0], {"a": 1}, [["x", [1.0]]], [["x", "<f8", []]],
)  # fmt: skip
DTYPES = ("|O", "O", "<U4", "|S8", "<f16", "<c16", "|V8", "<M8[s]", "f8,f8", ">f8", "<f8 ", "<f4", "|b1", "", None, 5)
SHAPES = ([-1], [2**62], [2**31, 2**31], [0], [10**9], ["a"], [[1]], [1] * 70, None, [1.0], [True], 3)
NUMBERS = (0.0, -0.0, -1.0, 1e308, float("nan"), float("inf"), 5e-324)

Dice = random.Random


class Parts:
    """A journal in parts, to be written again with sound checksums."""

    def __init__(self, data: bytes):
        header = next(frame for frame in read_frames(BytesIO(data), b"") if isinstance(frame, JournalFrame))
        self.header = json.loads(header.payload)
        frames = read_frames(BytesIO(data), key_of(header.payload))
        self.frames = [frame for frame in frames if isinstance(frame, JournalFrame) and frame.kind != HEADER]

    def write(self) -> bytes:
        payload = json.dumps(self.header).encode()
        head = write_frame(JournalFrame(0, HEADER, payload), b"")
        return head * 2 + b"".join(write_frame(frame, key_of(payload)) for frame in self.frames)


def one_entry(parts: Parts, dice: Dice) -> None:
    """Another value, or none, for an entry of the header."""
    name = dice.choice([*parts.header])
    if dice.random() < 0.2:
        del parts.header[name]
    else:
        parts.header[name] = dice.choice(JUNK)


def inside_an_entry(parts: Parts, dice: Dice) -> None:
    """Another value deep in the header."""
    here = parts.header
    while True:
        key = dice.choice([*here] if isinstance(here, dict) else range(len(here)))
        if not isinstance(here[key], (dict, list)) or not here[key] or dice.random() < 0.2:
            here[key] = dice.choice(JUNK)
            return
        here = here[key]


def axes(parts: Parts, dice: Dice) -> None:
    axis = dice.choice(parts.header["axes"])
    change = dice.randrange(6)
    if change == 0:
        axis[1][dice.randrange(len(axis[1]))] = dice.choice((float("nan"), float("inf"), 1e308, "3", None))
    elif change == 1:
        axis[1].reverse()
    elif change == 2:
        axis[1] = [float(i) for i in range(dice.choice((0, 1, 5, 10**5)))]
    elif change == 3:
        parts.header["axes"] += [axis] * dice.choice((1, 40))
    elif change == 4:
        parts.header["axes"] = [[f"x{i}", [float(j) for j in range(1000)]] for i in range(dice.randint(2, 40))]
    else:
        axis[0] = dice.choice(("", "beta", "w", "\x1b[2J", 3))


def columns(parts: Parts, dice: Dice) -> None:
    """Types, shapes, names and number of the columns; or another kind with such."""
    layout = parts.header["columns"]
    if dice.random() < 0.3:
        layout = [["number", "<i8", []], ["value", "<f8", [2]]]
        parts.header["kinds"].append([dice.choice(("toy", "", "\x1b[31m")), layout])
        parts.frames.append(
            JournalFrame(len(parts.frames) + 1, dice.choice((15, 16, 17, 255)), b"x" * dice.choice((0, 24, 25)))
        )
    column = dice.choice(layout)
    change = dice.randrange(6)
    if change == 0:
        column[1] = dice.choice(DTYPES)
    elif change == 1:
        column[2] = dice.choice(SHAPES)
    elif change == 2:
        column[0] = dice.choice(("", "status", "chi2", "derived.", "\x1b[31m", 3))
    elif change == 3:
        layout.remove(column)
    elif change == 4:
        layout.append(dice.choice(layout))
    else:
        dice.shuffle(layout)


def values(parts: Parts, dice: Dice) -> None:
    """Other numbers in the records, eight or one byte at a time."""
    for _ in range(dice.randint(1, 4)):
        number = dice.randrange(len(parts.frames))
        payload = bytearray(parts.frames[number].payload)
        for _ in range(dice.choice((1, 3, 40))):
            if dice.random() < 0.7:
                place = 8 * dice.randrange(len(payload) // 8)
                payload[place : place + 8] = struct.pack("<d", dice.choice(NUMBERS))
            else:
                payload[dice.randrange(len(payload))] = dice.randrange(256)
        parts.frames[number] = replace(parts.frames[number], payload=bytes(payload))


def points(parts: Parts, dice: Dice) -> None:
    """Another number of a point."""
    number = dice.randrange(len(parts.frames))
    index = struct.pack("<q", dice.choice((-1, 0, 3, 6, 2**40, -(2**63), 2**63 - 1)))
    parts.frames[number] = replace(parts.frames[number], payload=index + parts.frames[number].payload[8:])


def frames(parts: Parts, dice: Dice) -> None:
    """Other kinds, numbers, lengths and orders of frames."""
    number = dice.randrange(len(parts.frames))
    frame = parts.frames[number]
    change = dice.randrange(6)
    if change == 0:
        parts.frames[number] = replace(frame, kind=dice.randrange(256))
    elif change == 1:
        parts.frames[number] = replace(frame, sequence=dice.choice((0, 1, 2**32, 2**64 - 1)))
    elif change == 2:
        parts.frames[number] = replace(frame, payload=frame.payload[: dice.randrange(len(frame.payload))])
    elif change == 3:
        parts.frames[number] = replace(frame, payload=frame.payload * dice.choice((0, 2, 1000)))
    elif change == 4:
        dice.shuffle(parts.frames)
    else:
        parts.frames += [frame] * dice.choice((1, 1000))


def raw(data: bytes, dice: Dice) -> bytes:
    """Bytes that are flipped, missing, more, or look like frames without end."""
    place, other = dice.randrange(len(data)), dice.randrange(len(data))
    change = dice.randrange(6)
    if change == 0:
        damaged = bytearray(data)
        for _ in range(dice.choice((1, 10, 1000))):
            damaged[dice.randrange(len(data))] = dice.randrange(256)
        return bytes(damaged)
    if change == 1:
        return data[:place]
    if change == 2:
        return data[:place] + data[other:]
    if change == 3:
        return data[:place] + dice.randbytes(dice.choice((1, 100, 10**5))) + data[place:]
    if change == 4:
        return data[:place] + b"".join(_claim(dice.randrange(10**6)) for _ in range(30_000)) + data[place:]
    return dice.randbytes(dice.choice((0, 1, 8, 1000)))


def _claim(length: int) -> bytes:
    """The beginning of a frame that claims to be long."""
    return MARK + struct.pack("<QQB", length, 1, 1) + bytes(16)


STRUCTURAL = (one_entry, inside_an_entry, axes, columns, values, points, frames)


def mutated(data: bytes, seed: int, number: int) -> tuple[str, bytes]:
    """The same mutation again for the same seed and number: its name, and what it makes of a journal."""
    dice = Dice(f"{seed} {number}")
    if number % 3 == 2:
        return "raw", raw(data, dice)
    change: Callable[[Parts, Dice], None] = dice.choice(STRUCTURAL)
    parts = Parts(data)
    change(parts, dice)
    return change.__name__, parts.write()


def run(folder: Path, *, resume: bool = True) -> tuple[int, str]:
    """Run in this process, as on one rank: exit code, and the message of an error."""
    world, stop = SerialWorld(), StopRequest()
    request = RunRequest(
        str(folder / "scan.yaml"), output=str(folder / "out.nc"), resume=resume, keep_journal=not resume
    )
    try:
        return lead(request, world, stop, Coordinator(world, _prepare, stop)), ""
    except HpcscanError as error:
        return int(error.exit_code), str(error)


def ask(question: Callable[[str], object], folder: Path) -> str:
    try:
        return str(question(str(folder / "out.nc")))
    except HpcscanError as error:
        assert error.exit_code == 2, error
        return str(error)


def make(folder: Path) -> bytes:
    """A journal of a whole scan, and the result."""
    (folder / "scan.yaml").write_text(SCAN)
    code, text = run(folder, resume=False)
    assert code in (0, 1), text
    return (folder / "out.nc.journal").read_bytes()


def examine(folder: Path, data: bytes, seed: int, number: int) -> str:
    """Give a mutation to the commands; say what became of it, or raise."""
    name, journal = mutated(data, seed, number)
    case = folder / str(number)
    case.mkdir()
    shutil.copy(folder / "scan.yaml", case)
    (case / "out.nc.journal").write_bytes(journal)
    begin = time.monotonic()
    told = [ask(status, case), ask(n_finished, case)]
    code, message = run(case)
    seconds = time.monotonic() - begin
    assert code in (0, 1, 2), (code, message)
    assert bool(message) == (code == 2), (code, message)
    shown = {c for text in (*told, message) for c in text if not (c.isprintable() or c == "\n")}
    assert not shown, f"control characters {shown} in {told} {message}"
    assert seconds < SECONDS, f"{seconds:.0f} s"
    if name == "raw":
        # Damage that no checksum covers up costs time, and nothing else.
        assert code < 2
        assert different_variables(read(folder / "out.nc"), read(case / "out.nc")) == []
    shutil.rmtree(case)
    return f"{number} {name}: exit {code} {message.splitlines()[0] if message else ''}"


def main(folder: Path, seed: int, first: int, stop: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    logging.getLogger("hpcscan").handlers = [logging.NullHandler()]
    data = make(folder) if not (folder / "out.nc").exists() else (folder / "out.nc.journal").read_bytes()
    for number in range(first, stop):
        sys.stdout.write(examine(folder, data, seed, number) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:5]))
