"""Levels are called confidence levels only where every condition holds; otherwise the text says which fails."""

import numpy as np
import pytest
from report.synthetic import GRID, bowl, good

from hpcscan.analysis.goodness import Freedom, freedom_lines
from hpcscan.analysis.interval import End, Interval
from hpcscan.analysis.planes import levels
from hpcscan.analysis.profile_text import interval_text
from hpcscan.analysis.profiles import ProfileShape
from hpcscan.fitting.records import Status
from hpcscan.gate.numerical_criteria import numerical_criteria
from hpcscan.gate.verdict import confidence_sentence, verdict
from hpcscan.grid import Grid, GridAxis
from hpcscan.report.result_tables import interval_table
from hpcscan.words.numbers import place, rounded


def test_all_conditions_hold(tmp_path):
    findings = good(n_data=8).findings(tmp_path / "scan.nc")
    assert findings.has_confidence
    assert confidence_sentence(findings) == "The levels of delta chi2 are confidence levels: all conditions hold"
    rows = interval_table(findings).rows
    assert ("beta", "1σ, 68.27 % (Δχ² = 1)", "3.1030 ± 0.0200 (numerical error 5e-08)")[:2] in [row[:2] for row in rows]


def bound(results):
    near = results.chi2 < 9
    results.bound_multiplier[near, 0], results.at_bound[near, 0] = 3.0, -1


def far_bound(results):
    results.bound_multiplier[results.chi2 > 20, 0] = 3.0


def gap(results):
    results.chi2_lower_bound[np.argmin(results.chi2)] -= 0.1


def failed(results):
    results.status[5], results.chi2[5] = Status.FAILED, np.nan


@pytest.mark.parametrize(
    ("changes", "n_axes", "condition"),
    [
        ({"spoil": failed}, 2, "every point converged"),
        ({"chi2": bowl(floor=40)}, 2, "chi2 is acceptable"),
        ({}, 1, "determine the axes"),
        ({"spoil": bound}, 2, "no bound is inside"),
        ({"spoil": gap}, 2, "are the minima"),
        ({"chi2": lambda beta, w: 2 + ((beta - 3.1) / 0.02) ** 2 + 0 * w}, 2, "a minimum in every axis"),
    ],
)
def test_one_condition_fails_and_is_named(tmp_path, changes, n_axes, condition):
    findings = good(n_data=8, n_determined=n_axes, **changes).findings(tmp_path / "scan.nc")
    assert not findings.has_confidence
    failing = [c.name for c in findings.conditions.missing]
    assert len(failing) == 1
    assert condition in failing[0]
    assert failing[0] in confidence_sentence(findings)
    assert not any("%" in row[1] or "σ" in row[1] for row in interval_table(findings).rows)


def test_the_reason_against_the_levels_is_told_as_what_is_not_fulfilled(tmp_path):
    """Of a single point no criterion asks for a minimum, and the gate is open."""
    axes = {"beta": np.array([3.1]), "w": np.array([0.022])}
    decision = verdict(good(axes=axes, n_data=8, spoil=bound).findings(tmp_path / "scan.nc")).decision
    reason = "no confidence levels; not fulfilled: no bound is inside the contour (active among 1 point: "
    assert reason in decision


def test_a_bound_outside_the_contour_does_not_matter(tmp_path):
    assert good(n_data=8, spoil=far_bound).findings(tmp_path / "scan.nc").has_confidence


@pytest.mark.parametrize(("n_determined", "expected"), [(2, True), (1, None), (0, False)])
def test_of_axes_with_one_value_no_more_is_said_than_is_known(tmp_path, n_determined, expected):
    """Of two axes, one scanned: the file counts both."""
    axes = {"beta": GRID["beta"], "w": np.array([0.022])}
    findings = good(axes=axes, n_data=8, n_determined=n_determined).findings(tmp_path / "scan.nc")
    assert findings.freedom.has_identified_axes is expected
    assert findings.conditions.identified.holds is expected
    assert findings.has_confidence is (expected is True)


def test_without_certificate_agreement_is_enough_and_is_called_so(tmp_path):
    findings = good(n_data=8, has_certificate=False).findings(tmp_path / "scan.nc")
    assert findings.has_confidence
    assert "not proven" in findings.conditions.minimal.text


def test_the_count_of_the_status_report():
    """3 constraints; 9 + 2 parameters, 12 with the scale; rank 2, 7 flat directions."""
    freedom = Freedom(3, 9, 0, 1, 2, (2, 2), (7, 7), (0, 0), 0)
    text = dict(freedom_lines(freedom))
    assert text["data"] == "3 data"
    assert text["parameters"] == "11 = 9 profiled + 2 scanned"
    assert text["with the scale"] == "12"
    assert text["rank"].startswith("2 (3 with the scale)")
    assert text["flat directions"].startswith("7")
    assert text["scanned axes"].startswith("0 of 2 (the axes raise the rank of the Jacobian by 0; ")
    assert text["scanned axes"].endswith("3 data leave room for 0)")


@pytest.mark.parametrize(
    ("n_constraints", "data"),
    [(0, "uncounted data of a likelihood"), (1, "uncounted data of a likelihood and 1 constraint")],
)
def test_constraints_of_a_likelihood_are_not_all_its_data(n_constraints, data):
    """What its data leave room for is not known, nor whether a bound lends any."""
    freedom = Freedom(n_constraints, 3, 0, 0, 1, (2, 2), (0, 0), (1, 1), 1, is_counted=False)
    assert freedom.text.startswith(f"{data} for 3 profiled parameters")
    assert dict(freedom_lines(freedom))["data"] == data
    assert freedom.axes_text == "1 of 1 (the axes raise the rank of the Jacobian by 1)"


