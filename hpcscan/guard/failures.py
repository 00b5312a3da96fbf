"""Points at which a model raised or took too long: the account of each, and the log that counts their kinds."""

from __future__ import annotations

import platform
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np

from hpcscan import border
from hpcscan.arrays import IntArray
from hpcscan.fitting.records import Status
from hpcscan.grid import Grid
from hpcscan.guard import guarded
from hpcscan.guard.spot import Doubt
from hpcscan.model import problem
from hpcscan.model.returned import WrongResultError
from hpcscan.words.numbers import count, place

#: Characters; a message that an exception brings may have any length.
LONGEST_ACCOUNT = 20_000

_VERB = {Status.FAILED: "failed", Status.TIMED_OUT: "timed out"}


@dataclass(frozen=True)
class Failure:
    """What happened at a point.

    Attributes
    ----------
    status : Status
        `failed` or `timed_out`.
    kind : str
        The same for failures that have the same cause, as far as one can tell: the exception and where it was raised.
    account : str
        The traceback, without the frames that are the program's own.
    host : str
        The machine on which it happened.
    """

    point_index: int
    status: Status
    kind: str
    account: str
    host: str

    @property
    def in_short(self) -> str:
        """What happened, in one line."""
        reason = self.account.splitlines()[-1]
        return reason if reason in self.kind or self.kind in reason else f"{reason} ({self.kind})"


def describe_exception(point_index: int, error: Exception) -> Failure:
    """Make the account of a point whose fit raised."""
    if isinstance(error, WrongResultError):
        return Failure(point_index, Status.FAILED, f"wrong result of {error.name}", str(error), platform.node())
    raised = error.__cause__ if isinstance(error, border.EscapedError) and error.__cause__ is not None else error
    own = _inside_model(raised.__traceback__)
    account = _formatted(raised, own)
    place = [frame for frame in traceback.extract_tb(own) if frame.filename != border.__file__][-1]
    kind = f"{type(raised).__name__} at {Path(place.filename).name}:{place.lineno}"
    if len(account) > LONGEST_ACCOUNT:
        account = f"{account[: LONGEST_ACCOUNT // 2]}\n[...]\n{account[-LONGEST_ACCOUNT // 2 :]}"
    return Failure(point_index, Status.FAILED, kind, account, platform.node())


def _formatted(raised: BaseException, own: TracebackType | None) -> str:
    """Write a traceback; the text of an exception, and what it has beside it, are code of the user's."""
    try:
        with border.border:
            return "".join(traceback.format_exception(type(raised), raised, own)).rstrip()
    except Exception:  # noqa: BLE001 - whatever they raise
        return "".join([*traceback.format_tb(own), border.account_of(raised)]).rstrip()


def describe_time_out(point_index: int, seconds: float) -> Failure:
    """Make the account of a point whose fit took too long."""
    kind = f"no end within {seconds:g} s (fit.time_limit)"
    return Failure(point_index, Status.TIMED_OUT, kind, kind, platform.node())


def _inside_model(frames: TracebackType | None) -> TracebackType | None:
    """Skip the frames that lead to the model, where the model has some."""
    own, here = frames, frames
    while here is not None:
        if here.tb_frame.f_code.co_filename in (guarded.__file__, problem.__file__) and here.tb_next is not None:
            own = here.tb_next
        here = here.tb_next
    return own


class FailureLog:
    """Writes the account of the first failure of each kind, and keeps the number of points of all.

    Parameters
    ----------
    write : callable
        Takes a line, or several.
    """

    def __init__(self, grid: Grid, write: Callable[[str], None]) -> None:
        self._grid, self._write = grid, write
        self._points: dict[str, set[int]] = {}
        self._doubts: set[str] = set()

    def add(self, rank: int, failures: Iterable[Failure]) -> None:
        """Count failures, and write those of a new kind."""
        for failure in failures:
            if failure.kind not in self._points:
                self._write(self.describe(rank, failure))
            self._points.setdefault(failure.kind, set()).add(failure.point_index)

    def doubt(self, doubts: Iterable[Doubt]) -> None:
        """Write the first doubt of each kind."""
        for doubt in doubts:
            if doubt.kind not in self._doubts:
                self._write(doubt.account)
            self._doubts.add(doubt.kind)

    def describe(self, rank: int, failure: Failure) -> str:
        """Describe where a failure happened, and what it was."""
        head = f"point {place(self._grid, failure.point_index)} {_VERB[failure.status]} on rank {rank} ({failure.host})"
        return f"{head}: {failure.account}" if "\n" not in failure.account else f"{head}:\n{failure.account}"

    def totals(self, status: IntArray) -> list[str]:
        """Count the points of every kind, one line for each.

        Parameters
        ----------
        status : int array, shape (n_points,)
            Of all points of the grid. Those that failed without an exception have no chi2 at any start.
        """
        told = {point for points in self._points.values() for point in points}
        silent = [point for point in np.flatnonzero(status == Status.FAILED).tolist() if point not in told]
        lines = [f"{kind}: {count(len(points), 'point')}" for kind, points in self._points.items()]
        if not silent:
            return lines
        first = f"the first at {place(self._grid, silent[0])}"
        return [*lines, f"no start with a finite prediction: {count(len(silent), 'point')}, {first}"]
