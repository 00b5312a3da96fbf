"""Run every model of `unruly.py` on several numbers of ranks: exit code, time, and what was said.

    python tests/stress/misbehaving.py [--mpi mpich openmpi] [--ranks 1 2 4] [--only PART]

Prints a line for each run, and a summary; exit code 1 where a run did not end in time, left with 0 or 1 and no complete
result, with another code than expected, or without naming the cause. Set HPCSCAN_OPENMPI_PYTHON.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from launch import MPIS, Launcher, find_launcher
from output.jobs import running
from stress.unruly import CASES, FAILS, FINE, Case

#: Seconds within which a run has to end: its time limit, its grace, and the start of Python on a busy machine.
LONGEST = 60.0


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes
    ----------
    code : int or None
        None where it did not end.
    seconds : float
    text : str
        All that was said.
    is_complete : bool
        Whether a complete result is there.
    """

    code: int | None
    seconds: float
    text: str
    is_complete: bool

    def wrong(self, case: Case, *, is_killed: bool = False) -> str:
        """Return what should not be; nothing where all is well.

        Parameters
        ----------
        is_killed : bool
            Whether the launcher turns a signal into a kill and returns 1 whatever the ranks do, as Open MPI's does.
        """
        if is_killed and self.code == FAILS:
            return ""
        expected = case.expected if isinstance(case.expected, tuple) else (case.expected,)
        if self.code is None:
            return "no end"
        if self.code in (FINE, FAILS) and not self.is_complete:
            return "no complete result"
        if self.code not in expected:
            return f"expected {' or '.join(map(str, expected))}"
        return "" if case.says in self.text else f"does not say {case.says!r}"


def run(case: Case, folder: Path, ranks: int, launcher: Launcher | None, longest: float = LONGEST) -> Outcome:
    """Run hpcscan with such a model in a folder of its own."""
    (folder / "unruly.py").write_text(case.plugin())
    (folder / "scan.yaml").write_text(case.scan())
    begin = time.monotonic()
    with running("scan.yaml", ranks=ranks, launcher=launcher, cwd=folder) as job:
        if case.signal_after is not None and job.wait_until((folder / "begun").exists):
            time.sleep(case.signal_after)
            job.process.send_signal(signal.SIGTERM)
        try:
            code, text = job.end(longest)
        except subprocess.TimeoutExpired:
            return Outcome(None, time.monotonic() - begin, "", False)
    return Outcome(code, time.monotonic() - begin, text, is_complete(folder / "out.nc"))


def is_complete(path: Path) -> bool:
    """Ask whether a result is there, and says of every point what became of it."""
    if not path.exists():
        return False
    import netCDF4  # noqa: PLC0415

    with netCDF4.Dataset(path) as dataset:
        return bool((dataset["status"][:] > 0).all())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mpi", choices=MPIS, nargs="+", default=["mpich"])
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--only", default="", help="cases whose name has this part")
    options = parser.parse_args()
    wrong = n_runs = 0
    for mpi in options.mpi:
        for name, case in CASES.items():
            for ranks in options.ranks if options.only in name else ():
                launcher = None if ranks == 1 else find_launcher(mpi)
                with tempfile.TemporaryDirectory() as folder:
                    outcome = run(case, Path(folder), ranks, launcher)
                is_killed = mpi == "openmpi" and ranks > 1 and case.signal_after is not None
                fault = outcome.wrong(case, is_killed=is_killed)
                n_runs, wrong = n_runs + 1, wrong + bool(fault)
                said = case.says or (outcome.text.strip().splitlines() or [""])[-1][:60]
                say(f"{mpi:8} {name:34} {ranks} ranks  exit {outcome.code}  {outcome.seconds:5.1f} s  {said}\n")
                if fault:
                    say(f"    WRONG: {fault}\n    | " + "\n    | ".join(outcome.text.splitlines()[-30:]) + "\n")
    say(f"{n_runs} runs, {wrong} wrong\n")
    return int(wrong > 0)


def say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
