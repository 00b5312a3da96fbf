"""Write journals that nobody should trust, and see what `status` and `run --resume` make of them.

    python tests/stress/journals.py [--times 500] [--seed 1]

Header, columns, types, shapes, records and frames are changed with sound checksums, and bytes without. Prints one line
for each, and a summary; exit code 1 where one crashes, ends with anything but its result or exit code 2, takes long or
much memory, or shows control characters.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

PROGRAM = Path(__file__).parents[1] / "output" / "untrusted.py"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    first, bad = 0, []
    with tempfile.TemporaryDirectory() as folder:
        while first < options.times:
            command = [sys.executable, PROGRAM, folder, options.seed, first, options.times]
            job = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
            say(job.stdout)
            first += len(job.stdout.splitlines())
            if job.returncode:
                # The process is lost; the next one goes on after the culprit.
                say(f"{first}: BAD, exit {job.returncode}\n{job.stderr}")
                bad.append(first)
                first += 1
    say(f"{options.times - len(bad)} of {options.times} as they should be; bad: {bad}\n")
    return int(bool(bad))


def say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
