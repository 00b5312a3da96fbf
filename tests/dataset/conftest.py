"""Fixtures: the toy model, its grid and results."""

from __future__ import annotations

import pytest
from toy_results import Rich, random_results, rich_grid

from hpcscan.fitting.records import PointResults
from hpcscan.grid import Grid


@pytest.fixture
def model() -> Rich:
    return Rich()


@pytest.fixture
def grid() -> Grid:
    return rich_grid()


@pytest.fixture
def results(model, grid) -> PointResults:
    return random_results(model, grid)
