"""The request to stop, in one process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from hpcscan.errors import StoppedError
from hpcscan.parallel import StopRequest, stop


@pytest.fixture(autouse=True)
def handlers():
    """Signals that are heard here are nobody else's affair."""
    before = {number: signal.getsignal(number) for number in stop.SIGNALS}
    yield
    signal.set_wakeup_fd(-1)
    for number, handler in before.items():
        signal.signal(number, handler)


def send(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", stop.SIGNALS)
def test_a_signal_is_a_request_with_a_reason(number):
    """Any of them; the process goes on."""
    request = StopRequest.install()
    assert request.requested is None
    send(number)
    assert request.requested == f"signal {number.name}"
    assert not request.is_grace_over


def test_the_first_reason_stays_and_the_shorter_grace_counts():
    """After SIGTERM there is less time than after SIGUSR1."""
    request = StopRequest.install(grace=1000)
    send(signal.SIGUSR1)
    assert 900 < request.seconds_left <= 1000
    send(signal.SIGTERM)
    assert request.seconds_left <= stop.TERMINATION_GRACE
    send(signal.SIGUSR1)
    assert request.seconds_left <= stop.TERMINATION_GRACE
    assert request.requested == "signal SIGUSR1"


def test_a_time_budget_is_a_request_without_a_signal():
    """It counts from the installation."""
    request = StopRequest.install(max_time=3600)
    assert request.requested is None
    request.limit(0.0)
    assert request.requested == "the time budget of 0 s is used up"


def test_an_interrupt_that_arrives_twice_is_one(monkeypatch):
    """From the terminal and from the launcher; a later one ends the program."""
    request = StopRequest.install()
    send(signal.SIGINT)
    send(signal.SIGINT)
    assert request.requested == "signal SIGINT"
    monkeypatch.setattr(stop, "SAME_INTERRUPT", 0.0)
    with pytest.raises(KeyboardInterrupt):
        send(signal.SIGINT)


@pytest.mark.parametrize("max_time", [None, 0.0])
def test_the_end_of_the_grace_period_interrupts_what_asked_for_it(max_time):
    """A long sleep, after a signal or at the end of the budget."""
    request = StopRequest.install(max_time, grace=0.2)
    if max_time is None:
        send(signal.SIGUSR1)
    with pytest.raises(stop.GraceOver), request.interrupting():
        time.sleep(60)
    assert request.is_grace_over


def test_nothing_else_is_interrupted():
    """Only the block that says so."""
    request = StopRequest.install(grace=0.05)
    send(signal.SIGUSR1)
    time.sleep(0.2)
    assert request.is_grace_over
    send(signal.SIGUSR1)


def test_a_reason_of_the_programs_own():
    """Also without any handler."""
    request = StopRequest()
    request.ask("no rank is left to compute")
    assert request.requested == "no rank is left to compute"


def test_what_comes_before_the_tasks_ends_with_the_grace_period():
    """Also where it catches every Exception; and a request that came before counts."""
    request = StopRequest.install(grace=0.1)
    send(signal.SIGTERM)
    with (
        pytest.raises(StoppedError, match="stopped early: signal SIGTERM; so far"),
        request.ending("; so far"),
    ):
        try:
            time.sleep(60)
        except Exception:  # noqa: BLE001
            time.sleep(60)


#: Waits in a call during which the main thread hears no signal at all.
DEAF = """
import signal, sys, time
from hpcscan.parallel import StopRequest, stop
stop.BETWEEN_INTERRUPTIONS = 0.05
request = StopRequest.install(grace=0.2)
{before}
with request.interrupting():
    {inside}
    print("asleep", flush=True)
    time.sleep(60)
"""
BLOCK = "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))"
IGNORE = "[signal.signal(number, signal.SIG_IGN) for number in stop.SIGNALS]"


@pytest.mark.parametrize(
    ("before", "inside", "code"),
    [("", BLOCK, 75), (BLOCK, "", 1), (IGNORE, "", 1), ("signal.set_wakeup_fd(-1)", BLOCK, 75)],
)
def test_a_model_that_hears_nothing_ends(before, inside, code):
    """Where it blocks signals in the call; what an earlier call has changed is taken back, and `GraceOver` ends it."""
    command = [sys.executable, "-c", DEAF.format(before=before, inside=inside)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "asleep\n"
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=30)
    assert process.returncode == code, told
    assert ("ignores every interruption, and is left" if code == 75 else "GraceOver") in told
