"""Scans that really run, and that tests share where they only look at them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
from launch import Launcher, environment, run_to_its_end

from commands.results import Job

PLUGINS = Path(__file__).parent / "plugins"
CONFIGS = Path(__file__).parents[2] / "configs"

Run = Callable[..., Job]


@pytest.fixture(scope="session")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Scan each configuration once: ``scan(path, "--set", "fit.starts=4", ranks=4, launcher=launch)``.

    Without a launcher the program runs alone, on one rank. Whoever asks for the same scan again gets the same files.
    """
    folder, done, numbers = tmp_path_factory.mktemp("scans"), {}, count()

    def run(config: Path, *options: str, ranks: int = 1, launcher: Launcher | None = None, timeout: float = 60) -> Job:
        key = (config, options, ranks, launcher)
        if key not in done:
            output = folder / f"{next(numbers)}.nc"
            command = ("-m", "hpcscan", config, "-o", output, *options)
            done[key] = _job(start(command, ranks, launcher, timeout=timeout), output)
        return done[key]

    return run


@pytest.fixture(scope="session")
def config(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Turn the text of a configuration into a file, one for each text; plugins are found beside it."""
    folder, paths = tmp_path_factory.mktemp("configs"), {}
    for plugin in PLUGINS.glob("*.py"):
        (folder / plugin.name).symlink_to(plugin)

    def write(text: str) -> Path:
        path = paths.setdefault(text, folder / f"scan{len(paths)}.yaml")
        path.write_text(text)
        return path

    return write


def start(
    command: tuple[object, ...],
    ranks: int = 1,
    launcher: Launcher | None = None,
    *,
    timeout: float = 60,
    cwd: Path | None = None,
    env: dict[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run python with these arguments, under mpirun where there is a launcher."""
    if launcher is not None:
        return launcher(ranks, *command, timeout=timeout, cwd=cwd, env=env)
    assert ranks == 1
    return run_to_its_end([sys.executable, *map(str, command)], timeout, environment(env or {}), cwd)


def _job(process: subprocess.CompletedProcess[str], output: Path) -> Job:
    return Job(process.returncode, process.stdout, process.stderr, output)
