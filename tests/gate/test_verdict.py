"""The verdict says what was found, and does not call a minimum what is none."""

import numpy as np
import pytest
from toy_results import CENTRE, PLAIN, PLAIN_GRID, bowl, plain_results

from hpcscan.analysis.findings import study
from hpcscan.dataset.provenance import SCHEMA
from hpcscan.dataset.reader import read_scan
from hpcscan.dataset.scan import scan_in_memory
from hpcscan.dataset.writer import write_dataset
from hpcscan.fitting.records import PointResults, Status
from hpcscan.gate.verdict import MOST_BOUNDS, Verdict, verdict
from hpcscan.settings import ReportSettings


def judged(done: PointResults) -> Verdict:
    return verdict(study(scan_in_memory(PLAIN_GRID, PLAIN, done, {}), ReportSettings()))


def lines(done: PointResults) -> list[str]:
    return str(judged(done)).splitlines()


def facts(done: PointResults) -> tuple[str, str, str]:
    """The three sentences."""
    return judged(done).sentences


def test_a_minimum_inside_the_grid():
    """Its place, χ² and scale, and no reservations."""
    found = judged(plain_results(bowl()))
    assert found.sentences == (
        "The lowest chi2 is at x = 3, y = 30: chi2 = 5, inside the grid; at 1σ: x = 3.00 ± 1.00 "
        "(numerical error 5e-07), y = 30.0 ± 10.0 (numerical error 5e-06).",
        "Nothing is proven; at 25 of 25 points enough starts agree on the minimum, which is weaker.",
        "Every criterion of the gate holds, and the levels of delta chi2 are confidence levels.",
    )
    assert found.counts == (
        "status: 25 converged of 25 points; 0 repaired, 0 out of line with them",
        "freedom: 1 datum for 2 profiled parameters, 1 profiled scale, 2 scanned parameters; "
        "flat directions at fixed axes: 0",
        "held by bounds: none",
    )
    text = str(found).splitlines()
    assert " ".join(line.strip() for line in text[:4]) == " ".join(
        f"{number}. {sentence}" for number, sentence in enumerate(found.sentences, 1)
    )
    assert text[4:] == ["gate: open, all 9 criteria hold", *found.counts]
    assert max(map(len, text)) <= 116


@pytest.mark.parametrize(
    ("bottom", "sides"),
    [
        (0, "the lower end of x and the lower end of y"),
        (24, "the upper end of x and the upper end of y"),
        (2, "the lower end of x"),
        (14, "the upper end of y"),
    ],
)
def test_a_lowest_point_on_the_edge_is_no_minimum(bottom, sides):
    """The edge is named."""
    assert facts(plain_results(bowl(bottom)))[0].endswith(
        f", {sides}: an edge of the grid, and not a minimum inside it."
    )


@pytest.mark.parametrize(
    ("level", "written"), [(0.0, "< 1e-06"), (3e-7, "< 1e-06"), (2.5, "= 2.5"), (16488885.6, "= 16488886")]
)
def test_a_flat_landscape_has_no_best_point(level, written):
    """Values that are equal within the tolerance, 1e-9 relative and 1e-6 absolute, are flat."""
    tolerance = max(1e-9 * level, 1e-6)
    chi2 = np.full(PLAIN_GRID.n_points, level)
    chi2[3] += 0.5 * tolerance
    done = plain_results(list(chi2))
    assert facts(done)[0] == (
        f"The landscape is flat, chi2 {written} at all 25 points: there is no best point, and the data do not "
        "determine x and y."
    )
    assert judged(done).gate.criteria[-2].found == "best fits scatter from 1 to 25 MeV"

    chi2[3] += tolerance
    assert facts(plain_results(list(chi2)))[0].startswith("The lowest chi2 is at ")


def test_points_that_tie_for_the_lowest_are_counted():
    """The first in the order of the grid is named, and the others are not kept quiet."""
    chi2 = bowl()
    chi2[CENTRE + 1] = chi2[CENTRE] - 4e-7
    assert facts(plain_results(chi2))[0].startswith(
        "The lowest chi2 is at x = 3, y = 30: chi2 = 4.9999996, inside the grid"
    )
    assert facts(plain_results(chi2))[0].endswith(
        "; 2 points are equal to it within the tolerance, and this is the first."
    )


