"""A team: rank 0 leads, all others follow, and everybody leaves with the same exit code."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf
from typing import TypeVar

from hpcscan.errors import Exit, HpcscanError, RemoteError, voice
from hpcscan.parallel.coordinator import Coordinator
from hpcscan.parallel.messages import JobT, Prepare, ResultT, StepT, TaskT
from hpcscan.parallel.stop import StopRequest
from hpcscan.parallel.worker import follow
from hpcscan.parallel.world import Aborted, World

logger = logging.getLogger(__name__)

ValueT = TypeVar("ValueT")

INTERRUPTED = 130  # what a shell reports after ^C


def run_team(
    world: World,
    lead: Callable[[Coordinator[JobT, StepT, TaskT, ResultT]], int],
    prepare: Prepare[JobT, StepT, TaskT, ResultT],
    stop: StopRequest | None = None,
) -> int:
    """Run a whole job: rank 0 leads, all others follow, and all come back with the same exit code.

    Parameters
    ----------
    world : World
        From :func:`hpcscan.parallel.connect`.
    lead : callable
        Called on rank 0 only, with the coordinator; returns the exit code. An ``HpcscanError`` that
        leaves it is logged on rank 0 and its exit code is used.
    prepare : callable
        Called on every rank that computes, with the job of :meth:`Coordinator.brief` and a function
        ``promise(step, seconds)``; returns the function that turns a task into a result. Work that may hang calls
        `promise` whenever it begins a step, with the time within which it will have begun another or ended.
    stop : StopRequest, optional
        Heard by the coordinator.

    Returns
    -------
    int
        The exit code, after all ranks agreed to leave; the caller only has to ``sys.exit`` it.
    """
    with lifeline(world):
        if world.rank > 0:
            return follow(world, prepare, stop.hear_again if stop else lambda: None)
        coordinator = Coordinator(world, prepare, stop)
        try:
            exit_code = lead(coordinator)
        except HpcscanError as error:
            logger.error("%s", error)
            exit_code = error.exit_code
        return coordinator.dismiss(exit_code)


def share(
    world: World,
    lead: Callable[[Coordinator[JobT, StepT, TaskT, ResultT]], ValueT],
    prepare: Prepare[JobT, StepT, TaskT, ResultT],
) -> ValueT | None:
    """Share the work of one call in somebody else's program: rank 0 leads, all others follow, and all come back.

    Returns
    -------
    object or None
        What `lead` returns, on rank 0.

    Raises
    ------
    Exception
        On rank 0 whatever left `lead`; on the others a ``RemoteError`` then.
    """
    if world.rank > 0:
        if follow(world, prepare) != Exit.COMPLETE:
            raise RemoteError(0, "its host", "the call failed on rank 0, which says why")
        return None
    coordinator = Coordinator(world, prepare)
    try:
        result = lead(coordinator)
    except BaseException:
        coordinator.dismiss(Exit.INTERNAL, patience=inf)
        raise
    coordinator.dismiss(Exit.COMPLETE, patience=inf)
    return result


@contextmanager
def lifeline(world: World) -> Iterator[None]:
    """End the whole job if anything unforeseen leaves this block: the other ranks would wait for ever."""
    try:
        yield
    except Aborted:
        raise
    except KeyboardInterrupt:
        world.abort(INTERRUPTED)
    except BaseException:  # noqa: BLE001 - even a plugin's sys.exit() would leave the other ranks waiting
        voice.say(f"rank {world.rank} on {world.host}: internal error\n{traceback.format_exc()}")
        world.abort(Exit.INTERNAL)
