"""What the ranks of a test job do: ``python ranks.py SCENARIO DIRECTORY``. Each rank may write a file of its own."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from hpcscan.errors import Mistake, UsageError
from hpcscan.parallel import Coordinator, connect, launcher_rank, run_team

N_TASKS = 200


def prepare(job: str) -> Callable[[object], object]:
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
        "large": bytes,
    }
    return works[job]


def _raise(error: Exception) -> None:
    raise error


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
    for scenario in (squares, sleeps, large, abandoned, lead_breaks, interrupted, nothing_to_do, no_tasks)
}


def main(scenario: str, directory: Path) -> int:
    lead = SCENARIOS.get(scenario) or every_task(scenario)
    try:
        world = connect()
    except UsageError as error:
        if launcher_rank() == 0:
            sys.stderr.write(f"{error}\n")
        return error.exit_code
    exit_code = run_team(world, lambda team: lead(team, directory), prepare)
    about = {"size": world.size, "library": world.library, "host": world.host, "exit_code": exit_code}
    (directory / f"rank-{world.rank}.json").write_text(json.dumps(about))
    return exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
