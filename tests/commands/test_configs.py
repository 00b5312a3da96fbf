"""Every configuration that is shipped is planned and runs."""

from __future__ import annotations

import re

import pytest

from commands.conftest import CONFIGS
from hpcscan.commands.plan import plan
from hpcscan.config.read import read_config
from hpcscan.fitting.records import Status

NAMES = sorted(path.stem for path in CONFIGS.glob("*.yaml"))


def test_the_named_configurations_are_there():
    named = (
        "smoke sanity modest full published-bounds gradient-off electron-anchor beta-line w-line budget-50 budget-500"
    )
    assert {*named.split()} <= {*NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_configuration_runs(scan, name):
    """The whole grid converges, and the plan said how large it would be."""
    path = CONFIGS / f"{name}.yaml"
    grid = read_config(str(path)).grid
    assert re.search(rf"^points +{grid.n_points} ", plan(str(path), (), 1))
    job = scan(path)
    assert job.exit_code == 0, job.stderr
    result = job.result()
    assert result["chi2"].shape == grid.shape
    assert result.count(Status.CONVERGED) == grid.n_points
