"""The whole program: two ranks beside two serial runs, overhead, size and start-up."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from lines import Line
from programs import ADAPTIVE, FREE, HERE, LAUNCHER, LEPTONS, Ended, command, run, side_by_side

GIB = 2**30
READ = [sys.executable, "-m", "hpcscan"]


def two_ranks(rounds: int) -> list[Line]:
    """Two ranks against two serial runs of half the grid each, at the same time."""
    ratios = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # By the launcher too: systems that share time between sessions treat what it starts in another way.
        halves = [[*LAUNCHER, "1", *command(folder, LEPTONS % (100, 40), f"half-{k}")] for k in range(2)]
        whole = [*LAUNCHER, "2", *command(folder, LEPTONS % (100, 80), "whole")]
        for _ in range(rounds):
            serial = sum(ended.points_per_second for ended in side_by_side(*halves))
            ratios.append(run(whole).points_per_second / serial)
    return [Line("two ranks over two serial runs side by side", median(ratios), at_least=0.95)]


def overhead(rounds: int) -> list[Line]:
    """A model that costs nothing, one start, from the command to the finished file; memory for one with 16 starts."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        free = [run(command(folder, FREE % (1000, 500))) for _ in range(rounds)]
        small, large = (run(command(folder, (LEPTONS + ADAPTIVE) % (n, n), f"{n}")) for n in (100, 400))
    rate = median(500_000 / ended.seconds for ended in free)
    return [
        Line("a model that costs nothing, 500,000 points", rate, "points/s", at_least=20_000),
        _memory_of_a_point(small, large, 400**2 - 100**2),
    ]


def _memory_of_a_point(small: Ended, large: Ended, n_more: int) -> Line:
    grown = (large.peak[0] - small.peak[0]) / n_more
    return Line("peak memory of rank 0 for one more point of the lepton model", grown, "byte", at_most=1000)


def size(n: int) -> list[Line]:
    """n × n points of the lepton model on two ranks."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        small = run([*LAUNCHER, "2", *command(folder, LEPTONS % (10, 10), "small")])
        middle = run([*LAUNCHER, "2", *command(folder, LEPTONS % (100, 100), "middle")])
        large = run([*LAUNCHER, "2", *command(folder, LEPTONS % (n, n), "large")])
        read = _reading(folder / "large.nc", folder / "report")
    return [
        Line(f"{n} x {n} points of the lepton model, two ranks", large.seconds, "s"),
        Line("peak memory of rank 0", large.peak[0] / GIB, "GiB", at_most=2.0),
        _memory_of_a_point(middle, large, n**2 - 100**2),
        Line("peak memory of the worker, over that with 100 points", large.peak[1] / small.peak[1], at_most=1.5),
        Line("points per second over those of 10,000 points", large.points_per_second / middle.points_per_second),
        *read,
    ]


def _reading(result: Path, folder: Path) -> list[Line]:
    """The commands that read a result, each with its peak memory."""
    report = run([*READ, "report", str(result), "-o", str(folder)])
    others = {
        "check": run([*READ, "check", str(result)]),
        "compare": run([*READ, "compare", str(result), str(result)]),
        "compare --exact": run([*READ, "compare", str(result), str(result), "--exact"]),
    }
    page = (folder / "report.html").stat().st_size
    return [
        Line("its report", report.seconds, "s", at_most=60),
        Line("peak memory of the report", report.peak[0] / GIB, "GiB", at_most=2.0),
        Line("the page", page / 1e6, "MB", at_most=5),
        *(Line(f"its {name}", ended.seconds, "s", at_most=10) for name, ended in others.items()),
        Line("largest peak memory of these", max(ended.peak[0] for ended in others.values()) / GIB, "GiB", at_most=2.0),
    ]


def start_up(rounds: int, ranks: int = 64) -> list[Line]:
    """Until the first chunk is done, over what the libraries alone take."""
    bare = [*LAUNCHER, str(ranks), sys.executable, "-c", "from mpi4py import MPI; import numpy"]
    ratios = []
    with tempfile.TemporaryDirectory() as name:
        ours = [*LAUNCHER, str(ranks), *command(Path(name), LEPTONS % (20, 20)), "-v"]
        for _ in range(rounds):
            begin = time.perf_counter()
            subprocess.run(bare, check=True)
            libraries = time.perf_counter() - begin
            ratios.append(_until_first(ours) / libraries)
    return [Line(f"{ranks} ranks until the first chunk, over libraries alone", median(ratios), at_most=2.0)]


def _until_first(arguments: list[str]) -> float:
    begin, first = time.perf_counter(), 0.0
    process = subprocess.Popen(arguments, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if " finished " in line and not first:
            first = time.perf_counter() - begin
    process.wait()
    assert first, "no chunk was finished"
    return first


def tasks(ranks: int = 64) -> list[Line]:
    """Tasks that only sleep, so that a small machine stands in for a large one."""
    job = [*LAUNCHER, str(ranks), sys.executable, str(HERE / "tasks.py")]
    found = json.loads(subprocess.run(job, check=True, capture_output=True, text=True).stdout)
    return [
        Line(f"tasks of 50 ms: efficiency of {found['ranks']} ranks", found["efficiency_equal"], at_least=0.95),
        Line(
            "log-normal tasks, one 100 times longer, over the best schedule",
            found["straggler_time_over_best"],
            at_most=1.05,
        ),
        Line(
            "the same, over the best schedule of the times that these tasks took",
            found["straggler_time_over_best_of_times_taken"],
            at_most=1.05,
        ),
        Line("the same in any order, over a free hand-out", found["straggler_time_over_ideal"], at_most=1.05),
        Line("CPU time of rank 0 for a task", 1e6 * found["rank_0_seconds_per_task"], "us"),
    ]