def test_failed_points_are_counted_and_do_not_hide_the_minimum():
    """NaN is neither low nor equal to anything, and the failure is the first thing to know after the minimum."""
    chi2 = bowl()
    chi2[0] = chi2[24] = np.nan
    done = plain_results(chi2)
    first, second, third = facts(done)
    assert first.startswith("The lowest chi2 is at x = 3, y = 30: chi2 = 5, inside the grid")
    assert "at 23 of 23 points" in second
    assert "cannot be trusted yet, first of all points converged (23 of 25, 2 failed): the model raised" in third
    assert any(line.startswith("status: 23 converged, 2 failed of 25 points;") for line in lines(done))


def test_a_scan_in_which_everything_failed():
    """There is nothing to say about minima, scales and bounds."""
    text = lines(plain_results([np.nan] * 25))
    assert text[0] == "1. There is no best point: no point has a chi2."
    assert text[1] == "2. Nothing is proven, and nothing is known."
    assert "first of all points converged (0 of 25, 25 failed)" in facts(plain_results([np.nan] * 25))[2]
    assert text[-1] == "status: 25 failed of 25 points; 0 repaired, 0 out of line with them"


def test_a_single_known_point_is_not_a_flat_landscape():
    text = facts(plain_results([np.nan] * 12 + [2.0] + [np.nan] * 12))[0]
    assert text.startswith("The lowest chi2 is at x = 3, y = 30: chi2 = 2, inside the grid; x and y: no minimum")


def test_a_lowest_point_that_did_not_converge_is_not_to_be_trusted():
    """That comes before the points elsewhere that did not converge."""
    done = plain_results(bowl())
    done.status[0], done.edm[0] = Status.NOT_CONVERGED, 1e-9
    assert "first of all points converged (24 of 25, 1 not converged): fewer than 16 fresh" in facts(done)[2]
    done.status[CENTRE] = Status.NOT_CONVERGED
    assert "): the fit of the lowest point did not converge: do not read it as a minimum; " in facts(done)[2]
    assert any(line.startswith("status: 23 converged, 2 not converged of 25 points;") for line in lines(done))


def test_a_proof_is_told_with_its_largest_gap():
    done = plain_results(bowl())
    done.chi2_lower_bound[:] = done.chi2 - 1e-10
    expected = "Proven at all 25 points: no parameters within these bounds can do better than what was found there, "
    expected += "chi2 = 5 to 13"
    assert facts(done)[1].startswith(expected)
    assert facts(done)[1].endswith("(largest gap 1e-10).")


def test_a_chi2_that_is_no_more_than_zero_is_written_as_such():
    done = plain_results([0.0, *bowl()[1:]])
    done.chi2_lower_bound[:] = done.chi2
    assert "chi2 < 1e-06 to 13 (largest" in facts(done)[1]


def test_a_chi2_below_its_bound_is_an_error_of_the_model_and_no_proof():
    """Also where all other points are proven, and where the bound says that nothing is possible."""
    done = plain_results(bowl())
    done.chi2_lower_bound[:] = done.chi2
    done.chi2_lower_bound[0] += 2.5
    assert facts(done)[1].startswith("The lower bounds are wrong at 1 of 25 points: chi2 lies up to 2.5 below")
    done.chi2_lower_bound[0] = np.inf
    assert "wrong at 1 of 25 points" in facts(done)[1]
    done.chi2_lower_bound[0] = done.chi2[0] + 1e-7
    assert facts(done)[1].startswith("Proven at all 25 points"), "rounding"


def test_what_is_not_proven_is_told_with_its_gaps():
    """Differences smaller than the gap mean nothing."""
    done = plain_results(bowl())
    done.chi2_lower_bound[:] = done.chi2
    done.chi2_lower_bound[:2] -= (3.0, 7.0)
    assert facts(done)[1] == (
        "Not proven at 2 of 25 points: chi2 lies up to 7 above its proven bound (median 5), and smaller differences "
        "between points mean nothing."
    )


def test_the_bounds_that_cause_the_minimum_are_named_by_their_cost():
    """Multiplier × width; those that matter 30 times less are only counted."""
    done = plain_results(bowl())
    done.at_bound[CENTRE], done.profiled_parameter[CENTRE] = (-1, 1), (0, 1)
    done.bound_multiplier[CENTRE] = (4.0, -40.0)
    assert (
        "first of all bounds inside the contour (active among 25 points: b at 1, a at 1): bounds set this floor, not "
        "the optimiser: b at its upper bound 1 (40) and a at its lower bound 0 (4) (change of chi2 per unit × width of "
        "the interval); widen them"
    ) in facts(done)[2]
    assert lines(done)[-2:] == ["  b at its upper bound at 1 of 25 points", "  a at its lower bound at 1 of 25 points"]
    done.bound_multiplier[CENTRE] = (0.4, -40.0)
    assert (
        "b at its upper bound 1 (40), with 1 other active bound costing at least 100 times less (change of chi2"
    ) in facts(done)[2]


