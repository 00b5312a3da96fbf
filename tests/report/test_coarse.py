"""A number between grid points is quoted only where the grid is fine enough to know it."""

import numpy as np
import pytest

import hpcscan
from hpcscan.analysis.profile_text import interval_text, minimum_text
from hpcscan.analysis.profiles import ProfileShape
from hpcscan.gate.gate import judge
from hpcscan.gate.numerical_criteria import numerical_criteria
from hpcscan.gate.verdict import verdict
from report.synthetic import GRID, good

WIDTH, CENTRE = 0.02, 3.103


def bowl_in_beta(beta, w):
    return 2 + ((beta - CENTRE) / WIDTH) ** 2 + ((w - 0.022) / 0.005) ** 2


def with_beta(values, folder, chi2=bowl_in_beta):
    return good(axes={**GRID, "beta": np.array(values)}, chi2=chi2, config="{}").findings(folder / "scan.nc")


def fine_enough(findings):
    return next(criterion for criterion in numerical_criteria(findings) if criterion.name == "grid fine enough")


def test_three_values_do_not_measure_an_interval_between_them(tmp_path):
    """The crossings are guessed: their numerical error is larger than the interval."""
    findings = with_beta([2.9, 3.1, 3.4], tmp_path)
    axis = findings.profiles.axes[0]
    assert axis.interval_error > axis.half_width
    assert fine_enough(findings).holds is False
    assert "beta: numerical error" in fine_enough(findings).found
    assert not findings.has_confidence
    assert [condition.name for condition in findings.conditions.missing] == ["the grid is fine enough"]
    assert verdict(findings).decision.startswith("The gate is closed and the numbers cannot be trusted yet")


@pytest.mark.parametrize("steps", [3, 6, 20])
def test_a_grid_that_steps_over_the_interval_has_none(tmp_path, steps):
    """Between the values of the grid, all of them above Δχ² = 1, a minimum is still interpolated."""
    beta = CENTRE + steps * WIDTH * (np.arange(-4, 5) + 0.37)
    findings = with_beta(beta, tmp_path)
    axis = findings.profiles.axes[0]
    assert axis.shape is ProfileShape.MEASURED
    assert axis.intervals[0] is None
    assert fine_enough(findings).found == "beta: no value of the grid is within delta chi2 = 1"
    assert interval_text(axis, None) == "not resolved: no value of the grid is below this level"
    assert not findings.has_confidence
    assert {"grid fine enough", "minimum in beta"} <= {criterion.name for criterion in judge(findings).failed}


def test_a_fine_grid_measures_it(tmp_path):
    """Position and ends differ from the closed form by no more than their numerical errors."""
    findings = with_beta(np.linspace(3.0, 3.2, 21), tmp_path)
    axis = findings.profiles.axes[0]
    assert fine_enough(findings).holds
    assert axis.position == pytest.approx(CENTRE, abs=axis.error + 1e-12)
    ends = axis.intervals[0]
    assert ends.lower.value == pytest.approx(CENTRE - WIDTH, abs=ends.lower.error + 1e-12)
    assert ends.upper.value == pytest.approx(CENTRE + WIDTH, abs=ends.upper.error + 1e-12)


@pytest.mark.parametrize("half", [0.03, 0.05])
def test_a_plateau_has_no_best_value(tmp_path, half):
    """χ² is the same at every value within `half` of the centre, and rises beyond."""

    def chi2(beta, w):
        return 2 + (np.maximum(np.abs(beta - 3.1) - half, 0) / WIDTH) ** 2 + ((w - 0.022) / 0.005) ** 2

    findings = with_beta(np.linspace(3.0, 3.2, 21), tmp_path, chi2)
    axis = findings.profiles.axes[0]
    assert axis.shape is ProfileShape.PLATEAU
    assert axis.lowest == pytest.approx((3.1 - half, 3.1 + half))
    assert minimum_text(axis).startswith(f"none: every value from {3.1 - half:.3f}")
    assert interval_text(axis, axis.intervals[0]).endswith("around no single minimum")
    assert not findings.has_confidence
    assert "minimum in beta" in [criterion.name for criterion in judge(findings).failed]


def test_two_equal_values_have_the_minimum_between_them(tmp_path):
    """Equal to the last bit, on both axes: the lowest point is a corner of the cell, the minimum its middle."""
    values = np.arange(-2.5, 3)
    surface = good(axes={"x": values, "y": values}, chi2=lambda x, y: 2 + x**2 + y**2, config="{}")
    findings = surface.findings(tmp_path / "scan.nc")
    assert findings.landscape.lowest_chi2 == 2.5
    assert findings.profiles.base == pytest.approx(2, abs=1e-9)
    for axis in findings.profiles.axes:
        assert axis.position == pytest.approx(0, abs=1e-9)
        ends = axis.intervals[0]
        assert (ends.lower.value, ends.upper.value) == pytest.approx((-1, 1), abs=1e-6)
        assert axis.is_quotable


def test_equal_values_on_a_very_fine_grid_are_a_minimum(tmp_path):
    """χ² does not change within the tie tolerance over many small steps; their width is the error of the place."""
    beta = CENTRE + WIDTH * np.linspace(-1.5, 1.5, 9001)
    surface = good(axes={"beta": beta}, chi2=lambda b: 2 + ((b - CENTRE) / WIDTH) ** 2, config="{}")
    findings = surface.findings(tmp_path / "scan.nc")
    axis = findings.profiles.axes[0]
    assert axis.lowest[0] < axis.lowest[1]
    assert axis.position == pytest.approx(CENTRE, abs=axis.error)
    assert axis.error < 2e-3 * WIDTH
    assert axis.is_quotable


def test_a_contour_within_one_cell_is_neither_drawn_nor_given(tmp_path):
    """The figure and Python show the same lines; a finer grid has it in both."""
    lines = []
    for n in (6, 61):
        values = np.linspace(-2.5, 2.5, n)
        surface = good(axes={"x": values, "y": values}, chi2=lambda x, y: 2 + 100 * (x**2 + y**2), config="{}")
        scan = hpcscan.open(surface.write(tmp_path / f"{n}.nc"))
        lines.append((len(scan.findings.planes[0].contours[0]), len(scan.contours("x", "y"))))
    assert lines == [(0, 0), (1, 1)]
