"""Surfaces whose answer is known in closed form: values, ends, errors, contours, refusals."""

from __future__ import annotations

import numpy as np
import pytest
from toy_models import SHAPES, ScalarSurface, Surface

from answer.asking import LEVELS, PAIR_LEVELS, ask
from hpcscan.answer.answer_arrays import numerical_error
from hpcscan.answer.surroundings import BestFitStanding

KINDS = pytest.mark.parametrize("kind", [Surface, ScalarSurface])
AXES = {
    "even": {"a": np.linspace(-2.5, 2.5, 6), "b": np.linspace(-2.5, 2.5, 6)},
    "exp": {"a": np.linspace(-1.5, 2, 9), "b": np.linspace(-3, 3, 7)},
    "log": {"a": np.geomspace(1e-6, 1e-2, 17), "b": np.linspace(-3, 3, 7)},
    "two": {"a": np.linspace(-3, 3, 7), "b": np.linspace(-3, 3, 7)},
    "plateau": {"a": np.linspace(-3, 3, 13), "b": np.linspace(-3, 3, 7)},
    "ring": {"a": np.linspace(-3, 3, 5), "b": np.linspace(-3, 3, 5)},
    "tilted": {"a": np.linspace(-3, 3, 5), "b": np.linspace(-2, 2, 5)},
}


def asked(shape, kind=Surface, **options):
    return ask(kind(shape), AXES[shape], has_contours=False, **options)


@KINDS
def test_best_fit_between_grid_points_is_found(kind):
    for shape, value in (("even", 0.0), ("exp", np.log(2)), ("log", 10**-4.1), ("tilted", 0.25)):
        found = asked(shape, kind, has_intervals=False)
        assert found.value("a") == pytest.approx(value, rel=1e-6, abs=1e-6), shape
        assert found.answer.minima.chi2[0] == pytest.approx(0, abs=1e-9), shape


@KINDS
def test_ends_are_those_of_the_closed_form(kind):
    """Every end is where Δχ² = level with all others free, to the tolerance of 1e-3 in Δχ²."""
    root = np.sqrt(np.array(LEVELS))
    truth = {
        "even": (-root, root),
        "exp": (np.log(np.maximum(2 - root * np.sqrt(0.5), 1e-9)), np.log(2 + root * np.sqrt(0.5))),
        "log": (10 ** (-4.1 - 0.4 * root), 10 ** (-4.1 + 0.4 * root)),
        "plateau": (-1 - root, 1 + root),
    }
    for shape, (lower, upper) in truth.items():
        found = asked(shape, kind)
        for level, low, up in zip(LEVELS, lower, upper, strict=True):
            [region] = found.regions("a", level)
            for end, value in ((region.lower, low), (region.upper, up)):
                if end.kind == "crossed":
                    place = found.natural("a", end.value)
                    height = SHAPES[shape](np.array(place), 0.0)[0] ** 2
                    assert height == pytest.approx(level, abs=1.001e-3), shape
                    assert place == pytest.approx(value, rel=2e-3), (shape, level)
                    about = found.answer.frame.coordinates[0]
                    assert abs(place - value) <= numerical_error(about.is_log, place, end) <= 2e-3 * abs(value)
                else:
                    edge = AXES[shape]["a"][0 if end is region.lower else -1]
                    assert end.kind == "grid"
                    assert found.natural("a", end.value) == pytest.approx(edge)
                    assert end.residual < 0


@KINDS
def test_both_regions_are_found_and_no_value_is_quoted_for_two_equal_minima(kind):
    found = asked("two", kind)
    half = np.sqrt(4 + np.array([-2, 2]) / 3)
    assert np.ravel(found.intervals("a", 1.0)) == pytest.approx([-half[1], -half[0], *half], rel=1e-4)
    assert found.answer.judgement.standing == BestFitStanding.SEVERAL_POINTS
    # In b both have one value.
    assert [*found.answer.errors] == [1]
    assert np.isnan(found.answer.covariance).all()


def test_a_large_offset_costs_no_digits():
    found = ask(Surface("offset"), {"a": 1e9 + np.linspace(-3, 3, 13), "b": np.linspace(-3, 3, 7)})
    assert found.value("a") - 1e9 == pytest.approx(0.3, abs=1e-6)
    assert found.error("a") == pytest.approx((-1, 1), abs=1e-5)
    assert max(line.error for line in found.answer.contours[0].lines) < 1e-3


def test_a_minimum_that_is_no_point_has_ends_and_no_value():
    for shape, determined in (("plateau", 1), ("ring", 0)):
        found = asked(shape)
        assert found.answer.judgement.standing == BestFitStanding.NOT_A_POINT
        assert f"determine {determined} of 2" in found.answer.judgement.sentence
        assert found.intervals("a", 1.0) == [pytest.approx((-2.1, 2.1) if shape == "ring" else (-2, 2), abs=1e-4)]
        assert [*found.answer.errors] == ([1] if shape == "plateau" else [])


