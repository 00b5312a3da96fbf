"""Models that misbehave, each in one way at x = 2, or when they are loaded or made; and what a run should make of it.

A configuration scans x over 1, 2, 3, 4 with χ²(x) = x². Every run must end in time, and exit with 0 or 1 only where the
result is complete.
"""

from __future__ import annotations

from dataclasses import dataclass

PLUGIN = '''\
"""Written by a test."""
import os, sys, time, signal, threading
import numpy as np
from hpcscan.model import Derived, Gaussian, Model, Parameter, Ranges
BEGUN = os.path.abspath("begun")
AT_IMPORT


class OwnError(BaseException):
    pass


class Unruly(Model):
    parameters = (Parameter("x"), Parameter("a", 0.0, 1.0))
    data = (Gaussian("y", (0.25, 0.0), (0.1, 1.0)),)

    def __init__(self):
        AT_START
        pass

    def predict(self, x, a):
        values = np.hstack([a, x])
        if (x == 2).any():
            values = self.misbehave(values)
        return {"y": values}

    def misbehave(self, values):
        open(BEGUN, "w").close()
        IN_PREDICT
        return values

    EXTRA
'''
SCAN = """\
scan: {x: {values: [1, 2, 3, 4]}}
model: {plugin: unruly.py:Unruly}
fit: {starts: 4, time_limit: LIMIT, proof: PROOF}
run: {chunk: 1}
output: out.nc
"""

#: Exit codes.
FINE, FAILS, REFUSED, STOPPED = 0, 1, 2, 75
#: One rank ends: MPICH's launcher may report that it has killed the others.
LOST = (70, 9)
#: A rank is given up; where it was the only one that computes, the run ends early and can be resumed.
GIVEN_UP = (FAILS, STOPPED)


@dataclass(frozen=True)
class Case:
    """A model that misbehaves.

    Attributes
    ----------
    code : str
        What is done: statements.
    expected : int or tuple of int
        Exit codes that a run may have.
    says : str
        Part of what it must say.
    place : str
        Where it is done: in ``predict``, at ``import``, at the ``start``; or ``extra`` members of the class.
    limit : float or None
        ``fit.time_limit``.
    signal_after : float or None
        Seconds from the misbehaviour after which SIGTERM is sent to a run that would not end.
    has_trial : bool
        Whether proofs are tried, so that the misbehaviour comes before the scan has begun.
    """

    code: str
    expected: int | tuple[int, ...]
    says: str = ""
    place: str = "predict"
    limit: float | None = None
    signal_after: float | None = None
    has_trial: bool = True

    def plugin(self) -> str:
        """Write the plugin."""
        marks = {"import": "AT_IMPORT", "start": "AT_START", "predict": "IN_PREDICT", "extra": "EXTRA"}
        text = PLUGIN
        for place, mark in marks.items():
            indent = {"import": "", "extra": "    "}.get(place, "        ")
            own = self.code if place == self.place else "pass"
            text = text.replace(mark, own.replace("\n", f"\n{indent}"))
        return text

    def scan(self) -> str:
        """Write the configuration."""
        limit, proof = "null" if self.limit is None else str(self.limit), "{boxes: 5000}" if self.has_trial else "false"
        return SCAN.replace("LIMIT", limit).replace("PROOF", proof)


def in_the_trial(code: str) -> str:
    """Return a `predict` that does it when an enclosure is asked for, which is first in a trial of the proof."""
    return (
        "def predict(self, x, a):\n    if type(a) is not np.ndarray:\n"
        f"        open(BEGUN, 'w').close(); {code}\n    return {{'y': np.hstack([a, x])}}"
    )


#: Raises `SystemExit` in the main thread, wherever that is.
ASYNC = """\
import ctypes
main = ctypes.c_ulong(threading.main_thread().ident)
def kill(): ctypes.pythonapi.PyThreadState_SetAsyncExc(main, ctypes.py_object(SystemExit))"""

