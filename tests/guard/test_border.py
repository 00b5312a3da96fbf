"""The border around a call of a model, in a process that is somebody else's."""

from __future__ import annotations

import os
import posix
import signal
import sys

import numpy as np
import pytest

from hpcscan.border import EndedProcessError, EscapedError, border
from hpcscan.errors import Interruption
from hpcscan.guard.guarded import guarded
from hpcscan.guard.time_limit import TimeLimit
from hpcscan.model import Parameter
from hpcscan.model.problem import Observable, Problem
from hpcscan.model.returned import WrongResultError
from hpcscan.parallel import StopRequest
from hpcscan.parallel.stop import SIGNALS


class OwnError(BaseException):
    pass


@pytest.mark.parametrize("error", [SystemExit(0), GeneratorExit(), OwnError("no"), EndedProcessError("exit")])
def test_what_is_no_exception_becomes_one(error):
    """With its cause."""
    with pytest.raises(EscapedError) as caught, border:
        raise error
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("error", [ValueError("no"), MemoryError(), RecursionError(), Interruption("from outside")])
def test_exceptions_and_interruptions_pass(error):
    with pytest.raises(type(error)) as caught, border:
        raise error
    assert caught.value is error


def test_an_interrupt_passes_where_the_process_is_not_ours():
    """In a user's own program a KeyboardInterrupt is ^C."""
    with pytest.raises(KeyboardInterrupt), border:
        raise KeyboardInterrupt


def test_an_interrupt_is_the_models_where_we_hear_the_signal():
    before = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        StopRequest.install()
        with pytest.raises(EscapedError, match="KeyboardInterrupt"), border:
            raise KeyboardInterrupt
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@pytest.mark.parametrize(
    ("name", "arguments"), [("_exit", (0,)), ("abort", ()), ("execlp", ("true", "true")), ("execv", ("true", ["true"]))]
)
def test_the_end_of_the_process_is_refused(name, arguments):
    """Inside of the call, and also where the code catches every Exception."""

    def stubborn():
        try:
            getattr(os, name)(*arguments)
        except Exception:  # noqa: BLE001
            return

    with pytest.raises(EscapedError, match="would end the whole run"), border:
        stubborn()


def test_the_other_name_of_the_end_is_refused():
    """What `os` has comes from `posix`."""
    with pytest.raises(EscapedError, match="would end the whole run"), border:
        posix._exit(0)
    assert posix._exit is os._exit


def test_nothing_is_changed_outside_of_the_call():
    functions = (os._exit, os.abort, os.execv, os.execve)
    for error in (None, ValueError):
        try:
            with border:
                assert os._exit is not functions[0]
                if error:
                    raise error
        except ValueError:
            pass
        assert (os._exit, os.abort, os.execv, os.execve) == functions


@pytest.mark.parametrize(
    ("child", "status"),
    [(lambda: None, 0), (lambda: 1 / 0, 1), (lambda: sys.exit(3), 3), (lambda: os._exit(4), 4)],
)
def test_a_forked_child_never_comes_back(child, status):
    """It ends where it would leave the call."""
    with border:
        pid = os.fork()
        if pid == 0:
            child()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == status


def test_a_child_hears_signals_as_usual():
    """One that only notes SIGTERM, as a rank does, could not be terminated."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        StopRequest.install()
        pid = os.fork()
        if pid == 0:
            signal.pause()
            os._exit(0)
        os.kill(pid, signal.SIGTERM)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGTERM
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Returns(Problem):
    axes = (Parameter("x"),)
    parameters = (Parameter("a", 0.0, 1.0),)
    observables = (Observable("a", 0.0, 1.0), Observable("b", 0.0, 1.0))

    def __init__(self, result):
        self.result = result

    def predict(self, points, parameters):
        return self.result


class Lazy:
    """An array whose reading is the model's code again."""

    def __array__(self, *_, **__):
        raise SystemExit(0)


MASKED = np.ma.masked_array([1.0, 2.0], [True, False])


@pytest.mark.parametrize("result", [np.ma.masked_array(np.ones((1, 2))), [MASKED], ((MASKED,),), [[MASKED[0], 1.0]]])
def test_masked_arrays_are_refused(result):
    """Also in lists: as a plain array they show what they hide."""
    with pytest.raises(WrongResultError, match="a masked array"):
        guarded(Returns(result), TimeLimit(None)).predict(np.zeros((1, 1)), np.zeros((1, 1)))


def test_what_reads_a_result_is_inside():
    with pytest.raises(EscapedError, match="SystemExit"):
        guarded(Returns(Lazy()), TimeLimit(None)).predict(np.zeros((1, 1)), np.zeros((1, 1)))