@pytest.mark.parametrize("name", ["n_flat_directions", "n_determined_axes"])
def test_a_count_that_nobody_knows_is_told_as_such(tmp_path, name):
    """No derivative was finite at the lowest point: no rank, no confidence."""

    def spoil(results):
        getattr(results, name)[np.argmin(results.chi2)] = -1

    findings = good(n_data=8, spoil=spoil).findings(tmp_path / "scan.nc")
    assert dict(freedom_lines(findings.freedom))["rank"] == "not known"
    assert "a derivative at the lowest one is not finite" in findings.freedom.axes_text
    assert not findings.has_confidence


def test_levels_state_their_sigma_only_as_confidence_levels():
    assert [level.name for level in levels(2, False)] == ["Δχ² = 2.30", "Δχ² = 6.18", "Δχ² = 11.83"]
    assert levels(1, True)[1].name == "2σ, 95.45 % (Δχ² = 4)"


def interval_row(findings, axis, row):
    return [text for name, _, text in interval_table(findings).rows if name == axis][row]


@pytest.mark.parametrize(
    ("chi2", "shape", "words"),
    [
        (lambda b, w: 2 + 0 * w, ProfileShape.FLAT, "every value of the grid is as good"),
        (lambda b, w: 2 - b + 0 * w, ProfileShape.EDGE, "not limited within the grid"),
        (lambda b, w: 2 + 900 * (3.25 - b) + 0 * w, ProfileShape.EDGE, "upper edge; reached 0.0011 before it"),
        (
            lambda b, w: 2 + ((b - 3.22) / 0.06) ** 2 + 0 * w,
            ProfileShape.MEASURED,
            "beta > 3.16000, open towards the upper",
        ),
        (lambda b, w: 2 + 9 * (np.exp((b - 3.1) / 0.1) - 1 - (b - 3.1) / 0.1) + 0 * w, ProfileShape.MEASURED, "−0."),
    ],
)  # fmt: skip
def test_intervals_in_words(tmp_path, chi2, shape, words):
    findings = good(chi2=chi2).findings(tmp_path / "scan.nc")
    profile = findings.profiles.axes[0]
    assert profile.shape is shape
    assert words in interval_row(findings, "beta", 1)


@pytest.mark.parametrize(
    ("reasons", "words"),
    [
        (("edge", "edge"), " within the grid"),
        (("bound", "bound"), " within the declared bounds"),
        (("bound", "edge"), " within the grid and the declared bounds"),
        (("bound", "hole"), ": points are missing"),
    ],
)
def test_an_interval_without_ends_says_where_they_were_looked_for(tmp_path, reasons, words):
    profile = good().findings(tmp_path / "scan.nc").profiles.axes[0]
    lower, upper = (End(np.nan, np.nan, reason) for reason in reasons)
    assert interval_text(profile, Interval(9.0, lower, upper, 0)) == f"not limited{words}"


@pytest.mark.parametrize(("sigma", "name"), [(0.005, "sharp"), (0.02, "neither flat nor sharp"), (0.07, "flat")])
def test_the_width_is_flat_or_sharp_by_the_rule_of_the_report(tmp_path, sigma, name):
    fine = {**GRID, "beta": np.linspace(2.95, 3.25, 61)}
    surface = good(axes=fine, chi2=lambda b, w: 2 + ((b - 3.1) / sigma) ** 2 + 0 * w)
    assert surface.findings(tmp_path / "scan.nc").profiles.axes[0].width_class == name


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (-1e-9, 0.02, "0.000"),
        (3.14159, 0.02, "3.142"), (3.14159, 0.0021, "3.1416"), (1234.5678, 3.0, "1,234.6"), (0.0, 0.1, "0.00"),
        (2.0 / 3, 0.0, "0.66666667"), (float("nan"), 1.0, "not known"),
        (12345678.9, 1e-3, "12,345,678.9000"), (1e9 + 0.3, 0.2, "1,000,000,000.30"),
        (1e9 + 0.3, 1e-9, "1,000,000,000.30000"),
        (0.9999999e-30, 0.9999e-30, "1.00e-30"), (1.2345e30, 1e28, "1.235e+30"), (1e-20, 1e30, "0"),
    ],
)  # fmt: skip
def test_no_more_digits_than_are_known(value, error, text):
    assert rounded(value, error) == text


@pytest.mark.parametrize(("most", "holds"), [(0.05, False), (0.2, True)])
def test_the_gap_that_counts_as_proven_is_one_for_gate_and_levels(tmp_path, most, holds):
    findings = good(n_data=8, spoil=gap, config=f"gate: {{gap: {most}}}").findings(tmp_path / "scan.nc")
    proven = next(criterion for criterion in numerical_criteria(findings) if criterion.name == "minima proven")
    assert proven.holds is findings.conditions.minimal.holds is holds


@pytest.mark.parametrize("values", [(1e9 - 3, 1e9 - 2.5, 1e9), (1.0, 1.00000001, 2.0), (-1e-9, 0.0, 3.0)])
def test_the_place_of_a_point_is_not_that_of_its_neighbour(values):
    grid = Grid((GridAxis("a", values),))
    shown = [float(place(grid, k).removeprefix("a = ")) for k in range(3)]
    steps = np.diff(values)
    assert shown == pytest.approx(values, rel=0, abs=min(steps) / 50)


def test_the_place_of_a_point_has_no_digits_of_rounding():
    grid = Grid((GridAxis("a", tuple(np.linspace(0.1, 0.7, 7).tolist())), GridAxis("b", (0.125,))))
    assert [place(grid, k) for k in (0, 2, 6)] == ["a = 0.1, b = 0.125", "a = 0.3, b = 0.125", "a = 0.7, b = 0.125"]
