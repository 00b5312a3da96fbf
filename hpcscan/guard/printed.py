"""What a model prints: shown up to a megabyte a rank, kept in the log for ten more, and then left out.

A process of its own stands between the model and the terminal: what a library in C or Fortran prints counts too, and a
thread would wait for the interpreter's lock while that library waits for the thread.
"""

from __future__ import annotations

import mmap
import os
import select
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import NoReturn

from hpcscan.errors import voice

#: Bytes that a rank's model may print on the terminal, and bytes that the log keeps after that.
MOST_SHOWN, MOST_KEPT = 10**6, 10**7
#: Seconds between two looks at whether the rank lives, where the system does not tell of its end.
LOOK = 1.0
#: Bytes that are read at once, and of the longest name of a log.
AT_ONCE, LONGEST_NAME = 1 << 16, 4096
#: The standard streams of a model.
OUT, ERROR = 1, 2

#: Where a rank notes the name of its log, for the process that hands on what it prints.
_log = mmap.mmap(-1, LONGEST_NAME)
_counted: _Counted | None = None


@dataclass(frozen=True)
class _Counted:
    """What a rank needs to end the counting: its streams as they were, and ends of two pipes."""

    streams: tuple[int, int]
    ask: int
    end: int


def count_output(who: str) -> None:
    """Count what this process prints from now on; before MPI starts, and while nothing else has been loaded.

    Parameters
    ----------
    who : str
        Names it in messages.
    """
    global _counted
    _flush()
    (out, own_out), (error, own_error), (asked, ask), (end, ended) = (os.pipe() for _ in range(4))
    streams, rank = (os.dup(OUT), os.dup(ERROR)), os.getpid()
    if (child := os.fork()) == 0:
        # Nobody's child: a model may wait for all that it has. And no part of the group that a launcher kills at once.
        os.setsid()
        if os.fork() == 0:
            # By its connections a launcher learns of the end of a rank: nobody else may have them.
            _close_others(out, error, asked, ended, *streams)
            _hand_on({out: streams[0], error: streams[1]}, asked, rank, who)
        os._exit(0)
    os.waitpid(child, 0)
    os.dup2(own_out, OUT)
    os.dup2(own_error, ERROR)
    for descriptor in (out, own_out, error, own_error, asked, ended):
        os.close(descriptor)
    voice.descriptor, _counted = streams[1], _Counted(streams, ask, end)


def keep_in(log: str) -> None:
    """Set the log, as an absolute path."""
    name = os.fsencode(log)
    if len(name) < LONGEST_NAME:
        _log[: len(name) + 1] = name + b"\0"


def end_counting() -> None:
    """Show what has been printed so far, and count no more."""
    global _counted
    if _counted is None:
        return
    ending, _counted = _counted, None
    _flush()
    for number, stream in zip((OUT, ERROR), ending.streams, strict=True):
        os.dup2(stream, number)
    with suppress(OSError):
        os.write(ending.ask, b".")
        os.read(ending.end, 1)
    voice.descriptor = ERROR


def _close_others(*needed: int) -> None:
    """Close every descriptor but these."""
    bounds = [-1, *sorted(needed), os.sysconf("SC_OPEN_MAX")]
    for low, high in pairwise(bounds):
        os.closerange(low + 1, high)


def _flush() -> None:
    """Write what Python has not written yet."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):
            stream.flush()


def _hand_on(streams: dict[int, int], asked: int, rank: int, who: str) -> NoReturn:
    """Hand on what a rank prints, until it asks to stop, nobody can print any more, or it has died."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    budget, last_words = _Budget(who, streams), [asked, *_end_of(rank)]
    while streams:
        ready, _, _ = select.select([*streams, *last_words], [], [], LOOK)
        is_last = bool({*ready} & {*last_words}) or not _lives(rank)
        if is_last:
            # What is there already; somebody else may have these pipes, too, and print for ever.
            ready, _, _ = select.select([*streams], [], [], 0)
        for source in {*ready} & {*streams}:
            data = os.read(source, AT_ONCE)
            if data:
                budget.spend(data, streams[source])
            else:
                del streams[source]
        if is_last and (budget.is_spent or not ready):
            break
    os._exit(0)


class _Budget:
    """What may still be shown, and kept."""

    def __init__(self, who: str, streams: Mapping[int, int]) -> None:
        self._who, self._error = who, max(streams.values())
        self._shown, self._kept, self._has_told = MOST_SHOWN, MOST_KEPT, False

    @property
    def is_spent(self) -> bool:
        """Whether nothing more is handed on."""
        return self._kept == 0

    def spend(self, data: bytes, stream: int) -> None:
        """Write a piece of output where it belongs."""
        shown, rest = data[: self._shown], data[self._shown :]
        _write(stream, shown)
        log = os.fsdecode(_log[:].split(b"\0", 1)[0])
        self._shown -= len(shown)
        if rest and not self._has_told:
            self._has_told = True
            place = os.path.basename(log)  # noqa: PTH119  (this process needs no Path)
            where = f"goes to {place}" if log else "is left out, until the run has its log"
            _write(self._error, self._note(MOST_SHOWN, where))
        if log and (kept := rest[: self._kept]):
            self._kept -= len(kept)
            self._keep(log, kept + (self._note(MOST_SHOWN + MOST_KEPT, "is left out") if self.is_spent else b""))

    def _keep(self, log: str, data: bytes) -> None:
        with suppress(OSError):
            descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
            _write(descriptor, data)
            os.close(descriptor)

    def _note(self, n_bytes: int, where: str) -> bytes:
        return f"\n{self._who}: the model has printed {n_bytes:,} bytes; what follows {where}\n".encode()


def _write(descriptor: int, data: bytes) -> None:
    """Write all of it, as far as somebody takes it."""
    rest = memoryview(data)
    with suppress(OSError):
        while rest:
            rest = rest[os.write(descriptor, rest) :]


def _end_of(pid: int) -> list[int]:
    """Return a descriptor that is readable once a process has ended, where the system has such."""
    with suppress(AttributeError, OSError):
        return [os.pidfd_open(pid)]
    return []


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def log_path(output: Path) -> Path:
    """Return the path of the file that keeps the lines of the terminal."""
    return output.with_suffix(".log") if output.suffix == ".nc" else output.with_name(f"{output.name}.log")
