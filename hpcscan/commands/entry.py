"""The process of a command, from its first import to its end; rank by rank."""

from __future__ import annotations

import platform
import traceback
from contextlib import suppress
from typing import NoReturn

from hpcscan.errors import Exit, voice
from hpcscan.guard.printed import end_counting
from hpcscan.guard.process import leave, take_over
from hpcscan.parallel import Aborted, connect, disconnect, flush, launched_size, launcher_rank, start_limit


def run_and_leave(heard: list[int]) -> NoReturn:
    """Run the command that the command line names, and end this process, whatever a model has left in it.

    Parameters
    ----------
    heard : list of int
        Signals that have arrived so far.
    """
    exit_code: int = Exit.INTERNAL
    try:
        take_over()
        exit_code = _run(heard)
    finally:
        # A thread of a model's may raise in this one again and again, also here.
        while True:
            with suppress(BaseException):
                flush()
                end_counting()
                leave(exit_code, disconnect)


def _run(heard: list[int]) -> int:
    try:
        from hpcscan.commands.cli import launched_main  # noqa: PLC0415 - it may fail, and that must be told

        return launched_main(heard)
    except BrokenPipeError:
        # The reader of the output has gone (`hpcscan keys | head`); nothing more can be said.
        return Exit.COMPLETE
    except Aborted as end:
        return int(end.code or Exit.INTERNAL)
    except BaseException as error:  # noqa: BLE001 - nothing that ends a rank may stay unsaid
        _say(f"internal error\n{traceback.format_exc()}")
        if launched_size() > 1:
            _end_job(error)
        return Exit.INTERNAL


def _say(text: str) -> None:
    name = f"rank {launcher_rank()} on {platform.node()}: " if launched_size() > 1 else ""
    voice.say(f"{name}{text}")


def _end_job(error: BaseException) -> None:
    """End all ranks, which would wait for this one: also those that wait in the start of MPI."""
    try:
        connect(start_limit()).abort(Exit.INTERNAL)
    except Exception:  # noqa: BLE001 - what failed before may fail again, and is told already
        _say(f"the others cannot be told, and end {start_limit():g} s after their start ({error!r})\n")
