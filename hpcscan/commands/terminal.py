"""What the program says on the terminal: its answer on standard output, the rest on standard error, line by line."""

from __future__ import annotations

import logging
import os
import sys
from typing import Any, TextIO

from hpcscan.errors import StorageError, voice
from hpcscan.guard.printed import ERROR
from hpcscan.words.visible import visible


class _Terminal(logging.StreamHandler[Any]):
    """Writes to stderr, and goes on where that cannot be written to: nobody is there to be told."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  (logging's name)
        """Ignore it: nobody is left to be told."""


def log_to_terminal(level: int) -> None:
    """Send messages to stderr, one whole line at a time; a log file gets those of a normal run at least."""
    handler = _Terminal() if voice.descriptor == ERROR else _Terminal(_own_terminal())
    handler.setFormatter(_Visible("%(message)s"))
    handler.setLevel(level)
    logger = logging.getLogger("hpcscan")
    logger.handlers = [handler]
    logger.setLevel(min(level, logging.INFO))
    logger.propagate = False


def _own_terminal() -> TextIO:
    """Open what standard error was before the output of the model was counted."""
    return open(voice.descriptor, "w", encoding="utf-8", errors="backslashreplace", closefd=False)


class _Visible(logging.Formatter):
    """Shows what a terminal would obey: names in files and errors of models may hold anything."""

    def format(self, record: logging.LogRecord) -> str:
        return visible(super().format(record))


def print_text(text: str) -> None:
    """Write a text and a line's end to standard output, with what a terminal would obey made visible.

    Raises
    ------
    BrokenPipeError
        Where its reader has gone.
    StorageError
        Where it cannot be written as a whole: the disk is full, the stream is closed.
    """
    try:
        sys.stdout.write(visible(text) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except (OSError, ValueError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        raise StorageError(f"the answer could not be written to standard output: {reason}") from None
