"""Kill -9 of a whole job at a random moment, resume on a random number of ranks, compare; again and again.

    python tests/stress/kills.py [--times 200] [--seed 1] [--openmpi] [--waves]

The moment is spread over the whole run, from the start of the launcher to the writing of the file. Prints one line for
each time, and a summary; exit code 1 where any file differs. Set HPCSCAN_OPENMPI_PYTHON for --openmpi. With --waves the
grid is fitted from coarse to fine, with several starts for each point, and is killed again and again until it ends.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from commands.results import Result, different_variables, read
from launch import Launcher, find_launcher
from output.conftest import N_POINTS, PLUGINS, SLOWLY, n_begun, write_scan
from output.jobs import running

from hpcscan.commands.status import n_finished

#: Ends of starts differ, and some agree with none.
IN_WAVES = f"""\
scan: {{slope: {{values: [0.1, 0.2, 0.3, 0.4]}}}}
model: {{plugin: {PLUGINS}/ripples.py}}
fit: {{proof: false}}
answer: false
output: out.nc
"""
WAVES = {"RIPPLES_SECONDS": "0.002", "RIPPLES_FAILS_AT": "0.2", "RIPPLES_FROM": "3.5"}


def write_waves(folder: Path) -> None:
    (folder / "scan.yaml").write_text(IN_WAVES)


@dataclass(frozen=True)
class Outcome:
    """What became of one scan.

    Attributes
    ----------
    n_known : int
        Points that the journal had after the kill.
    n_lost : int
        Points that had been begun and were not in it.
    different : list of str
        Variables that are not as in the uninterrupted file.
    n_kills : int
    """

    n_known: int
    n_lost: int
    different: list[str]
    n_kills: int = 1


def run_whole(folder: Path, launcher: Launcher) -> tuple[Result, float]:
    """One scan in one go on two ranks: its result, and how long it takes."""
    begin = time.monotonic()
    with running("scan.yaml", ranks=2, launcher=launcher, cwd=folder, env=SLOWLY | WAVES) as job:
        code, text = job.end(300)
    assert code in (0, 1), text
    return read(folder / "out.nc"), time.monotonic() - begin


def kill_once(folder: Path, launcher: Launcher, dice: random.Random, seconds: float, whole: Result) -> Outcome:
    trace = folder / "trace"
    trace.mkdir()
    command, env = ("scan.yaml", "--resume"), SLOWLY | {"SLOW_TRACE": str(trace)}
    with running(*command, ranks=dice.randint(1, 4), launcher=launcher, cwd=folder, env=env) as job:
        time.sleep(dice.uniform(0, seconds))
        job.kill()
    # Without a journal it may be complete.
    known, begun = n_finished(str(folder / "out.nc")), n_begun(trace)
    with running(*command, ranks=dice.randint(1, 4), launcher=launcher, cwd=folder) as job:
        code, text = job.end(300)
    if code not in (0, 1):
        return Outcome(known, 0, [f"exit code {code}: {text}"])
    return Outcome(known, max(begun - known, 0), different_variables(whole, read(folder / "out.nc")))


def kill_in_waves(folder: Path, launcher: Launcher, dice: random.Random, seconds: float, whole: Result) -> Outcome:
    """Kill a scan until it ends: soon at first, and later each time."""
    known, n_kills = [0], 0
    while True:
        with running(
            "scan.yaml", "--resume", ranks=dice.randint(1, 4), launcher=launcher, cwd=folder, env=WAVES
        ) as job:
            time.sleep(dice.uniform(0, seconds * (1 + n_kills) / 4))
            if job.process.poll() is not None:
                code, text = job.end()
                break
            job.kill()
        n_kills += 1
        # The journal is gone where the scan was complete.
        if (folder / "out.nc.journal").exists():
            known.append(n_finished(str(folder / "out.nc")))
    wrong = [f"exit code {code}: {text}"] if code not in (0, 1) else different_variables(whole, read(folder / "out.nc"))
    wrong += [] if known == sorted(known) else [f"fits were lost: {known}"]
    return Outcome(known[-1], 0, wrong, n_kills)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--openmpi", action="store_true")
    parser.add_argument("--waves", action="store_true")
    options = parser.parse_args()
    launcher, dice = find_launcher("openmpi" if options.openmpi else "mpich"), random.Random(options.seed)
    outcomes = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "whole")
        folder.mkdir()
        write = write_waves if options.waves else write_scan
        write(folder)
        whole, seconds = run_whole(folder, launcher)
        for number in range(options.times):
            folder = Path(name, str(number))
            folder.mkdir()
            write(folder)
            kill = kill_in_waves if options.waves else kill_once
            outcomes.append(kill(folder, launcher, dice, seconds, whole))
            say(f"{number}: {outcomes[-1]}\n")
    say(summary(outcomes, launcher.mpi, in_waves=options.waves))
    return int(any(outcome.different for outcome in outcomes))


def say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def summary(outcomes: list[Outcome], mpi: str, *, in_waves: bool) -> str:
    n_identical = sum(not outcome.different for outcome in outcomes)
    n_kills = sum(outcome.n_kills for outcome in outcomes)
    early = sum(outcome.n_known == 0 for outcome in outcomes)
    late = sum(outcome.n_known == N_POINTS for outcome in outcomes)
    lost = [outcome.n_lost for outcome in outcomes]
    first = f"{mpi}: {n_identical} of {len(outcomes)} identical after {n_kills} kills\n"
    if in_waves:
        return first
    lines = (
        f"killed before the first point was finished: {early} times, after the last: {late} times",
        f"points computed again: {sum(lost) / len(lost):.2f} per kill of {N_POINTS}, at most {max(lost)}",
    )
    return first + "".join(f"{line}\n" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
