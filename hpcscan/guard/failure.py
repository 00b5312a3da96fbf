"""Accounts of points at which a model raised or took too long, for the log."""

from __future__ import annotations

import platform
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from hpcscan import border
from hpcscan.fitting.records import Status
from hpcscan.guard import guarded
from hpcscan.model import problem
from hpcscan.model.results import WrongResultError

#: Characters; a message that an exception brings may have any length.
LONGEST_ACCOUNT = 20_000


@dataclass(frozen=True)
class Failure:
    """What happened at a point.

    Attributes
    ----------
    point_index : int
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
