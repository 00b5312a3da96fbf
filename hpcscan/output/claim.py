"""What a run may replace: what it found at its output, and what it has written there itself."""

from __future__ import annotations

import itertools
import logging
import os
from pathlib import Path

logger = logging.getLogger(__name__)


class Claim:
    """The place of a result, and whether somebody else has put a file there meanwhile.

    Parameters
    ----------
    output : Path
        What lies there now is known to the user.
    overwrite : bool
        Whether the user lets everything be replaced.

    Attributes
    ----------
    place : Path
        Where the result is, or will be.
    """

    def __init__(self, output: Path, *, overwrite: bool) -> None:
        self.place, self._overwrite = output, overwrite
        self._known = _stamp(output)

    def choose(self) -> Path:
        """Give the place to which a file is moved now: beside a file that nobody spoke of."""
        if not self._overwrite and (found := _stamp(self.place)) != self._known and found is not None:
            foreign, self.place = self.place, _free_name(self.place)
            logger.warning(
                "%s was put there by somebody else during the run, and stays; the result is %s", foreign, self.place
            )
        return self.place

    def settle(self) -> None:
        """Note what this run has written."""
        self._known = _stamp(self.place)


def _free_name(path: Path) -> Path:
    names = (path.with_name(f"{path.stem}-{number}{path.suffix}") for number in itertools.count(2))
    return next(name for name in names if not os.path.lexists(name))


def _stamp(path: Path) -> tuple[int, ...] | None:
    """Tell a file from every other one; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
