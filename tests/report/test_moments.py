"""What is said of masses with magnetic moments: nothing in it reads as a value of β."""

from __future__ import annotations

import numpy as np
import pytest

import hpcscan
from hpcscan.models.leptons.model import LeptonModel


def verdict(**options: str) -> str:
    model = LeptonModel(box="moments", moment="uniform", **options)
    grid = {"beta": np.array([1.5, 2.5, 3.1]), "w": [0.02]}
    return " ".join(str(hpcscan.scan(model, grid, starts=16, answer=False).verdict()).split())


@pytest.fixture(scope="module")
def floor() -> str:
    return verdict()


def test_the_floor_is_proven_and_its_bounds_are_named(floor: str) -> None:
    proven = "Proven at all 3 points: no parameters within these bounds can do better than what was found there, "
    assert f"{proven}chi2 = 705570.73" in floor
    assert "bounds set this floor, not the optimiser: tau.U at its lower bound 0.01" in floor
    assert "minimum in beta: none" in floor


def test_data_and_freedom_are_counted(floor: str) -> None:
    assert "freedom: 6 data for 6 profiled parameters, 2 profiled scales, 1 scanned parameter; bounds hold 3" in floor


def test_what_a_reader_has_to_know_of_the_model_is_said(floor: str) -> None:
    assert "A pure Hill vortex has no magnetic moment of its own" in floor
    assert "2.00118 looks like 2 + a, where g would be 2 + 2 a" in floor
    assert "moments determine neither beta nor w" in floor


def test_axes_that_bounds_lend_data_to_are_no_measurement() -> None:
    text = " ".join(str(hpcscan.scan(LeptonModel(box="published"), GRID, starts=4, answer=False).verdict()).split())
    assert "axes determined: 1 of 2, while bounds hold 6 parameters: no measurement" in text


GRID = {"beta": [3.0, 3.1], "w": [0.01, 0.02]}


def test_with_the_authors_convention_the_landscape_is_flat() -> None:
    text = verdict(convention="authors")
    assert "The landscape is flat, chi2 < 1e-06 at all 3 points" in text
    assert "the data do not determine beta" in text
