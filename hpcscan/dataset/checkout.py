"""Which commit of hpcscan runs, read from the files of a git checkout: no process is started, for MPI may be up."""

from __future__ import annotations

from pathlib import Path


def git_commit(root: Path | None = None) -> str | None:
    """Name the commit that is checked out at `root`, or None where that cannot be told.

    Parameters
    ----------
    root : Path, optional
        A directory that holds ``.git``; the one that holds the package. A directory further up does not count: an
        installed package may lie inside somebody else's repository.
    """
    try:
        directory = _git_directory(root or Path(__file__).parents[2])
        head = (directory / "HEAD").read_text().strip()
        commit = _resolve(directory, head.removeprefix("ref: ")) if head.startswith("ref: ") else head
    except (OSError, ValueError):
        return None
    return commit if len(commit) >= 40 and all(c in "0123456789abcdef" for c in commit) else None


def _git_directory(root: Path) -> Path:
    """Find the repository's own directory; in a linked worktree ``.git`` is a file that names it."""
    place = root / ".git"
    if place.is_file():
        return root / place.read_text().strip().removeprefix("gitdir: ")
    return place


def _resolve(directory: Path, ref: str) -> str:
    """Read the commit of a branch, as a file of its own or among the packed ones."""
    common = directory / "commondir"
    shared = directory / common.read_text().strip() if common.is_file() else directory
    loose = shared / ref
    if loose.is_file():
        return loose.read_text().strip()
    lines = (shared / "packed-refs").read_text().splitlines()
    return next((line.split()[0] for line in lines if line.endswith(f" {ref}")), "")
