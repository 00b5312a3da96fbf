"""Jobs that are looked at, and killed, while they run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from launch import OPENMPI_ENVIRONMENT, Launcher, environment

#: Every process of a job is known by a variable of its environment.
MARK = "HPCSCAN_TEST_JOB"


class RunningJob:
    """A job in the background: mpirun, its helpers, and all ranks."""

    def __init__(self, ranks: int, launcher: Launcher | None, command: list[str], cwd: Path, env: Mapping[str, str]):
        self.mark = uuid4().hex
        extra = dict(OPENMPI_ENVIRONMENT) if launcher and launcher.mpi == "openmpi" else {}
        self.process = subprocess.Popen(
            launcher.command(ranks, *command) if launcher else [sys.executable, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=cwd,
            env=environment({**extra, **env, MARK: self.mark}),
            start_new_session=True,
        )

    def processes(self) -> list[int]:
        """Numbers of all its processes."""
        mark = f"{MARK}={self.mark}".encode()
        return [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/environ") if mark in _read(path)]

    def process_of(self, rank: int) -> int | None:
        """Number of the process of one rank of Open MPI's, if it lives."""
        mark = f"OMPI_COMM_WORLD_RANK={rank}".encode()
        found = [pid for pid in self.processes() if mark in _read(Path(f"/proc/{pid}/environ")).split(b"\0")]
        return found[0] if found else None

    def kill(self) -> None:
        """Kill -9 of everything at once."""
        while processes := self.processes():
            for pid in processes:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
        if self.process.stdout and not self.process.stdout.closed:
            self.process.communicate()

    def wait_until(self, condition: Callable[[], bool], timeout: float = 60.0) -> bool:
        """Wait for something to happen; False if the job ended before it."""
        end = time.monotonic() + timeout
        while not condition():
            if self.process.poll() is not None:
                return condition()
            if time.monotonic() > end:
                self.kill()
                pytest.fail(f"it did not happen within {timeout} s")
            time.sleep(0.005)
        return True

    def end(self, timeout: float = 60.0) -> tuple[int, str]:
        """Wait for its end: exit code and output."""
        output, _ = self.process.communicate(timeout=timeout)
        return self.process.returncode, output


@contextmanager
def running(
    *arguments: object,
    ranks: int = 1,
    launcher: Launcher | None = None,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    program: tuple[str, ...] = ("-m", "hpcscan"),
) -> Iterator[RunningJob]:
    """Run hpcscan, or another program, in the background; nothing of it is left afterwards."""
    job = RunningJob(ranks, launcher, [*program, *map(str, arguments)], cwd, env or {})
    try:
        yield job
    finally:
        job.kill()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
