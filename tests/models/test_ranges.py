"""Ranges of the lepton energies: they contain everything, and nothing more than rounding requires."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from proof.boxes import bounds, energies, exact_energy, magnitude, options, points, sample, vacuum
from toy_models import leptons

from hpcscan.model.problem import Problem
from hpcscan.models.leptons import energy_ranges
from hpcscan.models.leptons.energy import energy_parts
from hpcscan.models.leptons.energy_enclosure import Problems, enclose

PI = Fraction(Decimal("3.14159265358979323846264338327950288419716939937510"))
#: How far a range may reach beyond the energies, relative to the parts of which the extreme energy is made.
TIGHT = 1e-11


@settings(max_examples=100, deadline=None)
@given(options(), points, st.integers(0, 999))
def test_no_sample_of_the_box_falls_outside(chosen: dict[str, Any], point: np.ndarray, seed: int) -> None:
    model = leptons(**chosen)
    ranges = model.prediction_ranges(point)
    energy = energies(model, point, sample(model, 2000, seed)).total
    assert (ranges.lower <= energy).all()
    assert (energy <= ranges.upper).all()


@settings(max_examples=60, deadline=None)
@given(options(), points, st.integers(0, 999))
def test_exact_energies_lie_inside(chosen: dict[str, Any], point: np.ndarray, seed: int) -> None:
    """In rational arithmetic, for parameters inside and in the corners of the box."""
    model = leptons(**chosen)
    ranges = model.prediction_ranges(point)
    for parameters in sample(model, 4, seed):
        for lepton in range(3):
            energy = PI * exact_energy(model, point, parameters[3 * lepton : 3 * lepton + 3])
            assert Fraction(float(ranges.lower[0, lepton])) <= energy <= Fraction(float(ranges.upper[0, lepton]))


@settings(max_examples=60, deadline=None)
@given(options(), points, st.integers(0, 999))
def test_a_box_of_one_point_has_a_range_of_rounding_alone(chosen: dict[str, Any], point: np.ndarray, seed: int) -> None:
    x = sample(leptons(**chosen), 1, seed)[0]
    names = chosen["bounds"]
    model = leptons(**chosen | {"bounds": {name: (x[j], x[j]) for j, name in enumerate(names)}})
    ranges = model.prediction_ranges(point)
    for lepton in range(3):
        energy = PI * exact_energy(model, point, x[3 * lepton : 3 * lepton + 3])
        assert Fraction(float(ranges.lower[0, lepton])) <= energy <= Fraction(float(ranges.upper[0, lepton]))
    assert (ranges.upper - ranges.lower <= TIGHT * magnitude(energies(model, point, bounds(model)[:1]))).all()


#: Energies a thousand times the extreme one, on the same side of the range of radii: a deficit that nothing can end.
_FIXED_DEFICIT = {
    "frame": "stream",
    "eta": 0.0,
    "r_max": 2.5,
    "bounds": {"tau.R_c": (0.01, 2.0), "tau.U": (0.0, 0.0), "tau.A": (1.0, 1.0)},
}


@settings(max_examples=20, deadline=None)
@given(options(), points)
@example(_FIXED_DEFICIT, np.array([[0.5, 0.25]]))
@example(_FIXED_DEFICIT, np.array([[0.5, 0.001]]))
def test_ranges_are_attained(chosen: dict[str, Any], point: np.ndarray) -> None:
    """A grid that zooms into its lowest point comes as close to both ends as rounding lets it."""
    model = leptons(**chosen)
    ranges = model.prediction_ranges(point)
    for sign, end in ((1.0, ranges.lower), (-1.0, -ranges.upper)):
        for lepton in range(3):
            best, scale = zoom(model, point, lepton, sign)
            assert end[0, lepton] <= best
            assert end[0, lepton] == pytest.approx(best, rel=0, abs=TIGHT * scale)


def zoom(model: Problem, point: np.ndarray, lepton: int, sign: float) -> tuple[float, float]:
    """Search for the minimum of sign × E on grids that zoom into the lowest point of every sixth of the radii."""
    low, high = bounds(model)[:, 3 * lepton : 3 * lepton + 3]
    edges = np.linspace(low[0], high[0], 7)
    found = [zoom_between(model, point, sign, (low, high), sixth) for sixth in pairwise(edges)]
    return min(found)


def zoom_between(
    model: Problem, point: np.ndarray, sign: float, box: tuple[np.ndarray, np.ndarray], radii: tuple[float, float]
) -> tuple[float, float]:
    """Zoom from all values of U and A, between two radii; give the minimum and the sum of its parts."""
    left, right = (np.array([radius, *end[1:]]) for radius, end in zip(radii, box, strict=True))
    low, high = left, right
    for _ in range(18):
        R_c, A = np.linspace(left[0], right[0], 9), np.linspace(left[2], right[2], 9)
        U = np.unique(np.clip([low[1], 0.0, high[1]], low[1], high[1]))
        grid = [axis.ravel() for axis in np.meshgrid(R_c, U, A, indexing="ij")]
        e = energy_parts(vacuum(model, point), *(axis[:, None] for axis in grid))
        at = int(np.argmin(sign * e.total))
        lowest = np.array([axis[at] for axis in grid])
        step = (right - left) / 8
        left, right = np.maximum(lowest - 1.5 * step, low), np.minimum(lowest + 1.5 * step, high)
    return float(sign * e.total[at, 0]), float(magnitude(e)[at, 0])


def test_a_velocity_of_either_sign_reaches_zero() -> None:
    """U² is lowest inside the interval; with A = 0 allowed and a growing deficit energy, E = 0 is the exact minimum."""
    small = {"muon.R_c": (0.02, 0.05), "muon.U": (-0.1, 0.05), "muon.A": (0.0, 1.0)}
    ranges = leptons(bounds=small).prediction_ranges(np.array([[3.0, 0.01]]))
    fastest = leptons(bounds=small | {"muon.U": (0.1, 0.1)}).prediction_ranges(np.array([[3.0, 0.01]]))
    assert ranges.lower[0, 1] == 0.0
    assert ranges.upper[0, 1] == fastest.upper[0, 1]


def test_an_exhausted_budget_loosens_a_range_but_never_breaks_it(monkeypatch: pytest.MonkeyPatch) -> None:
    model, point = leptons(frame="laboratory"), np.array([[3.1, 0.015]])
    good = model.prediction_ranges(point)
    monkeypatch.setattr(energy_ranges, "MOST_DIVISIONS", 2)
    loose = model.prediction_ranges(point)
    assert (loose.lower <= good.lower).all()
    assert (loose.upper >= good.upper).all()
    assert (loose.upper - loose.lower > good.upper - good.lower).any()
    monkeypatch.setattr(energy_ranges, "MOST_DIVISIONS", 24)
    monkeypatch.setattr(energy_ranges, "MOST_PIECES", 3)
    fewer = model.prediction_ranges(point)
    assert (fewer.lower <= good.lower).all()
    assert (fewer.upper >= good.upper).all()


@settings(max_examples=20, deadline=None)
@given(options(), st.lists(points, min_size=2, max_size=9), st.data())
def test_a_row_has_the_same_bits_in_any_batch(
    chosen: dict[str, Any], rows: list[np.ndarray], data: st.DataObject
) -> None:
    model, batch = leptons(**chosen), np.concatenate(rows)
    together = model.prediction_ranges(batch)
    first = data.draw(st.integers(0, len(batch) - 1))
    some = model.prediction_ranges(batch[first:])
    alone = model.prediction_ranges(batch[first : first + 1])
    for side in ("lower", "upper"):
        whole = getattr(together, side)
        assert getattr(some, side).tobytes() == whole[first:].tobytes()
        assert getattr(alone, side).tobytes() == whole[first : first + 1].tobytes()


def test_the_end_of_a_monotone_piece_stands_for_all_of_it() -> None:
    """Its bound has the margin of the largest energies there, not just of those at the end."""
    row = np.ones(1)
    problems = Problems(10.0, "stream", 0.02 * row, row, 40 * row, row, 0.5 * row, 0.5 * row)
    left, right = 0.5 * row, 3.0 * row
    end, piece = enclose(problems, left, left, left, left), enclose(problems, left, left, left, right)
    widest = enclose(problems, right, right, right, right)
    assert piece.centre == end.centre
    assert (end.lower < end.centre - 100 * 2.0**-53 * end.magnitude).all()
    assert (piece.lower < end.centre - 100 * 2.0**-53 * widest.magnitude).all()
