"""Damage the journal of an interrupted scan in a random way, resume, compare; again and again.

    python tests/stress/corruptions.py [--times 50] [--seed 1]

Flipped bits, cuts at the end and in the middle, records twice and in another order. Prints one line for each time, and
a summary; exit code 1 where a file differs from the uninterrupted one, or damage was not told.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import itertools

from commands.results import different_variables, read
from output.conftest import N_POINTS, n_known, write_scan
from output.jobs import running

from hpcscan.output.frames import MARK

Damage = Callable[[bytes, random.Random], bytes]


def flip_bits(data: bytes, dice: random.Random) -> bytes:
    damaged = bytearray(data)
    for _ in range(dice.randint(1, 5)):
        damaged[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
    return bytes(damaged)


def cut_end(data: bytes, dice: random.Random) -> bytes:
    # A cut between records leaves no trace, and no harm: one byte less than a record is always seen.
    end = dice.choice(edges(data)[4:])
    return data[: end - dice.randint(1, 100)]


def cut_middle(data: bytes, dice: random.Random) -> bytes:
    first = dice.randrange(len(data) - 200)
    return data[:first] + data[first + dice.randint(1, 200) :]


def repeat_record(data: bytes, dice: random.Random) -> bytes:
    parts = records(data)
    where, which = dice.randint(2, len(parts)), dice.randrange(2, len(parts))
    return b"".join([*parts[:where], parts[which], *parts[where:]])


def swap_records(data: bytes, dice: random.Random) -> bytes:
    parts = records(data)
    a, b = dice.sample(range(2, len(parts)), 2)
    parts[a], parts[b] = parts[b], parts[a]
    return b"".join(parts)


DAMAGES: tuple[Damage, ...] = (flip_bits, cut_end, cut_middle, repeat_record, swap_records)


def edges(data: bytes) -> list[int]:
    """Where frames begin, and the end."""
    found, position = [], data.find(MARK)
    while position >= 0:
        found.append(position)
        position = data.find(MARK, position + 1)
    return [*found, len(data)]


def records(data: bytes) -> list[bytes]:
    """The frames: two copies of the header, then the records."""
    places = edges(data)
    return [data[a:b] for a, b in itertools.pairwise(places)]


def run(folder: Path) -> str:
    with running("scan.yaml", "--resume", cwd=folder) as job:
        code, text = job.end(300)
    assert code in (0, 1), text
    return text


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    dice, n_good = random.Random(options.seed), 0
    with tempfile.TemporaryDirectory() as name:
        original = Path(name, "original")
        original.mkdir()
        write_scan(original)
        run(original)
        journal = (original / "out.nc.journal").read_bytes()
        for number in range(options.times):
            folder, damage = Path(name, str(number)), DAMAGES[number % len(DAMAGES)]
            folder.mkdir()
            shutil.copy(original / "scan.yaml", folder)
            (folder / "out.nc.journal").write_bytes(damage(journal, dice))
            known = n_known(folder)
            text = run(folder)
            different = different_variables(read(original / "out.nc"), read(folder / "out.nc"))
            is_good = not different and "out.nc.journal: " in text
            n_good += is_good
            say(f"{number}: {damage.__name__}, {known} of {N_POINTS} points kept: {'good' if is_good else text}\n")
    say(f"{n_good} of {options.times} told and identical\n")
    return int(n_good < options.times)


def say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