def test_flat_directions_and_an_open_scale_are_told():
    """Where the landscape is lowest; what is open elsewhere says nothing of the minimum."""
    chi2 = [value - 5 for value in bowl()]
    done = plain_results(chi2)
    done.n_flat_directions[:], done.n_flat_directions[CENTRE] = 0, 2
    done.scale_lower[:, 0], done.scale_upper[:, 0] = 1.0, 2.0
    done.scale_lower[CENTRE, 0], done.scale_upper[CENTRE, 0] = 14.0, 160.5
    assert (
        "(< 1e-06: more freedom than data): 5 quantities are free for 1 data, so that chi2 can vanish without testing "
        "the model: 2 of 2 parameter directions change nothing, and S is not determined (every value from 14 to 160.5 "
        "is as good); fix parameters or add observables."
    ) in facts(done)[2]
    done.n_flat_directions[CENTRE] = -1
    assert "without testing the model; fix parameters" in facts(done)[2], "not known"
    flat = plain_results([0.0] * 25)
    flat.n_flat_directions[:] = (1, *[2] * 24)
    flat.scale_lower[:, 0], flat.scale_upper[:, 0] = 13.6, 160.5
    flat.scale_lower[3, 0] = 14.0
    assert ": 1 to 2 of 2 parameter directions change nothing, and S is not determined (every value" in facts(flat)[2]
    flat.scale_upper[4, 0] = 13.9
    assert "directions change nothing; fix parameters" in facts(flat)[2], "no value is as good everywhere"


def test_repaired_points_are_counted():
    done = plain_results(bowl())
    done.repaired[:2] = 1
    assert any("; 2 repaired, 0 out of line" in line for line in lines(done))


def test_a_spike_is_counted_and_told():
    """The centre of a plane that stands out of it."""
    chi2 = [10.0 + index for index in range(PLAIN_GRID.n_points)]
    chi2[CENTRE] += 50
    done = plain_results(chi2)
    assert any(", 1 out of line with them" in line for line in lines(done))
    assert "cannot be trusted yet, first of all delta chi2 smooth (1 point out of line): noise" in facts(done)[2]


def test_a_spike_that_is_proven_is_the_landscape():
    """No fit that failed stands out there."""
    chi2 = [10.0 + index for index in range(PLAIN_GRID.n_points)]
    chi2[CENTRE] += 50
    done = plain_results(chi2)
    done.chi2_lower_bound[:] = done.chi2
    assert any(", 0 out of line with them" in line for line in lines(done))
    assert "delta chi2 smooth" not in facts(done)[2]
    done.chi2_lower_bound[CENTRE] -= 5
    assert any(", 1 out of line with them" in line for line in lines(done))


def test_active_bounds_are_counted_the_most_frequent_first():
    """A minimum that merely touches a bound, here at the first point, is not held by it."""
    done = plain_results(bowl())
    done.at_bound[:3, 0] = -1
    done.at_bound[3:, 0] = 1
    done.at_bound[7, 1] = 1
    done.bound_multiplier[:] = done.at_bound
    done.at_bound[0, 1] = 1
    assert lines(done)[-4:] == [
        "held by bounds:",
        "  a at its upper bound at 22 of 25 points",
        "  a at its lower bound at 3 of 25 points",
        "  b at its upper bound at 1 of 25 points",
    ]


def test_a_long_list_of_bounds_is_cut_and_says_so(monkeypatch):
    monkeypatch.setattr("hpcscan.gate.verdict.MOST_BOUNDS", 1)
    assert MOST_BOUNDS > 1
    done = plain_results(bowl())
    done.at_bound[0] = done.bound_multiplier[0] = (1, -1)
    assert lines(done)[-1] == "  and 1 more; see at_bound in the file"


def test_a_file_is_judged_in_the_same_words(tmp_path):
    """From the plain_results in memory and from the file that is written of them."""
    done = plain_results(bowl())
    done.at_bound[:7, 0], done.bound_multiplier[:7, 0] = -1, 3.0
    write_dataset(tmp_path / "scan.nc", PLAIN_GRID, PLAIN, done, {"hpcscan_schema": SCHEMA})
    read = verdict(study(read_scan(str(tmp_path / "scan.nc")), ReportSettings()))
    assert read == judged(done)
