"""Mutate the shipped configurations at random and run them: exit 2 with messages, or a valid run; again and again.

    python tests/stress/configurations.py [--times 500] [--seed 1] [--jobs 20] [-v]

Typing mistakes, wrong values, absurd grids, odd YAML, damaged bytes. All cases run on two ranks, 25 in one MPI job, for
at most two seconds of computing; the first --jobs of them once more as a job of their own, which must end with the same
exit code. Prints what is wrong, and a summary with the slowest; exit code 1 where anything is.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from commands.fuzz import LONGEST, MAX_TIME, Ending, endings, write_cases
from launch import Launcher, find_launcher

N_SLOWEST = 5


def disagreements(ended: list[Ending], launcher: Launcher) -> list[str]:
    """Run cases as jobs of their own: those that end with another exit code."""
    found = []
    for ending in ended:
        for path in ending.folder.iterdir():
            if path.name not in ("scan.yaml", "plugins"):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        command = ("-m", "hpcscan", "scan.yaml", "--max-time", MAX_TIME)
        job = launcher(2, *command, timeout=LONGEST, cwd=ending.folder)
        if job.returncode != ending.exit_code:
            found.append(
                f"{ending.name}: alone exit code {job.returncode}, among others {ending.exit_code}: {job.stderr}"
            )
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=20)
    parser.add_argument("-v", "--verbose", action="store_true", help="every case with its messages")
    options = parser.parse_args()
    launcher, ended = find_launcher("mpich"), []
    with tempfile.TemporaryDirectory() as name:
        for ending in endings(write_cases(Path(name), options.times, options.seed), launcher, ranks=2):
            ended.append(ending)
            if options.verbose or ending.problem:
                say(f"{ending.folder.name}, {ending.name}: exit {ending.exit_code} {ending.problem}\n{ending.text}\n")
                say(
                    (ending.folder / "scan.yaml").read_bytes()[:3000].decode("utf-8", "replace")
                    if ending.problem
                    else ""
                )
        different = disagreements(ended[: options.jobs], launcher)
    say(summary(ended, options.jobs, different))
    return int(bool(different) or any(ending.problem for ending in ended))


def say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def summary(ended: list[Ending], n_jobs: int, different: list[str]) -> str:
    codes = Counter(ending.exit_code for ending in ended)
    slowest = sorted(ended, key=lambda ending: -ending.seconds)[:N_SLOWEST]
    lines = (
        f"{sum(not ending.problem for ending in ended)} of {len(ended)} end as they should",
        ", ".join(f"exit {code}: {n}" for code, n in sorted(codes.items(), key=str)),
        f"as jobs of their own: {n_jobs - len(different)} of {n_jobs} the same",
        *different,
        "slowest: " + "; ".join(f"{end.seconds:.1f} s, exit {end.exit_code}, {end.name}" for end in slowest),
    )
    return "".join(f"{line}\n" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
