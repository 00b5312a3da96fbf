"""What a model may do to the process of a rank, and not only to a call; for our own commands, never for a library."""

from __future__ import annotations

import atexit
import ctypes
import gc
import io
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from hpcscan.border import close_border, end_process
from hpcscan.errors import Exit, voice

#: Seconds for exit handlers and threads of the model's, once everything is done.
LAST_STEPS = 5.0
#: Seconds for children of the model's to end when they are told to.
LAST_WORDS = 1.0
#: Threads that are told by name.
MOST_NAMES = 3

#: Called by the C library at the end of a process; kept, because it is not Python that calls it.
_AT_EXIT = ctypes.CFUNCTYPE(None, ctypes.c_void_p)

_owner = 0


def take_over() -> None:
    """Make this process one that a model cannot end in silence, and cannot wait in for ever; once, in the main thread.

    Standard input is empty; an exit that is not by `leave` says so and is an error.
    """
    global _owner  # noqa: PLW0603 - a process is taken over once
    _owner = os.getpid()
    close_border()
    atexit.register(_refuse_end)
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).__cxa_atexit(_refuse_end_in_c, None, None)
    # Whoever asks the terminal for input would wait for ever, on all ranks but one.
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)


def leave(exit_code: int, last: Callable[[], None]) -> NoReturn:
    """End this process now, after its exit handlers: threads that a model has left behind are not waited for.

    Parameters
    ----------
    last : callable
        Where ranks wait for each other.
    """
    atexit.unregister(_refuse_end)
    has_done = threading.Event()
    _after_last_steps(_leave_late, exit_code, last, has_done)
    _tell_of_threads()
    atexit._run_exitfuncs()
    _flush_everything()
    _end_children()
    has_done.set()
    last()
    _end(exit_code)


def _end(exit_code: int) -> NoReturn:
    """End by the C library's exit, with the lock held, so that no thread of Python's goes on meanwhile.

    After `_exit(1)` on four ranks MPICH's launcher killed the slower ones and returned 9, in half of all runs; after
    this in none.
    """
    global _owner  # noqa: PLW0603
    _owner = 0
    ctypes.PyDLL(None).exit(exit_code)
    end_process(exit_code)


def _after_last_steps(do: Callable[..., object], *arguments: object) -> None:
    timer = threading.Timer(LAST_STEPS, do, arguments)
    timer.daemon = True
    timer.start()


def _leave_late(exit_code: int, last: Callable[[], None], has_done: threading.Event) -> None:
    """Part from the other ranks in the place of a main thread that does not come to it; for so long and no longer."""
    _after_last_steps(end_process, exit_code)
    if not has_done.is_set():
        voice.say(f"exit handlers of the model still run after {LAST_STEPS:g} s, and are left\n")
        # Open MPI's launcher takes it for an error if a rank leaves without the others.
        with suppress(BaseException):
            last()
        _end(exit_code)


def _tell_of_threads() -> None:
    threads = [thread for thread in threading.enumerate() if thread is not threading.main_thread()]
    names = [thread.name for thread in threads if not thread.daemon]
    if names:
        more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
        voice.say(f"threads of the model still run, and are ended: {', '.join(names[:MOST_NAMES])}{more}\n")


def _end_children() -> None:
    """End processes that a model has left behind: they would keep the output open, and a launcher waiting."""
    running = [pid for pid in _children() if _still_runs(pid)]
    if running:
        voice.say(f"processes of the model still run, and are ended: {len(running)}\n")
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in running:
            with suppress(OSError):
                os.kill(pid, number)
        end = time.monotonic() + LAST_WORDS
        while time.monotonic() < end and (running := [pid for pid in running if _still_runs(pid)]):
            time.sleep(0.01)


def _children() -> list[int]:
    """Return the children of this process, where the system tells; without the one that cleans up after all."""
    with suppress(OSError):
        pids = [pid for path in Path("/proc/self/task").glob("*/children") for pid in path.read_text().split()]
        return [int(pid) for pid in pids if b"resource_tracker" not in Path(f"/proc/{pid}/cmdline").read_bytes()]
    return []


def _still_runs(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG) == (0, 0)
    except OSError:
        return False


def keep_streams() -> None:
    """Put something in the place of a standard stream that a model has closed: a result could be opened there next."""
    if os.getpid() != _owner:
        return
    for number in (1, 2):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is taken, and those below are in use.
            os.open(os.devnull, os.O_WRONLY)


def _flush_everything() -> None:
    """Write what a plugin's open files still hold, as the interpreter would at its own end."""
    for thing in gc.get_objects():
        # Files come in any state, and other things only look like one.
        with suppress(Exception):
            if isinstance(thing, io.IOBase) and not thing.closed:
                thing.flush()


def _refuse_end(*_: object) -> None:
    if os.getpid() == _owner:
        with suppress(Exception):
            sys.stdout.flush()
        voice.say("something called exit and ended the process: the model, or a library; finished points are saved\n")
        end_process(Exit.INTERNAL)


_refuse_end_in_c = _AT_EXIT(_refuse_end)
