"""The border around a call of the user's code: whoever leaves through it has returned, or raised an `Exception`.

Works without any right over the process, so a library may use it: what is changed, is changed for the call alone.
"""

from __future__ import annotations

import mmap
import os
import posix
import signal
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, NoReturn

from hpcscan.errors import Interruption, voice

#: Ends the process, also while a call has put something else in its place.
end_process = os._exit

#: The process that is inside a call.
_caller = os.getpid()
#: Whether ends of the process are refused for good, and not during calls alone.
_is_closed = False
#: One byte that forked processes share: whether one of them has told of its end.
_told = mmap.mmap(-1, 1)


class EndedProcessError(BaseException):
    """The user's code wanted to end the process; no `except Exception` of its own swallows it."""


class EscapedError(Exception):
    """The user's code raised what is not an `Exception`, such as `SystemExit`; that is the cause of this one."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(f"{type(error).__name__}: {text_of(error)}")


def text_of(error: BaseException) -> str:
    """Return what an exception says; its text may be code of the user's, and fail like any other."""
    try:
        with border:
            return str(error)
    except Exception as failure:  # noqa: BLE001 - whatever its `__str__` raises
        return f"(its text raised {type(failure).__name__})"


def account_of(error: BaseException) -> str:
    """Return the name of an exception of the user's code and what it says, as a line that may be long."""
    raised = error.__cause__ if isinstance(error, EscapedError) and error.__cause__ is not None else error
    return f"{type(raised).__name__}: {text_of(raised)}".rstrip(": ")


class Border:
    """A call of the user's code is a block ``with border:``.

    What is raised in it arrives as an `Exception`, unless it comes from outside: an `Interruption`, and ^C where the
    program does not hear signals itself. What ends the process, or makes it another program, raises there. A process
    that was forked in it ends when it comes back.
    """

    def __enter__(self) -> None:
        global _caller  # noqa: PLW0603 - a process has one main thread, which makes these calls
        _caller = os.getpid()
        _put(_REFUSALS)

    def __exit__(self, _kind: object, error: BaseException | None, _frames: TracebackType | None) -> None:
        _put(_REFUSALS if _is_closed else _ENDS)
        if os.getpid() != _caller:
            _end_child(error)
        if error is not None and not isinstance(error, Exception) and not _comes_from_outside(error):
            raise EscapedError(error) from error


border = Border()


def close_border() -> None:
    """Refuse ends of this process from now on, for a program that has the right over it.

    Threads, handlers and exit handlers of the user's code run outside its calls too.
    """
    global _caller, _is_closed
    _caller, _is_closed = os.getpid(), True
    _put(_REFUSALS)


def _put(functions: Mapping[str, Callable[..., NoReturn]]) -> None:
    """Put functions where the user's code finds those that end the process; `os` has its own from `posix`."""
    for name, function in functions.items():
        setattr(os, name, function)
        setattr(posix, name, function)


def _comes_from_outside(error: BaseException) -> bool:
    """Whether an exception is not the doing of the code that was called.

    Where the program hears ^C itself, that is an `Interruption`, and a plain `KeyboardInterrupt` the code's own.
    """
    hears = str(getattr(signal.getsignal(signal.SIGINT), "__module__", "")).startswith("hpcscan.")
    return isinstance(error, Interruption) or (isinstance(error, KeyboardInterrupt) and not hears)


def _refusal(name: str, function: Callable[..., NoReturn]) -> Callable[..., NoReturn]:
    def refuse(*arguments: Any) -> NoReturn:
        if os.getpid() != _caller:
            # Children that the user's code has forked end as they like; multiprocessing ends its own like this.
            function(*arguments)
        shown = ", ".join(map(repr, arguments))
        raise EndedProcessError(f"os.{name}({shown:.100}) would end the whole run, and is refused")

    return refuse


_ENDS: dict[str, Callable[..., NoReturn]] = {
    "_exit": end_process,
    "abort": os.abort,
    "execv": os.execv,
    "execve": os.execve,
}
_REFUSALS = {name: _refusal(name, function) for name, function in _ENDS.items()}


def _end_child(error: BaseException | None) -> NoReturn:
    """End a forked process that would go on as a second copy of this one."""
    if isinstance(error, SystemExit):
        end_process(error.code if isinstance(error.code, int) else int(error.code is not None))
    if not _told[0]:
        _told[0] = 1
        reason = "came back from the call" if error is None else f"raised {type(error).__name__}"
        text = f"a process that the model forked {reason}; it ends here, like any other, and the run goes on\n"
        voice.say(text)
    end_process(0 if error is None else 1)
