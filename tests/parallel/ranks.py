"""What the ranks of a test job do: ``python ranks.py SCENARIO DIRECTORY``. Each rank may write a file of its own."""

from __future__ import annotations

import itertools
import json
import logging
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from hpcscan.errors import Mistake, UsageError
from hpcscan.parallel import Coordinator, Rescue, StopRequest, connect, launcher_rank, run_team, status_for_launcher

N_TASKS = 200
GRACE = 60.0
SHORT_GRACE = 2.0


def prepare(job: str, promise: Callable[[object, float], None]) -> Callable[[object], object]:
    if job == "refuse":
        raise UsageError(Mistake("scan.yaml:3:5", "no such model"))
    works: dict[str, Callable[[object], object]] = {
        "square": lambda x: x * x,
        "sleep": time.sleep,
        "sixth_fails": lambda x: 1 // (x - 6),
        "usage": lambda x: _raise(UsageError(Mistake("scan.yaml:7:1", "out of range"))),
        "unpicklable_result": lambda x: lambda: x,
        "plugin_exits": lambda x: sys.exit(0),
        "killed": lambda x: os.kill(os.getpid(), signal.SIGKILL),
        "sixth_kills": lambda x: os.kill(os.getpid(), signal.SIGKILL) if x == 6 else x,
        "large": bytes,
        "pid": lambda x: (time.sleep(0.01), os.getpid())[1],
        "dies_once": partial(_die_once, promise),
        "hangs": partial(_hang_at_three, promise),
        "interrupts_itself": _interrupt_itself,
        "footprint": _footprint,
    }
    return works[job]


def _raise(error: Exception) -> None:
    raise error


def _die_once(promise: Callable[[int, float], None], task: tuple[int, str]) -> int:
    """Rank 2 is killed in the middle of a task, once."""
    number, flag = task
    time.sleep(0.01)
    if number >= 10 and os.environ.get("OMPI_COMM_WORLD_RANK") == "2" and not Path(flag).exists():
        Path(flag).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def _hang_at_three(promise: Callable[[int, float], None], tasks: list[int]) -> list[int]:
    """A call that no signal handler of Python's interrupts, and in which no thread of Python's runs."""
    for task in tasks:
        promise(task, 1.0)
        if task == 3:
            sum(itertools.repeat(0))
    return tasks


def _interrupt_itself(seconds: float) -> float:
    """A worker ignores the signals that it gets."""
    if launcher_rank() > 0:
        for number in (signal.SIGUSR1, signal.SIGTERM, signal.SIGINT):
            os.kill(os.getpid(), number)
    time.sleep(seconds)
    return seconds


def _footprint(size: int) -> tuple[int, bytes]:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, bytes(size)


def squares(team: Coordinator, directory: Path) -> int:
    """Two waves; what arrived and who computed it goes to a file."""
    team.brief("square")
    ticks = []
    waves = [
        [(done.rank, done.result) for done in team.map(range(first, first + N_TASKS), tick=lambda: ticks.append(1))]
        for first in (0, 1000)
    ]
    (directory / "waves.json").write_text(json.dumps({"waves": waves, "ticks": len(ticks)}))
    return 1


def sleeps(team: Coordinator, directory: Path) -> int:
    """Rank 0 has long tasks of its own, and a generator that ends by the clock."""
    team.brief("sleep")
    end = time.monotonic() + 0.5
    handed_out = []

    def until_the_end() -> Iterator[float]:
        while time.monotonic() < end:
            handed_out.append(1)
            yield 0.02

    n_done = sum(1 for _ in team.map(until_the_end()))
    (directory / "counts.json").write_text(json.dumps([len(handed_out), n_done]))
    return 0


def large(team: Coordinator, directory: Path) -> int:
    """Messages far above any library's eager limit, both ways, in two waves."""
    sizes = [0, 10, 5_000_000, 20_000, 1_000_000, 3, 300_000] * 3
    for _ in range(2):
        team.brief("large")
        received = sorted(len(done.result) for done in team.map(sizes))
    (directory / "sizes.json").write_text(json.dumps([sorted(sizes), received]))
    return 0


def abandoned(team: Coordinator, directory: Path) -> int:
    """Rank 0 stops listening while large results are on their way."""
    team.brief("large")
    for _ in team.map([2_000_000] * 50):
        break
    try:
        next(team.map([1]))
    except RuntimeError as error:
        (directory / "refused.txt").write_text(str(error))
    return 74


def dies_once(team: Coordinator, directory: Path) -> int:
    """Two waves; in the first one a rank dies."""
    team.brief("dies_once")
    flag = str(directory / "died")
    waves = [sorted(done.result for done in team.map((i, flag) for i in range(N_TASKS))) for _ in range(2)]
    (directory / "waves.json").write_text(json.dumps(waves))
    return 1


