"""Moves opaque tasks to ranks and their results back; the one place that knows MPI exists.

Importing this package loads no MPI: :func:`connect` does.
"""

from hpcscan.parallel.connecting import (
    connect,
    disconnect,
    join,
    launched_size,
    launcher_rank,
    start_limit,
    status_for_launcher,
)
from hpcscan.parallel.coordinator import Coordinator, Rescue, ranks_that_compute
from hpcscan.parallel.messages import Done
from hpcscan.parallel.stop import StopRequest, end_on_signals
from hpcscan.parallel.team import lifeline, run_team, share
from hpcscan.parallel.worker import follow
from hpcscan.parallel.world import Aborted, SerialWorld, World, flush

__all__ = [
    "Aborted",
    "Coordinator",
    "Done",
    "Rescue",
    "SerialWorld",
    "StopRequest",
    "World",
    "connect",
    "disconnect",
    "end_on_signals",
    "flush",
    "follow",
    "join",
    "launched_size",
    "launcher_rank",
    "lifeline",
    "ranks_that_compute",
    "run_team",
    "share",
    "start_limit",
    "status_for_launcher",
]
