"""Moves opaque tasks to ranks and their results back; the one place that knows MPI exists.

Importing this package loads no MPI: :func:`connect` does.
"""

from hpcscan.parallel.connecting import connect, join
from hpcscan.parallel.coordinator import Coordinator, Rescue, ranks_that_compute
from hpcscan.parallel.launcher import launched_size, launcher_rank, status_for_launcher
from hpcscan.parallel.messages import Done
from hpcscan.parallel.stop import StopRequest
from hpcscan.parallel.team import lifeline, run_team, share
from hpcscan.parallel.worker import follow
from hpcscan.parallel.world import SerialWorld, World

__all__ = [
    "Coordinator",
    "Done",
    "Rescue",
    "SerialWorld",
    "StopRequest",
    "World",
    "connect",
    "follow",
    "join",
    "launched_size",
    "launcher_rank",
    "lifeline",
    "ranks_that_compute",
    "run_team",
    "share",
    "status_for_launcher",
]
