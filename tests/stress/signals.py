"""Send signals to the launcher of a scan: exit code, time to the exit, points lost; for both MPIs.

    python tests/stress/signals.py [--times 3] [--ranks 3] [--mpi mpich openmpi] [--signals SIGUSR1 SIGTERM SIGINT]

Prints a line for each, with the scan resumed and compared; exit code 1 where a file differs, or where a signal that is
forwarded does not end in exit 75 with nothing lost. Set HPCSCAN_OPENMPI_PYTHON.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from commands.results import Result, different_variables, read
from launch import MPIS, Launcher, find_launcher
from output.conftest import EXIT, N_POINTS, SLOWLY, n_begun, n_known, write_scan
from output.jobs import running

SIGNALS = (signal.SIGUSR1, signal.SIGTERM, signal.SIGINT)
STOPPED = 75
#: What Open MPI's launcher turns into a kill.
KILLS = {("openmpi", signal.SIGTERM), ("openmpi", signal.SIGINT)}


def send(folder: Path, launcher: Launcher, ranks: int, number: signal.Signals, whole: Result) -> bool:
    """Stop a scan, say how it ended, and go on with it."""
    write_scan(folder)
    trace = folder / "trace"
    trace.mkdir()
    with running(
        "scan.yaml", ranks=ranks, launcher=launcher, cwd=folder, env=SLOWLY | {"SLOW_TRACE": str(trace)}
    ) as job:
        assert job.wait_until(lambda: n_known(folder) >= 5)
        job.process.send_signal(number)
        begin = time.monotonic()
        code, _ = job.end(300)
        seconds = time.monotonic() - begin
    known = n_known(folder)
    n_lost = n_begun(trace) - known
    with running("scan.yaml", "--resume", cwd=folder) as job:
        end, text = job.end(300)
    is_identical = end == EXIT and not different_variables(whole, read(folder / "out.nc"))
    about = f"exit {code} after {seconds:.2f} s, {known} of {N_POINTS} points saved, {n_lost} lost"
    say(f"{launcher.mpi} {number.name}: {about}; resumed: {'identical' if is_identical else text}\n")
    return is_identical and ((launcher.mpi, number) in KILLS or (code == STOPPED and n_lost == 0))


def say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--ranks", type=int, default=3)
    parser.add_argument("--mpi", choices=MPIS, nargs="+", default=MPIS)
    parser.add_argument("--signals", choices=[number.name for number in SIGNALS], nargs="+")
    options = parser.parse_args()
    numbers = [number for number in SIGNALS if not options.signals or number.name in options.signals]
    good = []
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        write_scan(root)
        with running("scan.yaml", cwd=root) as job:
            code, text = job.end(300)
        assert code == EXIT, text
        whole = read(root / "out.nc")
        for mpi in options.mpi:
            for number in numbers * options.times:
                folder = root / str(len(good))
                folder.mkdir()
                good.append(send(folder, find_launcher(mpi), options.ranks, number, whole))
    return int(not all(good))


if __name__ == "__main__":
    sys.exit(main())
