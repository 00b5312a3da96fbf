"""Where a result came from."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256

import pytest
import xarray
from toy_results import Rich, rich_grid

import hpcscan
from hpcscan.config.validated import Config, ModelChoice, PluginSource
from hpcscan.dataset import provenance
from hpcscan.dataset.provenance import git_commit
from hpcscan.dataset.writer import write_dataset
from hpcscan.settings import FitSettings, RunSettings

STARTED = datetime(2025, 3, 4, 5, 6, 7, tzinfo=timezone(timedelta(hours=2)))


def describe(plugin=None, **changes):
    choice = ModelChoice("toy", {}, plugin)
    config = Config(
        rich_grid(), choice, FitSettings(seed=7), RunSettings(), "out.nc", "scan:\n  beta: {values: [1.0]} # β\n"
    )
    run = {"ranks": 4, "mpi_library": "MPICH 5\nfor  tests", "started": STARTED, "argv": ["hpcscan", "a b.yaml"]}
    return provenance.attributes(config, Rich(), **(run | changes))


@pytest.fixture(autouse=True)
def no_epoch(monkeypatch):
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)


def test_facts_of_the_run():
    """Configuration, seed, ranks, library and command line are those of the run."""
    found = describe()
    assert found["Conventions"] == "CF-1.11 ACDD-1.3"
    assert found["hpcscan_schema"] == 2
    assert found["hpcscan_version"] == hpcscan.__version__
    assert found["hpcscan_seed"] == 7
    assert found["hpcscan_ranks"] == 4
    assert found["hpcscan_mpi_library"] == "MPICH 5 for tests"
    assert found["hpcscan_config_sha256"] == sha256(found["hpcscan_config"].encode()).hexdigest()
    assert found["history"] == "2025-03-04T03:06:07Z: hpcscan 'a b.yaml'"
    assert found["title"] == "Profile-likelihood scan of rich over beta, w, T"
    assert all(isinstance(value, str | int | float) and value != "" for value in found.values())


def test_libraries_are_named():
    names = [entry.split()[0] for entry in describe()["hpcscan_libraries"].split(", ")]
    assert names == ["python", "numpy", "mpi4py", "netCDF4", "HDF5"]


def test_a_library_that_is_not_installed_is_left_out(monkeypatch):
    def missing(name):
        raise provenance.PackageNotFoundError(name)

    monkeypatch.setattr(provenance, "version", missing)
    assert "mpi4py" not in describe()["hpcscan_libraries"]


def test_a_plugin_is_kept_whole():
    """The source of a plugin is in the file, with its hash; a built-in model has none."""
    found = describe(PluginSource("m.py", "M", "class M: ...\n"))
    assert found["hpcscan_plugin_source"] == "class M: ...\n"
    assert found["hpcscan_plugin_sha256"] == sha256(b"class M: ...\n").hexdigest()
    assert not [name for name in describe() if "plugin" in name]


def test_source_date_epoch_fixes_every_time(monkeypatch):
    """With SOURCE_DATE_EPOCH two runs have equal attributes, whenever they ran."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    first, second = describe(), describe(started=datetime(1999, 1, 1, tzinfo=UTC))
    assert first == second
    assert first["date_created"] == "1970-01-02T00:00:00Z"


@pytest.mark.parametrize("epoch", ["", "now", "-1", "9" * 30, "²"])
def test_a_wrong_epoch_is_ignored(monkeypatch, epoch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", epoch)
    assert describe()["history"].startswith("2025-03-04T03:06:07Z")


def test_the_commit_is_optional(monkeypatch):
    monkeypatch.setattr(provenance, "git_commit", lambda: None)
    assert "hpcscan_git_commit" not in describe()
    monkeypatch.setattr(provenance, "git_commit", lambda: "0" * 40)
    assert describe()["hpcscan_git_commit"] == "0" * 40


def test_attributes_survive_the_file(monkeypatch, tmp_path, grid, model, results):
    """What is said about a run is read back as it was said."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    said = describe(PluginSource("m.py", "M", "# β\nclass M: ...\n"))
    write_dataset(tmp_path / "scan.nc", grid, model, results, said)
    with xarray.open_dataset(tmp_path / "scan.nc") as opened:
        assert opened.attrs == said


# The commit ------------------------------------------------------------------------------------------------------


def git(directory, *arguments):
    identity = ("-c", "user.name=n", "-c", "user.email=e@x")
    done = subprocess.run(["git", "-C", directory, *identity, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path):
    git(tmp_path, "init", "-q", "main")
    git(tmp_path / "main", "commit", "-q", "--allow-empty", "-m", "first")
    return tmp_path / "main"


def test_the_commit_of_a_branch(repository):
    assert git_commit(repository) == git(repository, "rev-parse", "HEAD")


def test_the_commit_of_a_packed_branch(repository):
    git(repository, "tag", "-a", "v1", "-m", "v1")
    git(repository, "pack-refs", "--all")
    assert git_commit(repository) == git(repository, "rev-parse", "HEAD")


def test_the_commit_of_a_detached_head(repository):
    git(repository, "checkout", "-q", "--detach")
    assert git_commit(repository) == git(repository, "rev-parse", "HEAD")


def test_the_commit_of_a_linked_worktree(repository, tmp_path):
    git(repository, "worktree", "add", "-q", "-b", "side", tmp_path / "side")
    git(tmp_path / "side", "commit", "-q", "--allow-empty", "-m", "second")
    assert git_commit(tmp_path / "side") == git(tmp_path / "side", "rev-parse", "HEAD")
    assert git_commit(tmp_path / "side") != git_commit(repository)


def test_no_commit_where_there_is_none(tmp_path, repository):
    """Outside a checkout, below one, before the first commit and with a damaged one there is none, and no error."""
    (repository / "below").mkdir()
    git(tmp_path, "init", "-q", "empty")
    (repository / ".git" / "HEAD").write_bytes(b"\xff\xfe")
    assert [git_commit(p) for p in (tmp_path, repository / "below", tmp_path / "empty", repository)] == [None] * 4
