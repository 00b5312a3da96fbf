"""Spoil result files at random and ask every command about them: a message or an answer, and nothing else.

    python tests/stress/results.py [--times 500] [--seed 1] [--without-reports] [-v]

Wrong types, dimensions, labels, axes and flags, absurd sizes and numbers, configurations with mistakes, damaged bytes.
Twenty files are asked about in one process; one that crashes is told. Prints what is wrong, and a summary with the
slowest answers; exit code 1 where anything is.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from report.judging import COMMANDS, Answer, answers

AT_ONCE, N_SLOWEST = 20, 5


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--without-reports", action="store_true")
    parser.add_argument("-v", "--verbose", action="store_true", help="every answer")
    options = parser.parse_args()
    n_commands = len(COMMANDS) - options.without_reports
    found: list[Answer] = []
    for first in range(0, options.times, AT_ONCE):
        last = min(first + AT_ONCE, options.times)
        with tempfile.TemporaryDirectory() as name:
            for answer in answers(Path(name), first, last, options.seed, n_commands):
                if answer.problem or options.verbose:
                    say(f"{answer.case}, {answer.mistakes}: {answer.command}: exit {answer.code} {answer.problem}\n")
                found += [answer] if answer.command != "end" else []
    say(summary(found))
    return int(any(answer.problem for answer in found))


def say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def summary(found: list[Answer]) -> str:
    codes = Counter((answer.command, answer.code) for answer in found)
    n_right, n_files = sum(not answer.problem for answer in found), len({answer.case for answer in found})
    lines = [
        f"{n_right} of {len(found)} answers to {n_files} files are as they should be",
        *(f"{command}, exit {code}: {n}" for (command, code), n in sorted(codes.items(), key=str)),
    ]
    slowest = sorted(found, key=lambda answer: -answer.seconds)[:N_SLOWEST]
    lines.append("slowest: " + "; ".join(f"{a.seconds:.1f} s, {a.command}, {a.mistakes}" for a in slowest))
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
