"""What a scan needs, asked before anything is computed: memory on rank 0, and time on many ranks."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import exp, log, sqrt
from pathlib import Path

import numpy as np

from hpcscan.fitting.records import PointResults
from hpcscan.model.problem import Problem

#: Where Linux tells the limit of a group of processes, and the file: cgroup version 2 and 1.
UNIFIED, MEMORY = ("sys/fs/cgroup", "memory.max"), ("sys/fs/cgroup/memory", "memory.limit_in_bytes")
#: Results may take this share of the memory; the rest is for the program, some 0.1 GB, and for others.
SHARE = 0.8
#: Of what is derived from the results of a point: numbers and marks, a few at a time; and what a journal tells of it.
DERIVED_BYTES = 84

#: What rank 0 needs for a chunk's message and for a point in it; measured by tests/benchmarks/simulation.py.
SECONDS_PER_CHUNK, SECONDS_PER_POINT = 250e-6, 2e-6
#: Spread of the time of a chunk, log-normal.
SPREAD = 0.2
#: Ranks are worth while as long as so much of their time is work.
LEAST_EFFICIENCY = 0.5


def bytes_per_point(model: Problem, n_starts: int) -> int:
    """Memory that rank 0 needs for one grid point, at its peak: its results, and what a wave of repair keeps beside."""
    n = 2
    results = sum(array.nbytes for array in PointResults.not_run(model, np.arange(n), n_starts).arrays()) // n
    minimum, neighbours = 8 * len(model.parameters), 8 * 2 * len(model.axes)
    return results + minimum + neighbours + DERIVED_BYTES


def available_memory(root: Path = Path("/")) -> int:
    """Memory that this process may use, in bytes: the machine's, or less where a batch system sets a limit."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limits = [file.read_text().strip() for file in _limit_files(root) if file.is_file()]
    return min([machine, *(int(limit) for limit in limits if limit.isdecimal())])


def _limit_files(root: Path) -> Iterator[Path]:
    """Return the files that may limit this process: of its own group, and of all groups around that."""
    groups = {UNIFIED: "/", MEMORY: "/"}
    own = root / "proc/self/cgroup"
    for line in own.read_text().splitlines() if own.is_file() else ():
        _, controllers, path = line.split(":", 2)
        if not controllers or "memory" in controllers.split(","):
            groups[MEMORY if controllers else UNIFIED] = path
    for (base, name), path in groups.items():
        group = Path(path.lstrip("/"))
        # In a container the group may have another name than outside, and not be there; the groups around it are.
        yield from (root / base / around / name for around in (group, *group.parents))


def memory_problem(n_points: int, model: Problem, n_starts: int) -> str | None:
    """Return why rank 0 cannot hold the results of a grid; None where it can."""
    needed, available = n_points * bytes_per_point(model, n_starts), available_memory()
    if needed <= SHARE * available:
        return None
    return (
        f"the results of {n_points:,} points with {n_starts} starts need {needed / 1e9:.1f} GB on rank 0, "
        f"which has {available / 1e9:.1f} GB; use fewer points or starts"
    )


@dataclass(frozen=True)
class BatchCost:
    """Seconds of a batch whatever its size, and seconds for every point in it."""

    batch: float
    point: float

    def of(self, n_points: int) -> float:
        """Seconds of a batch."""
        return self.batch + n_points * self.point


@dataclass(frozen=True)
class Prediction:
    """How long all chunks take, and what of it is due to what.

    Attributes
    ----------
    balance : float
        Seconds until all ranks have done their part, the last chunks included.
    service : float
        Seconds until rank 0 has taken in all results, where it is never idle.
    straggler : float
        Seconds until the slowest of the first chunks is done.
    """

    balance: float
    service: float
    straggler: float

    @property
    def seconds(self) -> float:
        """The longest of them."""
        return max(self.balance, self.service, self.straggler)

    @property
    def limit(self) -> str:
        """Why the ranks wait, where they do."""
        return "rank 0 is busy with their results" if self.service == self.seconds else "each has too few points"


def predict(sizes: Sequence[int], n_computing: int, rank_0_computes: bool, cost: BatchCost) -> Prediction:
    """Predict the time that ranks need for chunks of these sizes, largest first, start-up excluded.

    The last chunk ends half its time after the mean, and with many ranks one of them is slow: the largest of n times
    that are log-normal with spread σ is exp(σ √(2 ln n)) times their mean, roughly. A test holds this to the
    discrete-event model of the coordinator, in which every chunk is handed out, computed and served.

    Parameters
    ----------
    sizes : sequence of int
        Points of every chunk, each of which is one batch.
    n_computing : int
        Ranks that compute.
    rank_0_computes : bool
        Whether rank 0 is one of them.
    """
    n = min(n_computing, len(sizes))
    work = sum(map(cost.of, sizes))
    service = len(sizes) * SECONDS_PER_CHUNK + sum(sizes) * SECONDS_PER_POINT
    slowest = exp(SPREAD * sqrt(2 * log(n)))
    end = 0.5 * slowest * cost.of(max(sizes[-n:]))
    if rank_0_computes:
        return Prediction((work + service) / n + end * (n - 1) / n, service, 0.0)
    handing_out = 0.5 * n * SECONDS_PER_CHUNK
    first = cost.of(sizes[0])
    return Prediction(work / n + end + handing_out, service + 0.5 * first, handing_out + slowest * first)


def most_worth_while(efficiency: Callable[[int], float], most: int) -> int:
    """Compute the largest number of ranks that are still efficient, to about two digits.

    Parameters
    ----------
    efficiency : callable
        Of a number of ranks.
    most : int
        More are not asked for.
    """
    low = 1
    while low < most and efficiency(min(2 * low, most)) >= LEAST_EFFICIENCY:
        low = min(2 * low, most)
    high = min(2 * low, most)
    while high - low > max(1, low // 20):
        middle = (low + high) // 2
        low, high = (middle, high) if efficiency(middle) >= LEAST_EFFICIENCY else (low, middle)
    return low
