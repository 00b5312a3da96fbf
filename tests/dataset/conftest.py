"""Fixtures: the toy model, its grid and results."""

from __future__ import annotations

import pytest

from hpcscan.fitting.records import PointResults
from hpcscan.grid import Grid

from .toy import Toy, random_results, toy_grid


@pytest.fixture
def model() -> Toy:
    return Toy()


@pytest.fixture
def grid() -> Grid:
    return toy_grid()


@pytest.fixture
def results(model, grid) -> PointResults:
    return random_results(model, grid)
