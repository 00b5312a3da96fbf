"""The lines of the terminal, kept in a file with the time of each."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from hpcscan.errors import HpcscanError
from hpcscan.words.visible import visible


@contextmanager
def logging_to(path: Path) -> Iterator[None]:
    """Append everything that hpcscan says to a file; what was in it stays."""
    handler = _LogFile(path, delay=True, encoding="utf-8", errors="backslashreplace")
    handler.setFormatter(_TimedLines())
    logger = logging.getLogger("hpcscan")
    logger.addHandler(handler)
    try:
        yield
    except Exception as error:
        # The terminal learns it from whoever catches it.
        account = str(error) if isinstance(error, HpcscanError) else traceback.format_exc().rstrip()
        handler.emit(logging.makeLogRecord({"msg": account}))
        raise
    finally:
        logger.removeHandler(handler)
        with suppress(OSError):
            handler.close()


class _TimedLines(logging.Formatter):
    """Puts the time, in UTC, before every line of a message."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return "\n".join(f"{moment} {line}" for line in visible(super().format(record)).split("\n"))


class _LogFile(logging.FileHandler):
    """A log that does not matter enough to stop anything: where it cannot be written, the journal tells."""

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(OSError):
            super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  (the name is logging's)
        """Say nothing."""