def test_nothing_is_quoted_where_the_grid_ends_the_fall_or_nothing_changes():
    small = {"a": np.linspace(0, 1, 5), "b": np.linspace(0, 1, 5)}
    for shape, standing, words in (
        ("slope", BestFitStanding.AT_GRID_END, "a by 1.8e+03"),
        ("flat", BestFitStanding.FLAT, "determine 0 of 2"),
    ):
        found = ask(Surface(shape), small)
        assert found.answer.judgement.standing == standing
        assert words in found.answer.judgement.sentence
        assert not found.answer.lines and not found.answer.contours and not found.answer.errors


def test_a_declared_bound_is_no_end_of_the_grid():
    """One side is the bound with its multiplier; beyond the grid the fit goes on up to where it is declared."""
    found = ask(Surface("even", a=(0.5, 10), b=(-4, 4)), {"a": np.linspace(0.5, 2, 4), "b": np.linspace(-1, 1, 5)})
    assert found.answer.judgement.has_value
    assert found.value("a") == 0.5
    assert found.answer.around.multiplier[0] == pytest.approx(1.0)
    [region] = found.regions("a", 4.0)
    assert (region.lower.kind, region.upper.kind) == ("bound", "crossed")
    assert found.natural("a", region.upper.value) == pytest.approx(np.sqrt(4.25), abs=1e-3)
    assert found.intervals("b", 9.0) == [pytest.approx((-3, 3), abs=1e-3)]
    kinds = {line.level: line.ends for line in found.answer.contours[0].lines}
    assert kinds == dict.fromkeys(PAIR_LEVELS, ("bound", "bound"))


def test_ends_say_what_else_rests_on_the_end_of_the_grid():
    found = ask(Surface("tilted"), {"a": np.linspace(-1, 1, 5), "b": np.linspace(0, 0.5, 5)}, has_contours=False)
    [region] = found.regions("a", 4.0)
    assert region.upper.held == ("b",) or region.upper.kind == "grid"
    assert region.lower.held == ("b",)


@KINDS
def test_every_contour_is_on_its_level(kind):
    """χ² in closed form is at its level at every drawn point, between vertices too."""
    for shape in ("even", "exp", "two", "ring", "tilted"):
        found = ask(kind(shape), AXES[shape], has_intervals=False)
        lines = found.answer.contours[0].lines
        assert {line.level for line in lines} == set(PAIR_LEVELS)
        for line in lines:
            r1, r2 = SHAPES[shape](*line.vertices.T)
            assert np.abs(r1**2 + r2**2 - line.level).max() < 0.013, shape
            assert line.is_resolved and line.error <= 0.01
            assert line.is_closed == (line.ends == ("", ""))
            if line.is_closed:
                assert (line.vertices[0] == line.vertices[-1]).all()


def test_all_regions_of_a_contour_are_found():
    """Two rings in a coarse grid, and two islands."""
    for shape, n_lines in (("ring", 2), ("two", 2)):
        found = ask(Surface(shape), AXES[shape], has_intervals=False)
        for level in PAIR_LEVELS:
            assert sum(line.level == level for line in found.answer.contours[0].lines) == n_lines


def of(shape, a, b=(-3, 3, 5), **options):
    return ask(Surface(shape), {"a": np.linspace(*a), "b": np.linspace(*b)}, has_contours=False, **options)


def test_a_node_on_another_branch_is_found_out():
    """Along b two valleys of the banana compete; at the end of the grid the higher one is nearer to a point of it."""
    found = of("banana", (-2, 3, 5), (-1, 6, 5))
    [region] = found.regions("b", 9.0)
    assert (region.upper.kind, found.natural("b", region.upper.value)) == ("grid", 6)


def test_an_end_where_the_profile_jumps_is_found_from_its_lower_side():
    """A needle on a plateau: starts beside it do not see it, and slopes on both sides of its end vanish."""
    found = of("needle", (-3, 3, 5), most_boxes=5000)
    base, fine = found.answer.minima.chi2[0], np.linspace(0.1, 0.3, 40001)
    [(lower, upper)] = found.intervals("a", 1.0)
    assert 0.37 < lower < 0.4 < upper < 0.43
    for end in (lower, upper):
        r1, r2 = SHAPES["needle"](end, fine)
        assert (r1**2 + r2**2).min() - base == pytest.approx(1, abs=2e-3)


def test_an_end_at_a_step_is_the_step():
    found = of("step", (-2, 3, 6))
    [region] = found.regions("a", 1.0)
    assert found.natural("a", region.lower.value) == pytest.approx(0.3, abs=2e-6)
    assert region.lower.error <= 2e-5


@pytest.mark.parametrize(("shape", "unit"), [("small", 1e-30), ("large", 1e30)])
def test_units_of_any_size(shape, unit):
    found = of(shape, (-3 * unit, 5 * unit, 5))
    assert np.array(found.error("a")) / unit == pytest.approx([-1, 1], abs=1e-3)


def test_one_value_without_bounds_is_a_fixed_parameter():
    found = of("even", (0.5, 0.5, 1))
    assert found.answer.judgement.standing == BestFitStanding.POINT
    assert found.intervals("b", 1.0) == [pytest.approx((-1, 1), abs=1e-3)]
