"""A discrete-event model of the coordinator: how efficient many ranks are, and where one coordinator is not enough.

Rank 0 serves one message after another: a chunk's results cost it a time for the message and a time for every point
(receiving, unpacking, journal). A worker holds the chunk at hand and, where it is quick, one ahead of it; the last
chunks wait for whoever is idle. A batch costs a time of its own, whatever its size, and a time for every point; that of
a chunk is spread log-normally. Rank 0 computes too in small teams, and answers nobody meanwhile. Chunks are those of
`hpcscan.scanning.chunks`.
"""

from __future__ import annotations

import heapq
import pickle
import random
import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from time import process_time

import numpy as np
from lines import Line

from hpcscan.fitting.records import PointResults
from hpcscan.grid import Grid, GridAxis
from hpcscan.guard.guard import Finished
from hpcscan.model.posing import pose
from hpcscan.models.leptons.model import LeptonModel
from hpcscan.output.journal import Journal, Kind, Record, layout_of
from hpcscan.output.journal_header import Header
from hpcscan.parallel import ranks_that_compute
from hpcscan.parallel.handout import LONG_TASK, MOST_TASKS_HELD
from hpcscan.scanning.chunks import chunk_sizes
from hpcscan.scanning.cost import SPREAD

N_POINTS, N_STARTS, MOST = 1_000_000, 16, 128
RANKS = tuple(2**k for k in range(6, 15))
SECONDS_PER_POINT = (1e-3, 50e-3, 10.0)


@dataclass(frozen=True)
class Costs:
    """Seconds of rank 0 for a message and for a point of its results; seconds that a message travels or lies unread."""

    message: float
    point: float
    latency: float = 50e-6


@dataclass(frozen=True)
class Work:
    """Seconds of a batch whatever its size, and for every point in it; points of the largest batch."""

    point: float
    batch: float = 0.0
    most: int = MOST

    @property
    def least(self) -> float:
        """Seconds for a point of the largest batch."""
        return self.point + self.batch / self.most


@dataclass
class _Team:
    """Rank 0 and its workers; chunks that are under way, by the time at which their results reach rank 0."""

    seconds: Sequence[float]
    n_workers: int
    computes: bool
    costs: Costs
    given: int = 0
    underway: list[tuple[float, int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.held, self.free_at = [0] * self.n_workers, [0.0] * self.n_workers
        self.is_quick = [False] * self.n_workers

    @property
    def n_left(self) -> int:
        return len(self.seconds) - self.given

    def fill(self, worker: int, now: float, at_once: int = MOST_TASKS_HELD) -> float:
        """Give chunks to a worker, as many as it may hold; give the time when they are sent."""
        while self.n_left and self.held[worker] < min(at_once, self._most_held(worker)):
            now += self.costs.message / 2
            begin = max(self.free_at[worker], now + self.costs.latency)
            self.free_at[worker] = begin + self.seconds[self.given]
            heapq.heappush(self.underway, (self.free_at[worker] + self.costs.latency, worker, self.given))
            self.held[worker] += 1
            self.given += 1
        return now

    def _most_held(self, worker: int) -> int:
        if self.computes:
            return 3 if self.n_left > 2 * (self.n_workers + 1) else 2
        return 2 if self.is_quick[worker] and self.n_left > self.n_workers else 1


def simulate(sizes: Sequence[int], ranks: int, work: Work, costs: Costs, seed: int = 1) -> float:
    """Hand out chunks of these sizes; give the time until all results are recorded."""
    draw = random.Random(seed)
    seconds = [(work.batch + n * work.point) * draw.lognormvariate(-SPREAD * SPREAD / 2, SPREAD) for n in sizes]
    computes = ranks_that_compute(ranks) == ranks
    team = _Team(seconds, ranks - 1, computes, costs)
    now = 0.0
    for at_once in range(1, MOST_TASKS_HELD + 1):
        for worker in range(ranks - 1):
            now = team.fill(worker, now, at_once)
    while team.underway or team.n_left:
        if team.underway and not (computes and team.n_left and team.underway[0][0] > now):
            arrived, worker, chunk = heapq.heappop(team.underway)
            now = max(arrived, now) + costs.message / 2 + sizes[chunk] * costs.point
            team.held[worker] -= 1
            team.is_quick[worker] = seconds[chunk] < LONG_TASK
            now = team.fill(worker, now)
        else:
            now += seconds[team.given] + sizes[team.given] * costs.point
            team.given += 1
    return now


def efficiency(ranks: int, work: Work, costs: Costs, n_points: int = N_POINTS, seed: int = 1) -> float:
    """The work, in the largest batches, over what all ranks could have done in that time."""
    sizes = chunk_sizes(n_points, work.most, ranks)
    return n_points * work.least / (ranks * simulate(sizes, ranks, work, costs, seed))


def efficiency_of_two_levels(ranks: int, work: Work, costs: Costs, groups: int) -> float:
    """The same where each of some groups has a coordinator of its own and an equal share of the grid.

    The coordinators hand their results to rank 0 in large messages, so that it is left with the cost of points.
    """
    each, n_points = ranks // groups, N_POINTS // groups
    sizes = chunk_sizes(n_points, work.most, each)
    slowest = max(simulate(sizes, each, work, costs, seed=group) for group in range(groups))
    return N_POINTS * work.least / (ranks * max(slowest, N_POINTS * costs.point))


def measured_costs(message: float = 40e-6) -> Costs:
    """Measure what rank 0 does with a point of a chunk's results; the message itself is measured by `tasks.py`."""
    model, few, many = pose(LeptonModel(), ("beta", "w")), 16, 1024
    layout = layout_of(PointResults.not_run(model, np.arange(0), N_STARTS))
    header = Header("costs", {}, Grid((GridAxis("beta", (3.0,)),)), layout, "", 0.0)
    with tempfile.TemporaryDirectory() as name, closing(Journal.create(Path(name) / "journal", header)) as journal:
        seconds = [_record(model, n, journal) for n in (few, many)]
    point = (seconds[1] - seconds[0]) / (many - few)
    return Costs(message + max(seconds[0] - few * point, 0.0), point)


def _record(model: LeptonModel, n: int, journal: Journal) -> float:
    """CPU time of rank 0 for the results of n points that arrive: the least of many times."""
    message = pickle.dumps(Finished(PointResults.not_run(model, np.arange(n), N_STARTS)))
    whole = PointResults.not_run(model, np.arange(n), N_STARTS)
    seconds = []
    for _ in range(200):
        begin = process_time()
        results = pickle.loads(message).results
        whole.put(results)
        journal.append(Record(Kind.FITTED, results))
        seconds.append(process_time() - begin)
    return min(seconds)


def lines() -> list[Line]:
    costs = measured_costs()
    found = [
        Line("rank 0, for a chunk", 1e6 * costs.message, "us"),
        Line("rank 0, for a point", 1e6 * costs.point, "us"),
    ]
    for seconds in SECONDS_PER_POINT:
        for ranks in RANKS:
            found.append(Line(f"{ranks:,} ranks, {seconds:g} s a point", efficiency(ranks, Work(seconds), costs)))
    for groups in (4, 16, 64):
        name = f"16,384 ranks, 0.05 s a point, {groups} coordinators"
        found.append(Line(name, efficiency_of_two_levels(16_384, Work(50e-3), costs, groups)))
    return found
