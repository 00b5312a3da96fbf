"""One run at a time on one output: a small file beside it that names the run, and that a live run touches.

Made by exclusive creation, which every file system offers; the locks of fcntl and flock are not on all.
"""

from __future__ import annotations

import json
import os
import platform
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from hpcscan.dataset.replacing import create_new, temporary_path
from hpcscan.errors import UsageError
from hpcscan.output.destination import is_there, refuse_other_lock

#: Seconds between touches.
HEARTBEAT = 30.0
#: A run on another machine is dead when its lock has not been touched for so long.
STALE = 300.0
#: A lock without content is that of a run that died while it wrote it; a live one takes microseconds.
STALE_WHEN_EMPTY = 5.0
#: Bytes of a lock that are read, and what no number of a process reaches; the file may be anybody's.
LONGEST, LARGEST_PID = 10_000, 2**31


@dataclass(frozen=True)
class Owner:
    """The run that has a lock.

    Attributes
    ----------
    since : str
        In UTC.
    job, restart : str
        Of Slurm: the job's number, and how often it was requeued. Empty elsewhere.
    """

    process: Process
    since: str
    job: str
    restart: str

    @classmethod
    def own(cls) -> Owner:
        """Describe this run."""
        since = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        environ = os.environ
        return cls(Process.own(), since, environ.get("SLURM_JOB_ID", ""), environ.get("SLURM_RESTART_COUNT", ""))

    def __str__(self) -> str:
        job = f", Slurm job {self.job}" if self.job else ""
        return f"process {self.process.pid} on {self.process.host}{job}, since {self.since}"

    def is_of_earlier_start(self) -> bool:
        """Whether this very job wrote it before it was requeued: that run has ended."""
        own = Owner.own()
        return bool(self.job) and self.job == own.job and self.restart != own.restart


@dataclass(frozen=True)
class Lock:
    """A lock as it was found.

    Attributes
    ----------
    text : str
        The file, whole.
    owner : Owner or None
        None where the file does not say.
    age : float
        Seconds since it was last touched, by the clock of the file system; 0 where its process can be asked.
    """

    text: str
    owner: Owner | None
    age: float

    def is_stale(self) -> bool:
        """Whether the run that made it is dead."""
        if self.owner is None:
            return self.age > STALE_WHEN_EMPTY
        # The system knows for certain; only of other machines the age has to tell.
        if self.owner.process.is_here():
            return not self.owner.process.is_alive()
        return self.age > STALE or self.owner.is_of_earlier_start()


def read_lock(path: Path) -> Lock | None:
    """Look at a lock without touching it; None where there is none."""
    if not is_there(path) or path.is_symlink():
        return None
    try:
        text, touched = _read(path), path.stat().st_mtime
    except FileNotFoundError:
        return None
    # The file system's clock counts, and only where the process cannot be asked.
    owner = _owner(text)
    can_ask = owner is not None and owner.process.is_here()
    return Lock(text, owner, 0.0 if can_ask else _now(path) - touched)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock, and keep it fresh.

    Raises
    ------
    UsageError
        Where another run holds it, or it cannot be written.
    """
    text = json.dumps(asdict(Owner.own()))
    try:
        _take(path, text)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}; choose another output with -o") from error
    done = threading.Event()
    # A thread of its own, because rank 0 may spend hours in one task.
    heart = threading.Thread(target=_beat, args=(path, done), daemon=True)
    heart.start()
    try:
        yield
    finally:
        done.set()
        heart.join()
        with suppress(OSError):
            # Somebody may have removed it and begun a run of their own.
            if path.read_text() == text:
                path.unlink()


def _take(path: Path, text: str) -> None:
    try:
        _create(path, text)
    except FileExistsError:
        _clear(path)
        try:
            _create(path, text)
        except FileExistsError:
            raise UsageError(_refusal(path, read_lock(path))) from None


def _create(path: Path, text: str) -> None:
    """Write a file that must not be there yet."""
    with path.open("x") as file:
        file.write(text)


def _clear(path: Path) -> None:
    """Remove a stale lock, and no other."""
    refuse_other_lock(path)
    lock = read_lock(path)
    if lock is None:
        return
    if not lock.is_stale():
        raise UsageError(_refusal(path, lock))
    # Moved first and looked at again: of two runs that find the same stale lock, the slower one must not remove the
    # lock of the faster one.
    aside = temporary_path(path)
    with suppress(FileNotFoundError):
        path.rename(aside)
        if _read(aside) != lock.text:
            with suppress(OSError):
                # Put back: it was the lock of a run that has just begun.
                os.link(aside, path)
        aside.unlink()


def _beat(path: Path, done: threading.Event) -> None:
    while not done.wait(HEARTBEAT):
        with suppress(OSError):
            os.utime(path)


def _refusal(path: Path, lock: Lock | None) -> str:
    output = path.with_suffix("")
    if lock is None or lock.owner is None:
        return f"output {output}: another run is just beginning there ({path}); choose another output with -o"
    text = f"output {output}: another run is writing it, {lock.owner}; let it finish, or choose another output with -o"
    if lock.owner.process.is_here():
        return text
    return (
        f"{text}. It was last heard of {lock.age:.0f} s ago and counts as dead after {STALE:.0f} s; "
        f"if you know that it is dead, remove {path}"
    )


def _read(path: Path) -> str:
    with path.open(errors="replace") as file:
        return file.read(LONGEST)


def _owner(text: str) -> Owner | None:
    try:
        entries = json.loads(text)
        owner = Owner(**{**entries, "process": Process(**entries["process"])})
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    process = owner.process
    texts = (owner.since, owner.job, owner.restart, process.host, process.machine, process.begun)
    # Anybody may have written the file.
    is_sound = all(isinstance(one, str) for one in texts) and type(process.pid) is int and 0 < process.pid < LARGEST_PID
    return owner if is_sound else None


def _now(path: Path) -> float:
    """Ask the file system for the time: the clocks of two machines may differ."""
    probe = temporary_path(path)
    try:
        create_new(probe)
        now = probe.stat().st_mtime
        probe.unlink()
    except OSError:
        return datetime.now(UTC).timestamp()
    return now


@dataclass(frozen=True)
class Process:
    """A process, told apart from every other one, also from a later one with the same number.

    Attributes
    ----------
    host : str
        As people know the machine.
    machine : str
        The machine since it was switched on, and the part of it that numbers its own processes (a container).
    begun : str
        When it began, in the machine's own count; empty where that cannot be told.
    """

    host: str
    machine: str
    pid: int
    begun: str

    @classmethod
    def own(cls) -> Process:
        """Return this process."""
        return cls(platform.node(), machine(), os.getpid(), beginning(os.getpid()))

    def is_here(self) -> bool:
        """Whether it runs, or ran, where this process can see it."""
        return self.machine == machine()

    def is_alive(self) -> bool:
        """Whether it still runs; only where it `is_here`."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            # It is somebody else's, and /proc may hide it.
            return beginning(self.pid) in ("", self.begun)
        return beginning(self.pid) == self.begun


def machine() -> str:
    """Return the name of this machine since it was switched on; where the system does not say, by its host name."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return platform.node()


def beginning(pid: int) -> str:
    """Return when a process began (proc(5), field 22 of stat); nothing where it is dead or the system does not tell."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    # The name of the program comes second, in parentheses, and may hold anything.
    state, *fields = text.rpartition(")")[2].split()
    return "" if state in "ZX" else fields[18]
