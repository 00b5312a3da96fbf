"""A model that sleeps for ever at one point in fifty, raises at one, and returns NaN at one: what a run says of it.

    python tests/stress/failing.py [--ranks 2] [--in-c]

With --in-c the sleep is a call that nothing interrupts, which costs the rank. Prints all that the run prints, what
`status` says, and a second run with --resume; exit code 1 where any other point is not converged.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from commands.results import read
from launch import find_launcher
from output.jobs import running

from hpcscan.fitting.records import Status

PLUGIN = Path(__file__).parents[1] / "commands/plugins/spoilt.py"
SCAN = f"""\
scan: {{x: {{min: 1, max: 50, points: 50}}}}
model: {{plugin: {PLUGIN}:Spoilt, options: {{sleep: SLEEP}}}}
fit: {{starts: 8, time_limit: 1}}
output: out.nc
"""
#: Status at the spoilt points.
EXPECTED = {13: Status.TIMED_OUT, 26: Status.FAILED, 39: Status.FAILED}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--in-c", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "scan.yaml").write_text(SCAN.replace("SLEEP", "in C" if options.in_c else "in Python"))
        for command in (("scan.yaml",), ("status", "out.nc"), ("scan.yaml", "--resume")):
            ranks = 1 if "status" in command else options.ranks
            with running(*command, ranks=ranks, launcher=find_launcher("mpich"), cwd=folder) as job:
                code, text = job.end(300)
            sys.stdout.write(f"$ hpcscan {' '.join(command)}\n{text}exit {code}\n\n")
        result = read(folder / "out.nc")
    found = dict(zip(result["x"].tolist(), result["status"].tolist(), strict=True))
    return int(any(status != EXPECTED.get(int(x), Status.CONVERGED) for x, status in found.items()))


if __name__ == "__main__":
    sys.exit(main())
