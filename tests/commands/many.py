"""Run the program many times in one MPI job: ``python many.py CASES.json``, a list of folders and arguments.

Beside each folder every rank leaves its exit code, what it wrote to stderr, and how many seconds it took. Starting a
job costs a second; a refused request costs a millisecond. Nobody begins a request before all ranks have left the one
before: a rank that is about to leave would take the messages of the next request for its own.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from mpi4py import MPI

from hpcscan.commands.cli import main
from hpcscan.parallel import connect


def run_all(cases: list[tuple[str, list[str]]]) -> None:
    rank = connect().rank
    for folder, arguments in cases:
        os.chdir(folder)
        begin = time.monotonic()
        report = Path(f"{folder}.rank-{rank}.json")
        with Path(f"{folder}.rank-{rank}.txt").open("w+") as sys.stderr:
            exit_code = main(arguments)
            sys.stderr.seek(0)
            report.write_text(json.dumps([exit_code, sys.stderr.read(), time.monotonic() - begin]))
        MPI.COMM_WORLD.Barrier()


if __name__ == "__main__":
    run_all(json.loads(Path(sys.argv[1]).read_text()))
