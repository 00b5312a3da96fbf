"""The start of MPI, which waits for all ranks: one that waits for too long says so and ends itself."""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

from hpcscan.errors import voice
from hpcscan.parallel.launcher import launcher_rank

PR_SET_PDEATHSIG = 1  # from linux/prctl.h

#: Seconds that the start may take, unless this variable says something else.
START_LIMIT, START_LIMIT_VARIABLE = 120.0, "HPCSCAN_MPI_START_LIMIT"


def start_limit() -> float:
    """Return the seconds that the start of MPI may take; the usual ones unless the variable has a positive number."""
    with suppress(ValueError):
        seconds = float(os.environ.get(START_LIMIT_VARIABLE, ""))
        return seconds if seconds > 0 else START_LIMIT
    return START_LIMIT


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Kill this process, with a message, if the block takes longer.

    `MPI_Init` holds the interpreter's lock, so that no thread and no handler of this process would run: a child waits.
    It is forked before MPI starts, and gone before anything is computed.
    """
    waiting = os.getpid()
    child = os.fork()
    if child == 0:
        _watch(waiting, seconds)
    try:
        yield
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _watch(waiting: int, seconds: float) -> NoReturn:
    """Wait; this process ends with the other one, or with it."""
    end_with_parent()
    # Signals for the whole job are the other's affair.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    end = time.monotonic() + seconds
    while os.getppid() == waiting and time.monotonic() < end:
        time.sleep(min(1.0, max(end - time.monotonic(), 0)))
    if os.getppid() == waiting:
        text = (
            f"rank {launcher_rank()} on {platform.node()}: MPI has not started within {seconds:g} s "
            f"({START_LIMIT_VARIABLE}); has another rank failed to start? This one ends.\n"
        )
        voice.say(text)
        os.kill(waiting, signal.SIGKILL)
    os._exit(0)


def end_with_parent() -> None:
    """Ask the kernel to kill this process when its parent dies, where it can."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
