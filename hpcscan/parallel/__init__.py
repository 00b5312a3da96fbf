"""Moves opaque tasks to ranks and their results back; the one place that knows MPI exists.

Importing this package loads no MPI: :func:`connect` does.
"""

from hpcscan.parallel.launcher import launched_size, launcher_rank
from hpcscan.parallel.team import Coordinator, Done, follow, lifeline, run_team
from hpcscan.parallel.world import SerialWorld, World, connect

__all__ = [
    "Coordinator",
    "Done",
    "SerialWorld",
    "World",
    "connect",
    "follow",
    "launched_size",
    "launcher_rank",
    "lifeline",
    "run_team",
]
