"""Rows of a scan of a dear model, and what ranks lose by waiting for each other, in the time that its rows would take.

    python tests/benchmarks/dear.py [--points 20] [--fresh-starts 0.25] [--no-answer]

The model is that of generic.py: ten profiled parameters, fifty data, no derivatives, and no proof. The scan is made
once, with the rows of every task counted; then its tasks are handed out again by the coordinator in a world whose clock
goes by rows. Start-up, messages and the program's own arithmetic are not in it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from generic import Generic

import hpcscan
from hpcscan.parallel import Coordinator

sys.path.insert(0, str(Path(__file__).parents[1]))

from parallel.simulated import SimulatedWorld

RANKS = (2, 4, 8, 16, 64)


class Dear(Generic):
    """It counts its rows."""

    rows_per_call = 1
    n_rows = 0

    def predict(self, **parameters):
        Dear.n_rows += len(parameters["a1"])
        return super().predict(**parameters)


def counted(map_tasks: Callable[..., Iterator[Any]], rounds: list[list[float]]) -> Callable[..., Iterator[Any]]:
    """Note the rows of every task, in a list for each round: a wave, or a step of the answer."""

    def each(tasks: Iterable[Any], rows: list[float]) -> Iterator[Any]:
        for task in tasks:
            before = Dear.n_rows
            yield task
            # It is done when the next one is asked for.
            rows.append(float(Dear.n_rows - before))

    def noted(team: Any, tasks: Iterable[Any], **more: Any) -> Iterator[Any]:
        rounds.append([])
        return map_tasks(team, each(tasks, rounds[-1]), **more)

    return noted


def wall(rounds: list[list[float]], ranks: int) -> float:
    """Hand the tasks out again; give the time until the last round is done, in rows."""
    world = SimulatedWorld(ranks)
    team: Coordinator[None, None, float, float] = Coordinator(world, world.prepare)
    team.brief(None)
    for rows in rounds:
        for _ in team.map(rows):
            pass
    return world.now


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=20)
    parser.add_argument("--fresh-starts", type=float)
    parser.add_argument("--no-answer", action="store_true")
    options = parser.parse_args()
    n, rounds, original = options.points, list[list[float]](), Coordinator.map
    Coordinator.map = counted(original, rounds)
    grid = {"position": np.linspace(1.9, 2.5, n), "width": np.linspace(0.2, 0.5, n)}
    answer = False if options.no_answer else None
    scan = hpcscan.scan(Dear(), grid, answer=answer, proof=False, fresh_starts=options.fresh_starts)
    Coordinator.map = original

    about = {name: scan.data.variables[name].values for name in ("n_model_rows", "n_starts", "evidence")}
    n_rows = sum(sum(rows) for rows in rounds)
    n_waves = int(scan.data.variables["wave"].values.max()) + 1
    lines = [
        f"{n} x {n} points: {about['n_model_rows'].mean():.1f} rows a point, {about['n_starts'].sum()} fresh starts, "
        f"{(about['evidence'] != 0).mean():.0%} agreed, {n_rows:,.0f} rows with the answer",
        f"tasks of the waves: {', '.join(str(len(rows)) for rows in rounds[:n_waves])}",
    ]
    for what, of_it in (("waves", rounds[:n_waves]), ("all", rounds)):
        least = sum(sum(rows) for rows in of_it)
        over = ", ".join(f"{ranks} ranks {ranks * wall(of_it, ranks) / least:.3f}" for ranks in RANKS)
        lines.append(f"wall over rows / ranks, {what}: {over}")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
