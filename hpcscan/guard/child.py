"""Work of a model in a forked process, which may hang and crash without taking this one along."""

from __future__ import annotations

import os
import pickle
import select
import signal
import time
from collections.abc import Callable
from typing import NoReturn, TypeVar

from hpcscan.border import account_of, end_process

ResultT = TypeVar("ResultT")


class ChildLostError(Exception):
    """The process ended without a result, or had to be ended."""


def in_child(work: Callable[[], ResultT], seconds: float) -> ResultT:
    """Return what some work returns, done in a process of its own.

    Parameters
    ----------
    work : callable
        Its result can be pickled.
    seconds : float
        After which the process is killed, whatever it does.

    Raises
    ------
    ChildLostError
        Also where the work raises; with what it said.
    """
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ours)
        _work(work, theirs)
    os.close(theirs)
    try:
        is_in_time, answer = _read(ours, time.monotonic() + seconds)
    finally:
        os.close(ours)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    if not is_in_time:
        raise ChildLostError(f"no end within {seconds:g} s, in a call that cannot be interrupted")
    if not answer:
        raise ChildLostError("the model ended the process that called it")
    # Its own process has written it, a moment ago.
    result, told = pickle.loads(answer)
    if told:
        raise ChildLostError(told)
    found: ResultT = result
    return found


def _work(work: Callable[[], object], theirs: int) -> NoReturn:
    """Do the work, and write what comes of it."""
    try:
        answer = pickle.dumps((work(), ""))
    except BaseException as error:  # noqa: BLE001 - the other process is told, and this one ends
        answer = pickle.dumps((None, account_of(error)[:300]))
    rest = memoryview(answer)
    while rest:
        rest = rest[os.write(theirs, rest) :]
    end_process(0)


def _read(ours: int, end: float) -> tuple[bool, bytes]:
    """Read until the other end is closed: whether that was in time, and what was read."""
    parts = list[bytes]()
    while (left := end - time.monotonic()) > 0:
        if select.select([ours], [], [], left)[0]:
            if not (part := os.read(ours, 1 << 16)):
                return True, b"".join(parts)
            parts.append(part)
    return False, b""
