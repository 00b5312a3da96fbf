"""Fixtures to run real MPI jobs, and the rule that nothing is skipped unseen."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from hypothesis import settings
from launch import MPIS, Launcher, environment, find_launcher, mpi_of, run_to_its_end

# Machines are shared and noisy, so no example has a deadline; in CI the examples are the same at every run.
settings.register_profile("hpcscan", deadline=None, derandomize=os.environ.get("CI") == "true")
settings.load_profile("hpcscan")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "mpi: starts an MPI job")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "launch" in getattr(item, "fixturenames", ()):
            item.add_marker("mpi")


@pytest.fixture(params=MPIS)
def launch(request: pytest.FixtureRequest) -> Launcher:
    """Run a program as an MPI job, once with each MPI: ``launch(4, "-m", "hpcscan", config, timeout=30)``.

    See :class:`launch.Launcher`. The interpreter that runs the tests brings one MPI; the variable
    ``HPCSCAN_OPENMPI_PYTHON`` (or ``HPCSCAN_MPICH_PYTHON``) names the interpreter of a second environment
    with hpcscan and the other one. hpcscan must be installed in both, or found through ``PYTHONPATH``.
    """
    return find_launcher(request.param)


@pytest.fixture(scope="session")
def own_mpi() -> Launcher:
    """The launcher of the MPI that this interpreter has."""
    mpi = mpi_of(sys.executable)
    if mpi == "none":
        pytest.skip("needs an MPI: pip install mpi4py mpich")
    return find_launcher(mpi)


@pytest.fixture
def alone() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a program on one rank without mpirun: ``alone("-m", "hpcscan", config, timeout=30, env={...}, cwd=...)``."""

    def run(
        *arguments: object, timeout: float = 60.0, env: dict[str, str] | None = None, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        return run_to_its_end([sys.executable, *map(str, arguments)], timeout, environment(env or {}), cwd)

    return run


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if not hasattr(report, "wasxfail"):
        _fail_if_skipped_in_ci(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _fail_if_skipped_in_ci(report)
    return report


def _fail_if_skipped_in_ci(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Where everything a test may need is installed on purpose, a skip is a mistake."""
    if report.skipped and os.environ.get("CI", "").lower() == "true":
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"skipped although CI is set: {reason}"
