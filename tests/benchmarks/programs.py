"""Runs of the whole program, and what their processes use."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
LAUNCHER = ["mpirun", "-n"]
FREE = f"""\
scan: {{u: {{min: 0, max: 1, points: %d}}, v: {{min: 0, max: 1, points: %d}}}}
model: {{plugin: {HERE}/free.py:Free}}
fit: {{starts: 1}}
"""
LEPTONS = """\
scan: {beta: {min: 2.95, max: 3.25, points: %d}, w: {min: 0.005, max: 0.05, points: %d, spacing: log}}
model: {name: leptons, options: {box: published}}
"""
ADAPTIVE = "fit: {starts: {min: 1, max: 16}}\n"
HPCSCAN = [sys.executable, "-m", "hpcscan", "run", "--overwrite"]


@dataclass
class Ended:
    """A run that is over: its time, its log, and the peak memory of each of its ranks in bytes."""

    seconds: float
    log: str
    peak: dict[int, int] = field(default_factory=dict)

    @property
    def points_per_second(self) -> float:
        """Of the first pass, without start-up and writing."""
        found = re.search(r"done in .* \(([\d,.]+) points/s\)", self.log)
        assert found, self.log
        return float(found[1].replace(",", ""))


def command(folder: Path, text: str, name: str = "scan") -> list[str]:
    """Write a configuration, and give the command that runs it."""
    (folder / f"{name}.yaml").write_text(text)
    return [*HPCSCAN, "-o", str(folder / f"{name}.nc"), str(folder / f"{name}.yaml")]


def run(arguments: list[str]) -> Ended:
    begin = time.perf_counter()
    process = subprocess.Popen(arguments, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    peak: dict[int, int] = {}
    threading.Thread(target=_watch, args=(process, peak), daemon=True).start()
    log = process.communicate()[1]
    assert process.returncode in (0, 1), log
    return Ended(time.perf_counter() - begin, log, peak)


def side_by_side(*commands: list[str]) -> list[Ended]:
    ended: list[Ended | None] = [None] * len(commands)

    def one(k: int) -> None:
        ended[k] = run(commands[k])

    threads = [threading.Thread(target=one, args=(k,)) for k in range(len(commands))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [one for one in ended if one]


def _watch(process: subprocess.Popen, peak: dict[int, int]) -> None:
    """Note the largest resident memory of every rank, by the rank that the launcher gave it."""
    while process.poll() is None:
        for pid in _family(process.pid):
            try:
                status = Path(f"/proc/{pid}/status").read_text()
                rank = _rank(pid)
            except OSError:
                continue
            if rank is not None and (found := re.search(r"VmHWM:\s+(\d+) kB", status)):
                peak[rank] = max(peak.get(rank, 0), 1024 * int(found[1]))
        time.sleep(0.2)


def _family(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(other for child in children for other in _family(int(child)))]


def _rank(pid: int) -> int | None:
    if b"hpcscan" not in Path(f"/proc/{pid}/cmdline").read_bytes():
        return None
    if "python" not in Path(f"/proc/{pid}/exe").readlink().name:
        return None
    variables = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace")
    found = re.search(r"(?:PMI_RANK|OMPI_COMM_WORLD_RANK)=(\d+)", variables)
    return int(found[1]) if found else 0
