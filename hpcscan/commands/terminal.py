"""What the program says: its answer on standard output, the rest on standard error, below it a line that changes."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TextIO

from hpcscan.errors import StorageError, voice
from hpcscan.guard.printed import ERROR
from hpcscan.words.visible import visible

if TYPE_CHECKING:
    from hpcscan.output.log import Telling

#: To the beginning of the line, and nothing of what is there.
CLEAR = "\r\x1b[K"
#: Marks a record that a line which changes stands for.
PROGRESS = {"is_progress": True}

logger = logging.getLogger("hpcscan")


class _Terminal(logging.StreamHandler[Any]):
    """Writes to stderr, and goes on where that cannot be written to: nobody is there to be told.

    Where it is a terminal, its last line may change, and goes when something else is written.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        super().__init__(stream)
        self._has_line = False

    @property
    def can_change(self) -> bool:
        """Whether a line may change: on a terminal that obeys, where a normal run is told."""
        obeys = os.environ.get("TERM", "dumb") != "dumb"
        return obeys and self.level <= logging.INFO and bool(self.stream.isatty())

    def emit(self, record: logging.LogRecord) -> None:
        """Write a message; progress is seen in the line that changes."""
        if getattr(record, "is_progress", False) and self.can_change:
            return
        if self._has_line:
            self._has_line = False
            self._put(CLEAR)
        super().emit(record)

    def show(self, parts: Sequence[str]) -> None:
        """Put parts of a line in the place of the last ones, as many as there is room for."""
        self._has_line = True
        self._put(CLEAR + _fitting(parts, self._width()))

    def _width(self) -> int:
        # The last column stays free: some terminals begin a new line there.
        try:
            return (os.get_terminal_size(self.stream.fileno()).columns or 80) - 1
        except (OSError, ValueError):
            return 79

    def _put(self, text: str) -> None:
        try:
            self.stream.write(text)
            self.stream.flush()
        except (OSError, ValueError):
            self._has_line = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  (logging's name)
        """Ignore it: nobody is left to be told."""


def _fitting(parts: Sequence[str], width: int) -> str:
    """Join as many parts as fit: a number whose end is missing would be another one."""
    line, *more = (visible(part) for part in parts)
    for part in more:
        if len(line) + len(part) + 2 > width:
            break
        line += f", {part}"
    return line[:width]


def log_to_terminal(level: int) -> None:
    """Send messages to stderr, one whole line at a time; a log file gets those of a normal run at least."""
    handler = _Terminal() if voice.descriptor == ERROR else _Terminal(_own_terminal())
    handler.setFormatter(_Visible("%(message)s"))
    handler.setLevel(level)
    logger.handlers = [handler]
    logger.setLevel(min(level, logging.INFO))
    logger.propagate = False


def telling() -> Telling:
    """Tell progress in a line of the terminal that changes, or else as messages; a log file has messages always."""
    from hpcscan.output.log import Telling  # noqa: PLC0415  (only those who compute load it)

    write = partial(logger.info, "%s", extra=PROGRESS)
    changing = [handler for handler in logger.handlers if isinstance(handler, _Terminal) and handler.can_change]
    return Telling(write, changing[0].show) if changing else Telling(write)


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
