"""Which process on which machine this is, and whether another one is still there."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Process:
    """A process, told apart from every other one, also from a later one with the same number.

    Attributes
    ----------
    host : str
        As people know the machine.
    machine : str
        The machine since it was switched on, and the part of it that numbers its own processes (a container).
    pid : int
    begun : str
        When it began, in the machine's own count; empty where that cannot be told.
    """

    host: str
    machine: str
    pid: int
    begun: str

    @classmethod
    def own(cls) -> Process:
        """Name this process."""
        return cls(platform.node(), machine(), os.getpid(), beginning(os.getpid()))

    def is_here(self) -> bool:
        """Tell whether it runs, or ran, where this process can see it."""
        return self.machine == machine()

    def is_alive(self) -> bool:
        """Tell whether it still runs; only where it `is_here`."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            # It is somebody else's, and /proc may hide it.
            return beginning(self.pid) in ("", self.begun)
        return beginning(self.pid) == self.begun


def machine() -> str:
    """Name this machine since it was switched on; where the system does not say, by its host name."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return platform.node()


def beginning(pid: int) -> str:
    """Say when a process began (proc(5), field 22 of stat); nothing where it is dead or the system does not tell."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    # The name of the program comes second, in parentheses, and may hold anything.
    state, *fields = text.rpartition(")")[2].split()
    return "" if state in "ZX" else fields[18]
