"""How much of the ranks' time the hand-out of tasks wastes: ``mpirun -n 64 python tests/benchmarks/tasks.py``.

Tasks that only sleep, so that a small machine can stand in for a large one. Prints one JSON object:
tasks per second, efficiency of equal tasks, and log-normal tasks in any order and longest first, over
the time of a free and immediate hand-out in the same order to all ranks. Start-up is not counted. Where processes
share processors a sleep takes longer than it should; what that costs is not the hand-out's, and is told apart.
"""

from __future__ import annotations

import heapq
import json
import logging
import random
import resource
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from hpcscan.parallel import Coordinator, connect, run_team

N_TRIVIAL = 10_000
N_PER_RANK = 200
SECONDS = 0.05


@dataclass(frozen=True)
class Took:
    """What a task has taken: seconds, and the memory of its process in kB at the peak."""

    seconds: float
    memory: int


def prepare(job: None, promise: object) -> Callable[[float], Took]:
    def work(seconds: float) -> Took:
        begin = time.perf_counter()
        if seconds:
            time.sleep(seconds)
        return Took(time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)

    return work


def lead(team: Coordinator[None, None, float, Took], size: int) -> int:
    team.brief(None)
    _wait_for_all_ranks(team, size)
    begin = time.process_time()
    trivial, before, _ = _time(team, [0.0] * N_TRIVIAL)
    cost = (time.process_time() - begin) / N_TRIVIAL
    equal, after, _ = _time(team, [SECONDS] * (N_PER_RANK * size))
    draw = random.Random(1)
    lognormal = [draw.lognormvariate(0.0, 1.0) * SECONDS / 2 for _ in range(N_PER_RANK * size)]
    longest_first = sorted(lognormal, reverse=True)
    # A straggler, where a chunk rule would put it if it knew: nowhere in particular.
    straggler = [*lognormal[:-1], 100 * SECONDS / 2]
    draw.shuffle(straggler)
    longest, _, took = _time(team, sorted(straggler, reverse=True))
    report = {
        "ranks": size,
        "rank_0_seconds_per_task": round(cost, 7),
        "tasks_per_second": round(N_TRIVIAL / trivial),
        "efficiency_equal": round(N_PER_RANK * SECONDS / equal, 4),
        "lognormal_time_over_ideal": round(_time(team, lognormal)[0] / _ideal_time(lognormal, size), 4),
        "lognormal_longest_first_over_ideal": round(
            _time(team, longest_first)[0] / _ideal_time(longest_first, size), 4
        ),
        "straggler_time_over_ideal": round(_time(team, straggler)[0] / _ideal_time(straggler, size), 4),
        "straggler_time_over_best": round(longest / _best_time(straggler, size), 4),
        "straggler_time_over_best_of_times_taken": round(longest / _best_time(took, size), 4),
        "largest_worker_kB_after_trivial_and_equal": [before, after],
    }
    sys.stdout.write(json.dumps(report, indent=1) + "\n")
    return 0


def _ideal_time(tasks: list[float], size: int) -> float:
    free_at = [0.0] * size
    for seconds in tasks:
        heapq.heapreplace(free_at, free_at[0] + seconds)
    return max(free_at)


def _best_time(tasks: list[float], size: int) -> float:
    """Bound the time of the best schedule from below."""
    return max(sum(tasks) / size, *tasks)


def _wait_for_all_ranks(team: Coordinator[None, None, float, Took], size: int) -> None:
    awaited = set(range(0 if team.computes else 1, size))

    def until_all_answered() -> Iterator[float]:
        while awaited:
            yield SECONDS

    for done in team.map(until_all_answered()):
        awaited.discard(done.rank)


def _time(team: Coordinator[None, None, float, Took], tasks: Iterable[float]) -> tuple[float, int, list[float]]:
    """Give the seconds until all tasks are done, the largest memory of a worker in kB, and what every task took."""
    start = time.perf_counter()
    took = [done.result for done in team.map(tasks)]
    seconds = time.perf_counter() - start
    return seconds, max(task.memory for task in took), [task.seconds for task in took]


if __name__ == "__main__":
    logging.basicConfig()
    world = connect()
    sys.exit(run_team(world, lambda team: lead(team, world.size), prepare))
