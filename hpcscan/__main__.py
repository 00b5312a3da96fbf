"""Entry point of `python -m hpcscan` and of the console script: what has to be settled before anything is loaded.

Up to `main`, only what the interpreter has loaded itself is imported.
"""

from __future__ import annotations

import os
import sys

# `python -m` puts the working directory first: a random.py there would take the place of Python's own. It goes to the
# end where it holds this package, and otherwise altogether; what PYTHONPATH names comes after it, and stays.
if __name__ == "__main__" and not sys.flags.safe_path and __file__ and os.path.isabs(sys.path[0]):  # noqa: PTH117
    _first = sys.path.pop(0)
    if __file__ == os.path.join(_first, "hpcscan", "__main__.py") and _first not in sys.path:  # noqa: PTH118
        sys.path.append(_first)

import signal
import time

#: One thread per rank, unless the user says otherwise: on small matrices more threads cost 14 to 29 times the time.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
#: Signals that arrive while the program is being loaded; heeded by the command as soon as it can.
HEARD: list[int] = []
SIGNALS = (signal.SIGUSR1, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
#: What a shell, or a batch system, is told of a command that stopped early; `hpcscan.errors` is not loaded yet.
EARLY = 75
#: A second signal later than this ends the program where it is; the first may arrive twice, also from the launcher.
SAME_SIGNAL = 1.0


def _hear_signals() -> None:
    # What `os` has may be replaced while this is heard.
    first, end_process = 0.0, os._exit

    def note(number: int, _frame: object) -> None:
        nonlocal first
        if HEARD and time.monotonic() - first > SAME_SIGNAL:
            end_process(EARLY)
        first = first or time.monotonic()
        HEARD.append(number)

    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, note)


def _open_streams() -> None:
    """Put something in the place of a standard stream that is closed: the next file to be opened would take it.

    Writing to standard output fails there as it did before, so that a command can say so.
    """
    for number, mode in enumerate((os.O_RDONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, mode)
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115


def main() -> None:
    """Run hpcscan, and end this process."""
    _hear_signals()
    _open_streams()
    # The libraries read these when they are loaded, so before anything else is imported.
    for name in THREAD_VARIABLES:
        os.environ.setdefault(name, "1")
    from hpcscan.commands.entry import run_and_leave  # noqa: PLC0415

    run_and_leave(HEARD)


if __name__ == "__main__":
    main()
