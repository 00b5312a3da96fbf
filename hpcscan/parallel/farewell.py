"""How a team parts: everybody says goodbye, then everybody goes; whoever does not answer is left to the launcher."""

from __future__ import annotations

from time import monotonic

from hpcscan.errors import Exit
from hpcscan.parallel.messages import Dismissal, Goodbye, Release
from hpcscan.parallel.world import World

#: Seconds that a worker has to finish the task at hand.
PATIENCE = 10.0
#: Seconds for a rank that was given up, in case that it lives after all, and for all where time is up.
LAST_PATIENCE = 1.0


def part(world: World, workers: set[int], given_up: set[int], exit_code: int, patience: float = PATIENCE) -> None:
    """Send everybody away and leave; abort the job if somebody lives but does not answer.

    Parameters
    ----------
    world : World
    workers : set of int
        Ranks that should answer.
    given_up : set of int
        Ranks that may answer.
    exit_code : int
    patience : float
        Seconds that workers have to finish the task at hand.
    """
    everybody = workers | given_up
    for rank in everybody:
        world.send(Dismissal(exit_code), to=rank)
    missing = set(everybody)
    _await_goodbyes(world, missing, workers, patience)
    _await_goodbyes(world, missing, given_up, LAST_PATIENCE)
    if missing - world.dead():
        # An abort with 0 would pass for success, and not end a rank that hangs.
        world.abort(exit_code or Exit.INTERNAL)
    for rank in everybody:
        world.send(Release(), to=rank)
    world.leave()


def _await_goodbyes(world: World, missing: set[int], awaited: set[int], seconds: float) -> None:
    """Strike off who says goodbye, until all that are awaited and live have; other messages are thrown away."""
    deadline = monotonic() + seconds
    while (missing & awaited) - world.dead():
        messages = world.receive()
        missing -= {message.rank for message in messages if isinstance(message, Goodbye)}
        if not messages:
            if monotonic() > deadline:
                return
            world.nap()