def dies_last(team: Coordinator, directory: Path) -> int:
    """A rank is killed when everything is done, and nobody has noticed when all are sent away."""
    team.brief("pid")
    pids = {done.rank: done.result for done in team.map(range(N_TASKS))}
    os.kill(pids[2], signal.SIGKILL)
    return 1


def hangs(team: Coordinator, directory: Path) -> int:
    """A task of which nobody knows the culprit, until it is cut."""

    def rescue(task: list[int], step: int) -> Rescue:
        rest = [number for number in task if number != step]
        return Rescue([rest] if rest else [], [[-step]])

    team.brief("hangs", rescue=rescue)
    tasks = [[1, 2], [5, 3, 6], [7], [8, 9], [10]]
    waves = [sorted(number for done in team.map(given) for number in done.result) for given in (tasks, [[11], [12]])]
    (directory / "waves.json").write_text(json.dumps(waves))
    return 1


def stopped(team: Coordinator, directory: Path) -> int:
    """Rank 0 asks itself to stop; it notes what was handed out by then and in the end, and what was done."""
    team.brief("interrupts_itself")
    n_taken, n_done, n_taken_before = 0, 0, 0

    def tasks() -> Iterator[float]:
        nonlocal n_taken
        while True:
            n_taken += 1
            yield 0.05

    for _ in team.map(tasks()):
        n_done += 1
        if n_done == 20:
            n_taken_before = n_taken
            os.kill(os.getpid(), signal.SIGUSR1)
    n_done_later = sum(1 for _ in team.map([0.0]))
    (directory / "counts.json").write_text(json.dumps([n_taken_before, n_taken, n_done, n_done_later]))
    return 75


def signalled(team: Coordinator, directory: Path) -> int:
    """Somebody else asks; the exit code says whether that was heard."""
    team.brief("interrupts_itself")
    (directory / "running").touch()
    n_done = sum(1 for _ in team.map(itertools.repeat(0.05)))
    (directory / "counts.json").write_text(json.dumps(n_done))
    return 75


def too_slow_to_stop(team: Coordinator, directory: Path) -> int:
    """Tasks that take longer than the grace period, on all ranks."""
    team.brief("interrupts_itself")
    threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGUSR1)).start()
    n_done = sum(1 for _ in team.map([60.0] * 10))
    (directory / "counts.json").write_text(json.dumps(n_done))
    return 75


def footprint(team: Coordinator, directory: Path) -> int:
    """The largest memory that a worker has ever had, early and late."""
    team.brief("footprint")
    early, late = (max(done.result[0] for done in team.map([20_000] * n)) for n in (200, 4000))
    (directory / "kilobytes.json").write_text(json.dumps([early, late]))
    return 0


def every_task(job: str) -> Callable[[Coordinator, Path], int]:
    def lead(team: Coordinator, directory: Path) -> int:
        team.brief(job)
        for _ in team.map(range(N_TASKS)):
            pass
        return 0

    return lead


def lead_breaks(team: Coordinator, directory: Path) -> int:
    team.brief("square")
    for _ in team.map(range(N_TASKS)):
        raise ZeroDivisionError("in the lead")
    return 0


def interrupted(team: Coordinator, directory: Path) -> int:
    team.brief("square")
    raise KeyboardInterrupt


def nothing_to_do(team: Coordinator, directory: Path) -> int:
    """A configuration error: nobody is briefed."""
    raise UsageError("scan.yaml:1:1: unknown key")


def no_tasks(team: Coordinator, directory: Path) -> int:
    team.brief("square")
    return len(list(team.map([])))


SCENARIOS = {
    scenario.__name__: scenario
    for scenario in (
        squares,
        sleeps,
        large,
        abandoned,
        lead_breaks,
        interrupted,
        nothing_to_do,
        no_tasks,
        dies_once,
        dies_last,
        hangs,
        stopped,
        signalled,
        too_slow_to_stop,
        footprint,
    )
}


def main(scenario: str, directory: Path) -> int:
    # The library says nothing by itself.
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    lead = SCENARIOS.get(scenario) or every_task(scenario)
    stop = StopRequest.install(grace=SHORT_GRACE if scenario == "too_slow_to_stop" else GRACE)
    try:
        world = connect()
    except UsageError as error:
        if launcher_rank() == 0:
            sys.stderr.write(f"{error}\n")
        return error.exit_code
    exit_code = run_team(world, lambda team: lead(team, directory), prepare, stop)
    about = {"size": world.size, "library": world.library, "host": world.host, "exit_code": exit_code}
    (directory / f"rank-{world.rank}.json").write_text(json.dumps(about))
    return exit_code


if __name__ == "__main__":
    sys.exit(status_for_launcher(main(sys.argv[1], Path(sys.argv[2]))))
