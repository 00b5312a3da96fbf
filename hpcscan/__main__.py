"""Entry point of `python -m hpcscan` and of the console script."""

from __future__ import annotations

import os
import sys

#: One thread per rank, unless the user says otherwise: on small matrices more threads cost 14 to 29 times the time.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def main() -> int:
    """Run hpcscan and return what the process exits with."""
    # The libraries read these when they are loaded, so before anything else is imported.
    for name in THREAD_VARIABLES:
        os.environ.setdefault(name, "1")
    from hpcscan.commands.cli import launched_main  # noqa: PLC0415

    try:
        return launched_main()
    except BrokenPipeError:
        # The reader of the output has gone (`hpcscan keys | head`); nothing more can be said.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    sys.exit(main())
