"""The ranks of ``MPI.COMM_WORLD``: matched probes, naps, and ranks that die while the others live.

Under MPIs with fault tolerance (``mpirun --with-ft ulfm``) a dead rank shows as an error of some call. It is
acknowledged, so that calls which would match any rank go on, and remembered. Elsewhere the launcher ends the job.
"""

from __future__ import annotations

import platform
import time
from collections import deque
from collections.abc import Callable
from typing import NoReturn, TypeVar

from mpi4py import MPI

from hpcscan.parallel.world import Aborted, flush

# A nap starts below the shortest task worth sending, and not much above what it costs to look for a message; it
# doubles: a rank that has waited long is not needed soon. At the longest, 64 idle ranks together cost a quarter of
# one core.
SHORTEST_NAP = 100e-6
LONGEST_NAP = 10e-3

ValueT = TypeVar("ValueT")


class MpiWorld:
    """The ranks of a communicator that is used by nobody else; see :class:`hpcscan.parallel.world.World`."""

    def __init__(self, communicator: MPI.Intracomm, library: str) -> None:
        self._communicator = communicator
        self.rank = communicator.rank
        self.size = communicator.size
        self.library = library
        self.host = platform.node()
        self._sending: deque[MPI.Request] = deque()
        self._arriving: list[tuple[int, MPI.Request]] = []
        self._next_nap = SHORTEST_NAP
        self._dead: set[int] = set()

    def send(self, message: object, to: int) -> None:
        """Post a message, without waiting until it is received; to a dead rank, none."""
        self._forget_what_was_sent()
        if to not in self._dead:
            request = self._unless_dead(lambda: self._communicator.isend(message, dest=to))
            self._sending.extend([] if request is None else [request])

    def receive(self) -> list[object]:
        """Take all messages that have arrived, possibly none; those of one sender in the order sent."""
        self._forget_what_was_sent()
        # Matching is not receiving: the rest of a large message moves only while its sender is inside
        # MPI, and that may be a whole task later.
        while (matched := self._unless_dead(self._match)) is not None:
            self._arriving.append(matched)

        messages: list[object] = []
        incomplete: list[tuple[int, MPI.Request]] = []
        for sender, request in self._arriving:
            # A small message must not overtake a large one from the same sender.
            behind = any(sender == other for other, _ in incomplete)
            outcome = (False, None) if behind else self._unless_dead(request.test)
            if outcome is None:
                continue
            complete, message = outcome
            if complete:
                messages.append(message)
            else:
                incomplete.append((sender, request))
        self._arriving = incomplete
        if messages:
            self._next_nap = SHORTEST_NAP
        return messages

    def dead(self) -> frozenset[int]:
        """Return the ranks that are known to have died."""
        return frozenset(self._dead)

    def replace(self, rank: int) -> bool:
        """Refuse: a rank of MPI's cannot be started again."""
        return False

    def nap(self) -> None:
        """Sleep a little, and longer with every nap since the last message."""
        time.sleep(self._next_nap)
        self._next_nap = min(2 * self._next_nap, LONGEST_NAP)

    def leave(self) -> None:
        """Wait until everything sent to ranks that live has left this one."""
        flush()
        while self._sending:
            self._forget_what_was_sent()
            self.nap()

    def abort(self, exit_code: int) -> NoReturn:
        """End every rank of the job at once."""
        if self.size == 1:
            raise Aborted(exit_code)
        flush()
        self._communicator.Abort(exit_code)

    def _match(self) -> tuple[int, MPI.Request] | None:
        status = MPI.Status()
        # Workers hear rank 0 alone, so that the death of another worker is not their affair.
        source = MPI.ANY_SOURCE if self.rank == 0 else 0
        # MPICH looks for a message first and lets messages in afterwards: only a second miss means none.
        matched = self._communicator.improbe(source, status=status) or self._communicator.improbe(source, status=status)
        return None if matched is None else (status.Get_source(), matched.irecv())

    def _forget_what_was_sent(self) -> None:
        while self._sending and self._unless_dead(self._sending[0].Test) is not False:
            self._sending.popleft()

    def _unless_dead(self, call: Callable[[], ValueT]) -> ValueT | None:
        """Return what the call returns, or None if it fails because a rank has died."""
        try:
            return call()
        except MPI.Exception as error:
            # Libraries without fault tolerance have no such error of their own.
            if error.Get_error_class() != MPI.ERR_PROC_FAILED or MPI.ERR_PROC_FAILED == MPI.ERR_UNKNOWN:
                raise
        failed = self._communicator.Get_failed()
        self._communicator.Ack_failed()
        places = list(range(failed.size))
        self._dead.update(failed.Translate_ranks(places, self._communicator.group))
        return None
