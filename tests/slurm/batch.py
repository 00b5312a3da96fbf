"""What a user of Slurm does: submit jobs, look at them, signal them."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from launch import OPENMPI_ENVIRONMENT, environment

ROOT = Path(__file__).parents[2]
#: Seconds; on an idle machine a job ends in a tenth of it.
PATIENCE = 120.0
ENDED = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL")


@dataclass(frozen=True)
class Batch:
    """A cluster, as its user sees it.

    Attributes
    ----------
    configuration : Path
        What `SLURM_CONF` names.
    """

    configuration: Path

    def run(self, folder: Path, *command: str, **variables: str) -> str:
        """Run a command in a folder; give what it says. It must succeed."""
        source = f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
        extra = {"SLURM_CONF": str(self.configuration), "PYTHONPATH": source, "ACTIVATE": "./activate"}
        answer = subprocess.run(
            command,
            cwd=folder,
            env=environment({**OPENMPI_ENVIRONMENT, **extra, **variables}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        assert answer.returncode == 0, answer.stdout + answer.stderr
        return answer.stdout

    def submit(self, folder: Path, *arguments: str, **variables: str) -> int:
        """Submit a job: its number."""
        return int(self.run(folder, "sbatch", "--parsable", *arguments, **variables))

    def facts(self, job: int) -> dict[str, str]:
        """What Slurm knows about a job."""
        text = self.run(Path.cwd(), "scontrol", "show", "job", str(job), "--oneliner")
        return dict(re.findall(r"(\S+?)=(\S*)", text))

    def state(self, job: int) -> str:
        return self.facts(job)["JobState"]

    def signal(self, job: int, name: str = "USR1") -> None:
        """Send a signal to the shell of a job, as Slurm does before the limit."""
        self.run(Path.cwd(), "scancel", f"--signal={name}", "--batch", str(job))

    def is_requeued(self, job: int) -> bool:
        """Whether it waits for the two minutes to be over after which Slurm starts a requeued job again."""
        facts = self.facts(job)
        return facts["JobState"] == "PENDING" and facts["Reason"] == "BeginTime"

    def start(self, job: int) -> None:
        """Spare a requeued job those two minutes.

        Not the first second: permissions to begin a job are revoked with all others of the same second.
        """
        self.run(Path.cwd(), "scontrol", "update", f"JobId={job}", "StartTime=now+1")

    def end(self, job: int) -> str:
        """Wait for the end of a job, however often it is requeued: its state and exit code."""

        def has_ended() -> bool:
            if self.is_requeued(job):
                self.start(job)
            return self.state(job) in ENDED

        self.wait(has_ended, job)
        facts = self.facts(job)
        return f"{facts['JobState']} {facts['ExitCode']}"

    def wait(self, condition: Callable[[], bool], job: int) -> None:
        """Wait for something to happen to a job."""
        end = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > end:
                pytest.fail(f"it did not happen within {PATIENCE} s: {self.facts(job)}\n{self.log(job)}")
            time.sleep(0.2)

    def log(self, job: int) -> str:
        """What a job has said, in all its attempts."""
        path = Path(self.facts(job)["StdOut"])
        return path.read_text() if path.exists() else ""

    def attempts(self, job: int) -> int:
        """How often a job has begun."""
        return int(self.facts(job)["Restarts"]) + 1
