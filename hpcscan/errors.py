"""What can go wrong in a way that a user can act on, and the exit code of each."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of every command."""

    COMPLETE = 0
    INCOMPLETE = 1
    USAGE = 2
    INTERNAL = 70
    STORAGE = 74
    EARLY = 75


class Voice:
    """How the program speaks at once, past every buffer, and past what a model has put in the place of a stream.

    Attributes
    ----------
    descriptor : int
        Standard error, or what it was before a model's output was counted.
    """

    descriptor = 2

    def say(self, text: str) -> None:
        """Write a message; where nobody takes it, nothing can be said."""
        with suppress(OSError):
            os.write(self.descriptor, text.encode(errors="backslashreplace"))


voice = Voice()


class Interruption(BaseException):
    """Ends what is running, from outside of it; not an `Exception`, because models catch those."""


class SignalError(Interruption, KeyboardInterrupt):
    """A signal that ends a command at once."""


class HpcscanError(Exception):
    """An error whose message is meant for the user; it is printed without a traceback."""

    exit_code = Exit.USAGE


@dataclass(frozen=True)
class Mistake:
    """One thing that is wrong with what the user wrote.

    Attributes
    ----------
    where : str
        ``file:line:column`` of a configuration, or the command-line option.
    message : str
        What was found, what was expected and what to do.
    """

    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message


class UsageError(HpcscanError):
    """A wrong command line, configuration, model or output: nothing was computed."""

    def __init__(self, *mistakes: Mistake | str) -> None:
        self.mistakes = tuple(Mistake("", m) if isinstance(m, str) else m for m in mistakes)
        super().__init__("\n".join(str(mistake) for mistake in self.mistakes))

    def __reduce__(self) -> tuple[type[UsageError], tuple[Mistake, ...]]:
        return type(self), self.mistakes


class OptionError(ValueError):
    """Model options or scan values outside what a model accepts.

    A model raises it without knowing about files; the configuration adds the place.

    Parameters
    ----------
    *problems : tuple of (path, message)
        The path is relative to ``model.options``, such as ``("bounds", "muon.U")``, or to the whole
        configuration where it starts with ``"scan"``, such as ``("scan", "w")``.
    """

    def __init__(self, *problems: tuple[tuple[str, ...], str]) -> None:
        self.problems = problems
        super().__init__("; ".join(f"{'.'.join(path)}: {message}" for path, message in problems))

    def __reduce__(self) -> tuple[type[OptionError], tuple[tuple[tuple[str, ...], str], ...]]:
        return type(self), self.problems


class StorageError(HpcscanError):
    """A result could not be written."""

    exit_code = Exit.STORAGE


class StoppedError(HpcscanError):
    """The run ended before everything was done, as it was asked to."""

    exit_code = Exit.EARLY


class StrictError(HpcscanError):
    """A model failed at some point, and the user wants to stop at the first."""

    exit_code = Exit.INTERNAL


class PointError(HpcscanError):
    """The model failed at the one point that was asked for."""

    exit_code = Exit.INCOMPLETE


class CrashError(HpcscanError):
    """Rank after rank died at the same task."""

    exit_code = Exit.INTERNAL

    def __init__(self, n_ranks: int) -> None:
        self.n_ranks = n_ranks
        super().__init__(f"{n_ranks} ranks died one after another at the same task; does the model crash?")

    def __reduce__(self) -> tuple[type[CrashError], tuple[int]]:
        return type(self), (self.n_ranks,)


class RemoteError(HpcscanError):
    """An unexpected exception on some rank; carries that rank's own account of it."""

    exit_code = Exit.INTERNAL

    def __init__(self, rank: int, host: str, traceback: str) -> None:
        self.rank, self.host, self.traceback = rank, host, traceback
        super().__init__(f"rank {rank} on {host} stopped with an internal error:\n{traceback.rstrip()}")

    def __reduce__(self) -> tuple[type[RemoteError], tuple[int, str, str]]:
        return type(self), (self.rank, self.host, self.traceback)
