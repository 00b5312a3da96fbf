"""A discrete-event model of the coordinator: how efficient many ranks are, and where one coordinator is not enough.

Rank 0 serves one message after another: a chunk's results cost it a time for the message and a time for every point
(receiving, unpacking, journal). A worker holds two chunks, so that it waits only when rank 0 needs longer to answer
than the worker for a chunk. Chunks are those of `hpcscan.scan.chunks`, for the lepton model with 16 starts.
"""

from __future__ import annotations

import heapq
import pickle
import random
import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from time import process_time

import numpy as np
from lines import Line

from hpcscan.fit.records import PointResults
from hpcscan.model.leptons import LeptonModel
from hpcscan.scan.chunks import cut
from hpcscan.scan.grid import Grid, GridAxis
from hpcscan.scan.guard import Finished
from hpcscan.store.journal import Journal, Kind, Record
from hpcscan.store.journal_header import Header
from hpcscan.store.packing import layout_of

N_POINTS, N_STARTS = 1_000_000, 16
RANKS = tuple(2**k for k in range(6, 15))
SECONDS_PER_POINT = (1e-3, 50e-3, 10.0)
#: Spread of the time of a chunk, log-normal.
SPREAD = 0.2


@dataclass(frozen=True)
class Costs:
    """Seconds of rank 0 for a message and for a point of its results; seconds that a message travels."""

    message: float
    point: float
    latency: float = 20e-6


def simulate(sizes: Sequence[int], n_workers: int, seconds_per_point: float, costs: Costs, seed: int = 1) -> float:
    """Hand chunks of these sizes to workers; give the time until all results are recorded."""
    draw = random.Random(seed)
    chunks = iter(sizes)
    ahead: list[list[int]] = [[] for _ in range(n_workers)]
    at_hand = [0] * n_workers
    events: list[tuple[float, int, int]] = []
    free_at = 0.0

    def begin(worker: int, now: float) -> None:
        size = ahead[worker].pop(0)
        at_hand[worker] = size
        seconds = size * seconds_per_point * draw.lognormvariate(-SPREAD * SPREAD / 2, SPREAD)
        heapq.heappush(events, (now + seconds, worker, size))

    def give(worker: int, now: float) -> None:
        size = next(chunks, 0)
        if size:
            ahead[worker].append(size)
            if not at_hand[worker]:
                begin(worker, now + costs.latency)

    for _ in range(2):
        for worker in range(n_workers):
            give(worker, free_at)
            free_at += costs.message / 2
    # The end of a chunk: the worker goes on with what it holds, and rank 0 serves its results in turn.
    arrivals: list[tuple[float, int, int]] = []
    while events or arrivals:
        if events and (not arrivals or events[0][0] + costs.latency <= max(arrivals[0][0], free_at)):
            now, worker, size = heapq.heappop(events)
            at_hand[worker] = 0
            heapq.heappush(arrivals, (now + costs.latency, worker, size))
            if ahead[worker]:
                begin(worker, now)
        else:
            arrived, worker, size = heapq.heappop(arrivals)
            free_at = max(arrived, free_at) + costs.message + size * costs.point
            give(worker, free_at)
    return free_at


def efficiency(ranks: int, seconds_per_point: float, costs: Costs, n_points: int = N_POINTS) -> float:
    """The work over what all ranks could have done in that time."""
    sizes = [chunk.n_points for chunk in cut(n_points, N_STARTS, LeptonModel(), ranks - 1, None)]
    return n_points * seconds_per_point / (ranks * simulate(sizes, ranks - 1, seconds_per_point, costs))


def efficiency_of_two_levels(ranks: int, seconds_per_point: float, costs: Costs, groups: int) -> float:
    """The same where each of some groups has a coordinator of its own and an equal share of the grid.

    The coordinators hand their results to rank 0 in large messages, so that it is left with the cost of points.
    """
    each, n_points = ranks // groups, N_POINTS // groups
    sizes = [chunk.n_points for chunk in cut(n_points, N_STARTS, LeptonModel(), each - 1, None)]
    slowest = max(simulate(sizes, each - 1, seconds_per_point, costs, seed=group) for group in range(groups))
    return N_POINTS * seconds_per_point / (ranks * max(slowest, N_POINTS * costs.point))


def measured_costs(message: float = 30e-6) -> Costs:
    """Measure what rank 0 does with a point of a chunk's results; the message itself is measured by `tasks.py`."""
    model, few, many = LeptonModel(), 16, 128
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
            found.append(Line(f"{ranks:,} ranks, {seconds:g} s a point", efficiency(ranks, seconds, costs)))
    for groups in (4, 16, 64):
        name = f"16,384 ranks, 0.05 s a point, {groups} coordinators"
        found.append(Line(name, efficiency_of_two_levels(16_384, 50e-3, costs, groups)))
    return found
