"""A team of two without MPI: this process and one that it starts, and can start again when it hangs or crashes."""

from __future__ import annotations

import os
import platform
import threading
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext
from queue import SimpleQueue
from typing import Any, NoReturn

from hpcscan.errors import Exit
from hpcscan.parallel.connecting import end_with_parent
from hpcscan.parallel.stop import StopRequest
from hpcscan.parallel.worker import follow
from hpcscan.parallel.world import Aborted

#: Seconds between two looks at a connection on which nothing arrives.
LOOK = 0.01
#: Seconds that the helper has to leave after its release.
LAST_STEPS = 5.0


class HelperWorld:
    """Rank 0 and its helper, rank 1.

    Parameters
    ----------
    prepare : callable
        From a job, make the function that turns a task into a result; a function that can be pickled.
    """

    rank = 0
    size = 2
    library = "none"

    def __init__(self, prepare: Any) -> None:
        self.host = platform.node()
        self._prepare = prepare
        self._start()

    def send(self, message: object, to: int) -> None:
        """Post a message, without waiting until it is received."""
        self._outbox.put(message)

    def receive(self) -> list[object]:
        """Take all messages that have arrived, possibly none."""
        return [] if self._is_dead else self._receive()

    def dead(self) -> frozenset[int]:
        """Return the helper, if it has died."""
        return frozenset([1] if self._is_dead else [])

    def replace(self, rank: int) -> bool:
        """Kill the helper and start another."""
        self._end()
        self._start()
        return True

    def nap(self) -> None:
        """Wait for a message a little."""
        self._connection.poll(LOOK)

    def leave(self) -> None:
        """Wait until the helper is gone."""
        self._process.join(LAST_STEPS)
        self._end()

    def abort(self, exit_code: int) -> NoReturn:
        """Leave the program, without the helper."""
        self._end()
        raise Aborted(exit_code)

    def _start(self) -> None:
        context = SpawnContext()
        self._connection, theirs = context.Pipe()
        self._is_dead = False
        self._process = context.Process(target=_serve, args=(theirs, self._prepare))
        # Not a daemon: those may have no children, and a model may use multiprocessing. It ends with this process.
        self._process.start()
        theirs.close()
        # A helper that hangs reads nothing: a thread waits for it, and not this process.
        self._outbox: SimpleQueue[object] = SimpleQueue()
        threading.Thread(target=_post, args=(self._connection, self._outbox), daemon=True).start()

    def _end(self) -> None:
        self._process.kill()
        self._process.join()
        self._outbox.put(None)

    def _receive(self) -> list[object]:
        messages = []
        try:
            while self._connection.poll():
                messages.append(self._connection.recv())
        except (EOFError, OSError):
            self._is_dead = True
        return messages


class _PipeEnd:
    """The helper's side: a world whose other rank is at the end of a pipe."""

    rank = 1
    size = 2
    library = "none"

    def __init__(self, connection: Connection[Any, Any]) -> None:
        self.host = platform.node()
        self._connection = connection

    def send(self, message: object, to: int) -> None:
        """Send to rank 0."""
        self._connection.send(message)

    def receive(self) -> list[object]:
        """Take all messages that have arrived, possibly none."""
        messages = []
        while self._connection.poll():
            messages.append(self._connection.recv())
        return messages

    def dead(self) -> frozenset[int]:
        """Return nobody: the end of rank 0 raises `EOFError`."""
        return frozenset()

    def replace(self, rank: int) -> bool:
        """Refuse: there is nobody to replace."""
        return False

    def nap(self) -> None:
        """Wait for a message."""
        self._connection.poll(None)

    def leave(self) -> None:
        """Return at once."""

    def abort(self, exit_code: int) -> NoReturn:
        """End this process."""
        os._exit(exit_code)


def _post(connection: Connection[Any, Any], outbox: SimpleQueue[object]) -> None:
    """Send what is in the outbox, until nobody reads any more."""
    try:
        while True:
            connection.send(outbox.get())
    except OSError:
        return


def _serve(connection: Connection[Any, Any], prepare: Any) -> None:
    """Follow rank 0 until the end of either."""
    # A process that hangs would not notice the end of rank 0.
    end_with_parent()
    stop = StopRequest.install()
    try:
        follow(_PipeEnd(connection), prepare, stop.hear_again)
    except (EOFError, OSError):
        os._exit(Exit.INTERNAL)