CASES: dict[str, Case] = {
    # Ends of the interpreter and of the process.
    "os._exit(0)": Case("os._exit(0)", FAILS, "os._exit(0) would end the whole run"),
    "os._exit(3)": Case("os._exit(3)", FAILS, "os._exit(3) would end the whole run"),
    "os._exit at import": Case("os._exit(0)", REFUSED, "os._exit(0)", "import"),
    "os._exit at start": Case("os._exit(0)", REFUSED, "os._exit(0)", "start"),
    "os._exit of posix": Case("import posix; posix._exit(0)", FAILS, "would end the whole run"),
    "os._exit between calls": Case(
        "for n in range(40): threading.Timer(0.0002 * n, lambda: os._exit(0)).start()", FINE, "would end the whole run"
    ),
    "os._exit of a handler": Case(
        "signal.signal(signal.SIGALRM, lambda *_: os._exit(0)); signal.setitimer(signal.ITIMER_REAL, 0.002)",
        (FAILS, *LOST),
        "would end the whole run",
    ),
    "os._exit at exit": Case(
        "import atexit; atexit.register(lambda: os._exit(3))", FINE, "would end the whole run", "import"
    ),
    "os._exit taken at import": Case("from os import _exit\nUSE = _exit", FINE, "", "import"),
    "os.abort": Case("os.abort()", FAILS, "os.abort() would end the whole run"),
    "sys.exit(0)": Case("sys.exit(0)", FAILS, "SystemExit"),
    "sys.exit(text)": Case("sys.exit('bye')", FAILS, "SystemExit: bye"),
    "sys.exit at import": Case("sys.exit(0)", REFUSED, "SystemExit", "import"),
    "sys.exit at start": Case("sys.exit(0)", REFUSED, "SystemExit", "start"),
    "quit": Case("quit()", FAILS, "SystemExit"),
    "exit of C": Case("import ctypes; ctypes.CDLL(None).exit(0)", LOST, "ended the process"),
    "exit of C with the lock": Case("import ctypes; ctypes.PyDLL(None).exit(0)", LOST, "ended the process"),
    "exit of C at import": Case("import ctypes; ctypes.CDLL(None).exit(0)", LOST, "ended the process", "import"),
    "Py_Exit": Case("import ctypes; ctypes.pythonapi.Py_Exit(0)", LOST, "ended the process"),
    "SIGTERM to itself": Case("os.kill(os.getpid(), signal.SIGTERM)", (STOPPED, FAILS, FINE)),
    "exec of another program": Case("os.execlp('true', 'true')", FAILS, "would end the whole run"),
    # Exceptions of every kind.
    "SystemExit": Case("raise SystemExit", FAILS, "SystemExit"),
    "GeneratorExit": Case("raise GeneratorExit", FAILS, "GeneratorExit"),
    "KeyboardInterrupt": Case("raise KeyboardInterrupt", FAILS, "KeyboardInterrupt"),
    "KeyboardInterrupt at import": Case("raise KeyboardInterrupt", REFUSED, "KeyboardInterrupt", "import"),
    "own BaseException": Case("raise OwnError('no')", FAILS, "OwnError: no"),
    "StopIteration": Case("raise StopIteration", FAILS, "StopIteration"),
    "RecursionError": Case("return self.misbehave(values)", FAILS, "RecursionError"),
    "MemoryError": Case("raise MemoryError", FAILS, "MemoryError"),
    "a real MemoryError": Case("np.zeros(2**58)", FAILS, "MemoryError"),
    "AssertionError": Case("assert False, 'never'", FAILS, "AssertionError: never"),
    "exception without text": Case("raise type('E', (Exception,), {'__str__': lambda s: 1 / 0})()", FAILS, "E"),
    "exception of a megabyte": Case("raise ValueError('x' * 10**6)", FAILS, "ValueError"),
    "exception not picklable": Case("raise type('E', (Exception,), {'f': open(os.devnull)})('no')", FAILS, "no"),
    "exception group": Case("raise ExceptionGroup('many', [ValueError('one')])", FAILS, "many"),
    "SyntaxError at import": Case("x = = 1", REFUSED, "SyntaxError", "import"),
    "ImportError at import": Case("import no_such_module", REFUSED, "no_such_module", "import"),
    "warning as error": Case("import warnings; warnings.simplefilter('error'); warnings.warn('w')", FAILS, "w"),
    "floating point error": Case("np.seterr(all='raise'); np.log(np.zeros(1))", FAILS, "FloatingPointError"),
    # Processes and threads.
    "Pool": Case("import multiprocessing as m\nwith m.Pool(2) as pool:\n    pool.map(abs, [1, 2])", FINE),
    "Pool left open": Case("import multiprocessing as m; self.pool = m.Pool(2); self.pool.map(abs, [1])", FINE),
    "Pool with a time limit": Case(
        "import multiprocessing as m\nwith m.Pool(2) as pool:\n    pool.map(abs, [1, 2])", FINE, limit=20
    ),
    "executor left open": Case(
        "from concurrent.futures import ProcessPoolExecutor as E; self.e = E(2); self.e.submit(abs, 1).result()", FINE
    ),
    "fork that returns": Case("os.fork()", FINE, "a process that the model forked came back"),
    "fork that raises": Case("if os.fork() == 0: raise ValueError", FINE, "a process that the model forked raised"),
    "fork that exits": Case("if os.fork() == 0: sys.exit(0)", FINE),
    "fork that ends itself": Case("if os.fork() == 0: os._exit(0)", FINE),
    "fork at import that returns": Case("os.fork()", FINE, "a process that the model forked came back", "import"),
    "child that stays": Case("if os.fork() == 0: time.sleep(300); os._exit(0)", FINE, "processes of the model"),
    "child that ignores SIGTERM": Case(
        "if os.fork() == 0: signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(300)",
        FINE,
        "processes of the model",
    ),
    "subprocess that stays": Case(
        "import subprocess; subprocess.Popen(['sleep', '300'])", FINE, "processes of the model"
    ),
    "thread that stays": Case("threading.Thread(target=time.sleep, args=(1e6,)).start()", FINE, "threads of the model"),
    "thread that stays, at import": Case(
        "threading.Thread(target=time.sleep, args=(1e6,)).start()", FINE, "threads of the model", "import"
    ),
    "thread that raises": Case("threading.Thread(target=lambda: 1 / 0).start()", FINE, "ZeroDivisionError"),
    "exit handler that stays": Case(
        "import atexit; atexit.register(time.sleep, 1e6)", FINE, "exit handlers of the model", "import"
    ),
    "exit handler that stays on one rank": Case(
        "import atexit; atexit.register(time.sleep, 1e6)", FINE, "exit handlers of the model"
    ),
    "exit handler that raises": Case("import atexit; atexit.register(lambda: 1 / 0)", FINE, "", "import"),
    # Time.
    "sleep under a limit": Case("time.sleep(1e6)", FAILS, "no end within 1 s", limit=1),
    "loop under a limit": Case("while True: pass", FAILS, "no end within 1 s", limit=1),
    "loop in C under a limit": Case(
        "import itertools; sum(itertools.repeat(0))", GIVEN_UP, "hangs in a call that cannot be interrupted", limit=1
    ),
    "catches everything under a limit": Case(
        "while True:\n    try:\n        time.sleep(1e6)\n    except BaseException:\n        pass",
        GIVEN_UP,
        "hangs in a call that cannot be interrupted",
        limit=1,
    ),
    "takes the alarm away": Case(
        "signal.setitimer(signal.ITIMER_REAL, 0); time.sleep(1e6)", GIVEN_UP, "hangs in a call", limit=1
    ),
    "ignores SIGTERM": Case("signal.signal(signal.SIGTERM, signal.SIG_IGN)", FINE),
    "catches everything, and SIGTERM": Case(
        "while True:\n    try:\n        time.sleep(1e6)\n    except BaseException:\n        pass",
        STOPPED,
        signal_after=2,
        has_trial=False,
    ),
    "sleep, and SIGTERM": Case("time.sleep(1e6)", STOPPED, "stopping: signal SIGTERM", signal_after=2, has_trial=False),
    # A worker's call is left with the worker, by rank 0; its own with itself.
    "blocks every signal, and SIGTERM": Case(
        "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65)); time.sleep(1e6)",
        (STOPPED, 9),
        signal_after=2,
        has_trial=False,
    ),
    "blocks every signal, once": Case(
        "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\nself.misbehave = lambda v: time.sleep(0.3) or v", FINE
    ),
    "SystemExit of a thread": Case(
        f"{ASYNC}\nthreading.Timer(0.2, kill).start()\nwhile True: time.sleep(0.01)", FAILS, "SystemExit"
    ),
    "SystemExit of a thread, again and again": Case(
        f"{ASYNC}\ndef often():\n    while True: kill(); time.sleep(0.01)\n"
        "threading.Thread(target=often, daemon=True).start()\nwhile True: time.sleep(0.01)",
        (FAILS, *LOST),
        "SystemExit",
    ),
    "SystemExit of a thread, swallowed, and SIGTERM": Case(
        f"{ASYNC}\ndef often():\n    while True: kill(); time.sleep(0.01)\n"
        "threading.Thread(target=often, daemon=True).start()\n"
        "while True:\n    try:\n        time.sleep(1e6)\n    except BaseException:\n        pass",
        (STOPPED, *LOST),
        signal_after=2,
        has_trial=False,
    ),
    "sleep in the trial, and SIGTERM": Case(
        in_the_trial("time.sleep(1e6)"),
        STOPPED,
        "stopped early: signal SIGTERM; nothing was computed",
        "extra",
        signal_after=2,
    ),
    "blocks every signal in the trial, and SIGTERM": Case(
        in_the_trial("signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65)); time.sleep(1e6)"),
        STOPPED,
        "ignores every interruption, and is left",
        "extra",
        signal_after=2,
    ),
    # Streams, and what belongs to everybody.
    "reads standard input": Case("input()", FAILS, "EOFError"),
    "reads standard input to its end": Case("sys.stdin.read()", FINE),
    "opens the terminal": Case("open('/dev/tty').read()", FAILS, "OSError"),
    "closes standard output": Case("os.close(1)", (FINE, FAILS)),
    "closes standard error": Case("os.close(2)", (FINE, FAILS)),
    "sets the streams to None": Case("sys.stdout = sys.stderr = None", FINE),
    "closes the streams": Case("sys.stdout.close(); sys.stderr.close()", FINE),
    "clears the environment": Case("os.environ.clear()", FINE),
    "changes the directory": Case("os.chdir('/')", (FINE, FAILS, 74)),
    "silences the log": Case("import logging; logging.disable(logging.CRITICAL)", FINE),
    "changes the random state": Case("np.random.seed(1); import random; random.seed(1)", FINE),
    "collects no garbage": Case("import gc; gc.disable(); gc.set_threshold(1)", FINE),
    "replaces os._exit": Case("os._exit = lambda code: None", FINE, "", "import"),
    # Results that are none.
    "masked": Case("return np.ma.masked_array(values, values > 1)", FAILS, "a masked array"),
    "masked in a list": Case("return [np.ma.masked_array(row) for row in values]", FAILS, "a masked array"),
    "None": Case("return None", FAILS, "wrong result of predict"),
    "text": Case("return 'values'", FAILS, "wrong result of predict"),
    "complex": Case("return values + 1j", FAILS, "complex"),
    "transposed": Case("return values.T", FAILS, "shape"),
    "a generator": Case("return (row for row in values)", FAILS, "wrong result of predict"),
    "array that raises": Case(
        "return type('A', (), {'__array__': lambda s, *a, **k: sys.exit(0)})()", FAILS, "SystemExit"
    ),
    "NaN": Case("return values * np.nan", FAILS, "1 failed"),
    "noise": Case(
        "import itertools\ncount = itertools.count()\n"
        "def predict(self, x, a):\n"
        "    return {'y': np.hstack([a, x]) * (1 + 1e-11 * (next(self.count) % 3))}",
        (FINE, FAILS),
        "predict gives another value for the same row in the same call",
        "extra",
    ),
    "depends on its batch": Case(
        "def predict(self, x, a):\n    return {'y': np.hstack([a, x]) * (1 + 1e-11 * len(x))}",
        (FINE, FAILS),
        "predict gives another value for the same row in another batch",
        "extra",
    ),
}
