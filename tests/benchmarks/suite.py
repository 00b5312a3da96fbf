"""All benchmarks, with the target beside each number: ``python tests/benchmarks/suite.py``.

    python tests/benchmarks/suite.py [--only cost,ranks,…] [--rounds 7] [--size 1000] [--json FILE]

Ratios are measured in turns in one run, so that they hold on a machine whose speed drifts. Everything takes about half
an hour on two cores, most of it the grid of 1000 × 1000 points; the published algorithm is timed by the call.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import cost
import simulation
import whole
from lines import Line, table

QUIET, BUSY = "quiet\n\n", "ratios of whole programs do not mean much\n\n"
Part = Callable[[argparse.Namespace], list[Line]]
PARTS: dict[str, Part] = {
    "cost": lambda options: cost.lines(cost.measure(options.rounds)),
    "ranks": lambda options: whole.two_ranks(min(options.rounds, 3)),
    "tasks": lambda options: whole.tasks(),
    "overhead": lambda options: whole.overhead(min(options.rounds, 3)),
    "start": lambda options: whole.start_up(min(options.rounds, 3)),
    "simulation": lambda options: simulation.lines(),
    "size": lambda options: whole.size(options.size),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(PARTS), help="parts, separated by commas (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--size", type=int, default=1000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    busy = os.getloadavg()[0]
    sys.stdout.write(f"{os.cpu_count()} processors, {busy:.1f} processes of others: " + (QUIET if busy < 1 else BUSY))
    found: dict[str, list[Line]] = {}
    for name in options.only.split(","):
        found[name] = PARTS[name](options)
        sys.stdout.write(table(found[name]) + "\n\n")
        sys.stdout.flush()
    if options.json:
        numbers = {name: [asdict(line) | {"verdict": line.verdict} for line in lines] for name, lines in found.items()}
        options.json.write_text(json.dumps(numbers, indent=1) + "\n")


if __name__ == "__main__":
    main()
