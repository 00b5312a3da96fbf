"""Kill -9 of one random worker at a random moment, under Open MPI's fault tolerance; compare; again and again.

    python tests/stress/losses.py [--times 20] [--seed 1] [--ranks 4]

The moment is spread over the scan, from its first line in the log to its end. Prints one line for each time, and a
summary; exit code 1 where a file is not complete or differs. Set HPCSCAN_OPENMPI_PYTHON unless this is its Python.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from commands.results import Result, different_variables, read
from launch import Launcher, find_launcher
from output.conftest import EXIT, FAULT_TOLERANT, SLOWLY, write_scan
from output.jobs import RunningJob, running

N_UNDISTURBED = 3


@dataclass(frozen=True)
class Undisturbed:
    """A scan that loses nobody.

    Attributes
    ----------
    result : Result
    seconds : float
        From the first line in the log to the end of the job.
    """

    result: Result
    seconds: float


@dataclass(frozen=True)
class Outcome:
    """One scan that lost a worker.

    Attributes
    ----------
    rank : int
        The worker.
    is_noticed : bool
        Whether the log tells of it; not where it was about to leave anyway.
    seconds : float
        From the first line in the log to the end of the job.
    wrong : str
        Empty, or what is.
    """

    rank: int
    is_noticed: bool
    seconds: float
    wrong: str


def begin(folder: Path, job: RunningJob) -> float:
    """Wait for the first line in the log."""
    assert job.wait_until((folder / "out.log").exists)
    return time.monotonic()


def run_undisturbed(folder: Path, launcher: Launcher, ranks: int) -> Undisturbed:
    folder.mkdir()
    write_scan(folder)
    with running("scan.yaml", ranks=ranks, launcher=launcher, cwd=folder, env=SLOWLY) as job:
        began = begin(folder, job)
        code, text = job.end(300)
    assert code == EXIT, text
    return Undisturbed(read(folder / "out.nc"), time.monotonic() - began)


def lose_one(folder: Path, launcher: Launcher, ranks: int, dice: random.Random, usual: Undisturbed) -> Outcome:
    """A scan that loses a worker."""
    folder.mkdir()
    write_scan(folder)
    rank, moment = dice.randrange(1, ranks), dice.uniform(0, usual.seconds)
    with running("scan.yaml", ranks=ranks, launcher=launcher, cwd=folder, env=SLOWLY) as job:
        began = begin(folder, job)
        time.sleep(moment)
        if (pid := job.process_of(rank)) is not None:
            os.kill(pid, signal.SIGKILL)
        code, text = job.end(300)
    seconds = time.monotonic() - began
    if code != EXIT:
        return Outcome(rank, False, seconds, f"exit code {code}: {text}")
    is_noticed = f"rank {rank} has died" in (folder / "out.log").read_text()
    return Outcome(rank, is_noticed, seconds, ", ".join(different_variables(usual.result, read(folder / "out.nc"))))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--ranks", type=int, default=4)
    options = parser.parse_args()
    launcher, dice = replace(find_launcher("openmpi"), options=FAULT_TOLERANT), random.Random(options.seed)
    outcomes = []
    with tempfile.TemporaryDirectory() as name:
        runs = [run_undisturbed(Path(name, f"whole-{k}"), launcher, options.ranks) for k in range(N_UNDISTURBED)]
        usual = Undisturbed(runs[0].result, statistics.median(run.seconds for run in runs))
        say(f"undisturbed: {usual.seconds:.1f} s\n")
        for number in range(options.times):
            outcomes.append(lose_one(Path(name, str(number)), launcher, options.ranks, dice, usual))
            say(f"{number}: {outcomes[-1]}\n")
    say(summary(outcomes, usual))
    return int(any(outcome.wrong for outcome in outcomes))


def say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def summary(outcomes: list[Outcome], usual: Undisturbed) -> str:
    lost = [outcome.seconds - usual.seconds for outcome in outcomes]
    lines = (
        f"{sum(not outcome.wrong for outcome in outcomes)} of {len(outcomes)} complete and identical",
        f"the loss was noticed {sum(outcome.is_noticed for outcome in outcomes)} times; else all were about to leave",
        f"seconds lost: median {statistics.median(lost):.1f}, at most {max(lost):.1f}, of {usual.seconds:.1f}",
    )
    return "".join(f"{line}\n" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
