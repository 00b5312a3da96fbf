"""The answer of a command, on standard output."""

from __future__ import annotations

import os
import sys

from hpcscan.errors import StorageError
from hpcscan.words.visible import visible


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
