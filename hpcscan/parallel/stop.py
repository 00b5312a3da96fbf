"""A request to stop: by a signal or by the clock, heeded when it suits.

The first signal asks: nothing new is begun, and what is running may finish within a grace period. Launchers forward
SIGUSR1 to all ranks, some SIGTERM and SIGINT too; every rank installs the handlers, so that none is killed by them, and
rank 0 acts. A call that swallows the interruption at the end of the grace period is left with the whole process; so is
one that blocks all signals, of which a thread learns instead.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from math import inf
from time import monotonic, sleep
from types import FrameType
from typing import NoReturn, Self

from hpcscan.errors import Exit, Interruption, SignalError, StoppedError, voice

#: Seconds that running tasks may take after a request.
GRACE = 60.0
#: The same after SIGTERM: batch systems send SIGKILL 30 s later.
TERMINATION_GRACE = 20.0
#: One ^C may arrive twice, from the terminal and from the launcher; a second one is later than this.
SAME_INTERRUPT = 1.0
#: Interruptions of a call after the grace period, one every so many seconds, before the process leaves it.
N_INTERRUPTIONS, BETWEEN_INTERRUPTIONS = 5, 1.0

SIGNALS = (signal.SIGUSR1, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

#: While a model is called, another function may be in its place.
_end_process = os._exit
#: The signals that a thread holds back while it forks.
_held = threading.local()


class GraceOver(Interruption):
    """The grace period ended in the middle of a task of this rank."""


class StopRequest:
    """Whether to stop, and why. :meth:`install` makes one that hears signals; by itself it hears none.

    Parameters
    ----------
    grace : float, optional
        Seconds that running tasks may take after a request.
    """

    def __init__(self, grace: float = GRACE) -> None:
        self._begin = monotonic()
        self._grace = grace
        self._max_time: float | None = None
        self._reason: str | None = None
        self._deadline = inf
        self._first_interrupt: float | None = None
        self._may_interrupt = False
        self._signals: tuple[signal.Signals, ...] = ()
        self._bell = -1

    @classmethod
    def install(cls, max_time: float | None = None, grace: float = GRACE, heard: Iterable[int] = ()) -> Self:
        """Hear the signals from now on; before MPI starts, on every rank, in the main thread.

        A second SIGINT raises `SignalError`, a `KeyboardInterrupt`. SIGHUP stays ignored where it is (nohup).

        Parameters
        ----------
        max_time : float, optional
            Seconds from now after which to stop.
        grace : float, optional
            Seconds that running tasks may take after a request.
        heard : iterable of int, optional
            Signals that have arrived before.
        """
        stop = cls(grace)
        stop._signals = tuple(n for n in SIGNALS if n != signal.SIGHUP or signal.getsignal(n) != signal.SIG_IGN)
        stop._listen()
        stop.limit(max_time)
        for early in heard:
            stop._hear(early, None)
        _spare_children()
        return stop

    @property
    def requested(self) -> str | None:
        """Why to stop, in words; None while there is no reason."""
        if self._reason is None and self._max_time is not None and monotonic() >= self._begin + self._max_time:
            self._request(f"the time budget of {self._max_time:g} s is used up", self._begin + self._max_time)
        return self._reason

    @property
    def seconds_left(self) -> float:
        """What is left of the grace period; infinite where nobody asked to stop."""
        return inf if self.requested is None else self._deadline - monotonic()

    @property
    def is_grace_over(self) -> bool:
        """Whether running tasks have had their time."""
        return self.seconds_left <= 0

    def ask(self, reason: str) -> None:
        """Stop for a reason of the program's own."""
        self._request(reason, monotonic())

    def limit(self, max_time: float | None) -> None:
        """Stop so many seconds after the installation; None for no limit."""
        self._max_time = max_time
        if max_time is not None:
            self._wake_at(self._begin + max_time + self._grace)

    @contextmanager
    def interrupting(self) -> Iterator[None]:
        """Raise `GraceOver` in this block, in the main thread, when the grace period ends."""
        self.hear_again()
        self._may_interrupt = True
        try:
            yield
        finally:
            self._may_interrupt = False

    @contextmanager
    def ending(self, remark: str = "") -> Iterator[None]:
        """Raise `StoppedError` in this block, where a model is called outside of tasks, when the grace period ends."""
        try:
            with self.interrupting():
                yield
        except GraceOver:
            raise StoppedError(f"stopped early: {self.requested}{remark}") from None

    def _listen(self) -> None:
        """Hear signals from now on: in the main thread, and in one that learns of them when that one does not."""
        ear, self._bell = os.pipe()
        os.set_blocking(self._bell, False)
        threading.Thread(target=self._note_bells, args=(ear,), daemon=True).start()
        self.hear_again()

    def hear_again(self) -> None:
        """Take back what a model may have changed: handlers, the mask of signals, and the bell that they ring.

        Where no signals are heard, nothing is done.
        """
        if not self._signals:
            return
        for number in self._signals:
            signal.signal(number, self._hear)
        signal.set_wakeup_fd(self._bell, warn_on_full_buffer=False)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, self._signals)

    def _note_bells(self, ear: int) -> None:
        while numbers := os.read(ear, 64):
            for number in {*numbers} & {*self._signals}:
                self._note(number)

    def _hear(self, number: int, _frame: FrameType | None) -> None:
        """Handle a signal; also the one that only wakes the main thread because time is up."""
        if number == signal.SIGINT:
            self._count_interrupt()
        if self._may_interrupt and self.is_grace_over:
            raise GraceOver
        self._note(number)

    def _note(self, number: int) -> None:
        if self.is_grace_over:
            # What wakes the main thread is no request.
            return
        grace = min(self._grace, TERMINATION_GRACE) if number == signal.SIGTERM else self._grace
        self._request(f"signal {signal.Signals(number).name}", monotonic(), grace)

    def _count_interrupt(self) -> None:
        now = monotonic()
        if self._first_interrupt is None:
            self._first_interrupt = now
        elif now - self._first_interrupt > SAME_INTERRUPT:
            raise SignalError("interrupted again")

    def _request(self, reason: str, since: float, grace: float | None = None) -> None:
        """Keep the first reason, and the earliest end of the grace period."""
        self._reason = self._reason or reason
        deadline = since + (self._grace if grace is None else grace)
        if deadline < self._deadline:
            self._deadline = deadline
            self._wake_at(deadline)

    def _wake_at(self, moment: float) -> None:
        """Make the main thread notice that time is up, whatever it does then."""
        timer = threading.Timer(max(moment - monotonic(), 0), self._wake)
        timer.daemon = True
        timer.start()

    def _wake(self) -> None:
        main = threading.main_thread().ident
        for _ in range(N_INTERRUPTIONS):
            if not self._may_interrupt or main is None:
                return
            signal.pthread_kill(main, signal.SIGUSR1)
            sleep(BETWEEN_INTERRUPTIONS)
        if self._may_interrupt:
            voice.say("a call of the model ignores every interruption, and is left; what was finished is saved\n")
            _end_process(Exit.EARLY)


def end_on_signals(heard: Iterable[int]) -> None:
    """Raise `SignalError` at any of the signals from now on, and now where one has arrived; for quick commands."""
    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _end)
    for early in heard:
        _end(early, None)
    _spare_children()


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    raise SignalError(f"signal {signal.Signals(number).name}")


@cache
def _spare_children() -> None:
    """Let children that a model forks hear signals as usual: a child that only notes them cannot be terminated."""
    os.register_at_fork(before=_hold_signals, after_in_parent=_let_signals_in, after_in_child=_hear_as_usual)


def _hold_signals() -> None:
    """Let no signal reach a child before it hears as usual: multiprocessing may terminate one that has just begun."""
    _held.mask = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)


def _let_signals_in() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _held.mask)


def _hear_as_usual() -> None:
    # The bell is the parent's.
    signal.set_wakeup_fd(-1)
    for number in SIGNALS:
        if getattr(signal.getsignal(number), "__module__", None) == __name__:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    _let_signals_in()
