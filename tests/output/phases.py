"""Jobs of a scan whose later phases, answer and toys, are done on any ranks, killed and resumed."""

from __future__ import annotations

from pathlib import Path

from commands.results import Result, different_variables, read

from output.jobs import running


def folder_with(path: Path, config: str, plugins: dict[str, str]) -> Path:
    """Make a folder of a configuration and its plugins."""
    path.mkdir()
    for name, text in ({"scan.yaml": config} | plugins).items():
        path.joinpath(name).write_text(text)
    return path


def run_alone(folder: Path) -> Path:
    """Do the scan on one rank, in one go."""
    with running("scan.yaml", cwd=folder) as job:
        code, text = job.end(120)
    assert code == 0, text
    return folder


def check_ranks(launch, folder: Path, ranks: int, alone: Result) -> None:
    """The same bytes on so many ranks."""
    job = launch(ranks, "-m", "hpcscan", "run", "scan.yaml", cwd=folder, timeout=180)
    assert job.returncode == 0, job.stderr
    assert different_variables(alone, read(folder / "out.nc")) == []


def check_killed_and_resumed(launch, folder: Path, alone: Result, begins: str, n_bytes: int) -> None:
    """The same bytes where two ranks are killed once a phase, of which the log tells, has kept so much."""
    journal, log = folder / "out.nc.journal", folder / "out.log"
    with running("scan.yaml", ranks=2, launcher=launch, cwd=folder) as job:
        assert job.wait_until(lambda: log.exists() and begins in log.read_text())
        begun = journal.stat().st_size
        assert job.wait_until(lambda: journal.stat().st_size > begun + n_bytes)
        job.kill()
    assert not (folder / "out.nc").exists()
    with running("scan.yaml", "--resume", ranks=3, launcher=launch, cwd=folder) as job:
        code, text = job.end(120)
    assert code == 0, text
    found = read(folder / "out.nc")
    assert different_variables(alone, found) == []
    assert found.about["hpcscan_complete"] == 1
