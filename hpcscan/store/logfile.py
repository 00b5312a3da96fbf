"""The lines of the terminal, kept in a file with the time of each."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import gmtime

import hpcscan


@contextmanager
def logging_to(path: Path) -> Iterator[None]:
    """Append everything that hpcscan says to a file; what was in it stays."""
    handler = _LogFile(path, delay=True, encoding="utf-8", errors="backslashreplace")
    formatter = logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%dT%H:%M:%SZ")
    formatter.converter = gmtime
    handler.setFormatter(formatter)
    handler.setLevel(logging.INFO)
    logger = logging.getLogger(hpcscan.__name__)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        with suppress(OSError):
            handler.close()


class _LogFile(logging.FileHandler):
    """A log that does not matter enough to stop anything: where it cannot be written, the journal tells."""

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(OSError):
            super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  (the name is logging's)
        """Say nothing."""
