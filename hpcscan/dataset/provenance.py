"""Where a result came from: the global attributes of its file."""

from __future__ import annotations

import json
import os
import platform
import shlex
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from hpcscan.config.validated import Config, PluginSource
from hpcscan.dataset.netcdf import library_versions
from hpcscan.dataset.variables import has_counts
from hpcscan.likelihood.terms import Terms
from hpcscan.model.problem import Problem
from hpcscan.version import __version__

#: Version of the names and meanings in a result file; a reader refuses what it does not know.
SCHEMA = 2
CONVENTIONS = "CF-1.11 ACDD-1.3"


def attributes(  # noqa: PLR0913  (each is one fact of the run)
    config: Config, model: Problem, *, ranks: int, mpi_library: str, started: datetime, argv: Sequence[str]
) -> dict[str, str | int | float]:
    """Describe a run: the configuration, the program and the machine that made a result.

    Parameters
    ----------
    ranks : int
        Number of MPI ranks.
    mpi_library : str
        As the library names itself.
    started : datetime
        With its time zone. ``SOURCE_DATE_EPOCH`` takes its place, and that of the present, where it is set.
    argv : sequence of str
        The command line.
    """
    return {
        **_discovery(config, model),
        "source": f"hpcscan {__version__}",
        # CF's own words first, then what only hpcscan reads.
        "history": f"{_timestamp(started)}: {shlex.join(argv)}",
        "date_created": _timestamp(datetime.now(UTC)),
        "hpcscan_schema": SCHEMA,
        "hpcscan_version": __version__,
        "hpcscan_config": config.resolved,
        "hpcscan_config_sha256": _hash(config.resolved),
        "hpcscan_seed": config.fit.seed,
        "statistic": _statistic(model),
        "precision": config.fit.precision or 0.0,
        "precision_floor": config.fit.precision_floor,
        "rows_per_call": "any" if model.batch_invariant else model.rows_per_call,
        "data_size": Terms.of(model).size,
        **_plugin(config.model.plugin),
        "hpcscan_mpi_library": " ".join(mpi_library.split()),
        "hpcscan_ranks": ranks,
        "hpcscan_libraries": ", ".join(f"{name} {number}" for name, number in _versions().items()),
        **_commit(),
    }


def _statistic(model: Problem) -> str:
    """Return the name of what `chi2` holds."""
    if model.is_scalar:
        return "-2 ln L"
    return "deviance" if has_counts(model) else "chi2"


def _discovery(config: Config, model: Problem) -> dict[str, str]:
    """Return what a catalogue of datasets shows (ACDD)."""
    axes = ", ".join(axis.name for axis in config.grid.axes) or "nothing: one fit"
    name = model.title or config.model.name
    return {
        "Conventions": CONVENTIONS,
        "title": f"Profile-likelihood scan of {name} over {axes}",
        "summary": (
            f"Profile chi-squared of {name} at every point of a grid over {axes}: {len(model.parameters)} parameters "
            f"minimised against {len(model.observables)} observables, with a convergence record for every point."
        ),
        "keywords": "profile likelihood, chi-squared, parameter scan",
        **({"comment": " ".join(model.notes)} if model.notes else {}),
    }


def _plugin(plugin: PluginSource | None) -> dict[str, str]:
    if plugin is None:
        return {}
    about = {"hpcscan_plugin_source": plugin.text, "hpcscan_plugin_sha256": _hash(plugin.text)}
    if plugin.modules:
        about["hpcscan_plugin_modules"] = json.dumps([[name, text] for name, _, text in plugin.modules])
    return about


def _commit() -> dict[str, str]:
    commit = git_commit()
    return {} if commit is None else {"hpcscan_git_commit": commit}


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in ("numpy", "mpi4py"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found | library_versions()


def computing_platform() -> str:
    """Format what the last bits of a result depend on: numpy and the processor."""
    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text().splitlines() if cpu.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"numpy {version('numpy')}, {names[0] if names else platform.machine()}"


def _timestamp(moment: datetime) -> str:
    """Write a time as ISO 8601 in UTC; https://reproducible-builds.org/specs/source-date-epoch/."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    # A wrong value must not cost a finished scan: the clock serves as well.
    if epoch.isascii() and epoch.isdigit() and len(epoch) <= 11:
        moment = datetime.fromtimestamp(int(epoch), UTC)
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _hash(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def git_commit(root: Path | None = None) -> str | None:
    """Return the commit that is checked out at `root`, or None where that cannot be told.

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
    # A linked worktree keeps its branches in the repository that it belongs to.
    common = directory / "commondir"
    shared = directory / common.read_text().strip() if common.is_file() else directory
    loose = shared / ref
    if loose.is_file():
        return loose.read_text().strip()
    lines = (shared / "packed-refs").read_text().splitlines()
    return next((line.split()[0] for line in lines if line.endswith(f" {ref}")), "")
