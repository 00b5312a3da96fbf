"""The summary says what was found, and does not call a minimum what is none."""

import numpy as np
import pytest

from hpcscan.analysis.summary import MOST_BOUNDS, summary
from hpcscan.fit.records import PointResults, Status
from terminal.toy import CENTRE, GRID, MODEL, bowl, results


def lines(done: PointResults) -> list[str]:
    return summary(GRID, MODEL, done).splitlines()


def facts(done: PointResults) -> list[str]:
    """The three numbered facts, without their numbers."""
    numbered = lines(done)[:3]
    assert [line[:3] for line in numbered] == ["1. ", "2. ", "3. "]
    return [line[3:] for line in numbered]


def test_a_minimum_inside_the_grid():
    """Its place, χ² and scale, and no reservations."""
    assert lines(results(bowl())) == [
        "1. The lowest chi2 is at x = 3, y = 30: chi2 = 5.",
        "2. Nothing is proven: the model offers no lower bound, or fit.certify is off. At 25 of 25 points at least two "
        "starts agree on the minimum.",
        "3. No bound holds the minimum, and no direction of the parameters is left open by the data.",
        "status: 25 converged of 25 points",
        "repaired from neighbours: 0 points",
        "out of line with neighbours: 0 points",
        "S_opt: 13 MeV at the lowest point",
        "held by bounds: none",
    ]


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
    assert facts(results(bowl(bottom)))[0].endswith(f"That is {sides}: an edge of the grid, not a minimum inside it.")


@pytest.mark.parametrize(
    ("level", "written"), [(0.0, "< 1e-06"), (3e-7, "< 1e-06"), (2.5, "= 2.5"), (16488885.6, "= 16488886")]
)
def test_a_flat_landscape_has_no_best_point(level, written):
    """Values that are equal within the tolerance, 1e-9 relative and 1e-6 absolute, are flat."""
    tolerance = max(1e-9 * level, 1e-6)
    chi2 = np.full(GRID.n_points, level)
    chi2[3] += 0.5 * tolerance
    done = results(list(chi2))
    assert facts(done)[0] == (
        f"The landscape is flat: chi2 {written} at all 25 points. There is no best point; "
        "the data do not determine x and y."
    )
    assert "S_opt: best fits scatter between 1 and 25 MeV" in lines(done)

    chi2[3] += tolerance
    assert facts(results(list(chi2)))[0].startswith("The lowest chi2 is at ")


def test_points_that_tie_for_the_lowest_are_counted():
    """The first in the order of the grid is named, and the others are not kept quiet."""
    chi2 = bowl()
    chi2[CENTRE + 1] = chi2[CENTRE] - 4e-7
    assert facts(results(chi2))[0] == (
        "The lowest chi2 is at x = 3, y = 30: chi2 = 5. "
        "2 points are equal to it within the tolerance; this is the first."
    )


def test_failed_points_are_counted_and_do_not_hide_the_minimum():
    """NaN is neither low nor equal to anything, and the failure is the first thing to know after the minimum."""
    chi2 = bowl()
    chi2[0] = chi2[24] = np.nan
    done = results(chi2)
    first, second, third = facts(done)
    assert first == "The lowest chi2 is at x = 3, y = 30: chi2 = 5."
    assert "At 23 of 23 points" in second
    assert third == "2 points of 25 did not converge or failed."
    assert "status: 23 converged, 2 failed of 25 points" in lines(done)


def test_a_scan_in_which_everything_failed():
    """There is nothing to say about minima, scales and bounds."""
    text = lines(results([np.nan] * 25))
    assert text[0] == "1. There is no best point: no point has a chi2."
    assert text[1] == "2. Nothing is proven, and nothing is known."
    assert text[2] == "3. 25 points of 25 did not converge or failed."
    assert text[3:] == [
        "status: 25 failed of 25 points",
        "repaired from neighbours: 0 points",
        "out of line with neighbours: 0 points",
    ]


def test_a_single_known_point_is_not_a_flat_landscape():
    assert facts(results([np.nan] * 12 + [2.0] + [np.nan] * 12))[0] == "The lowest chi2 is at x = 3, y = 30: chi2 = 2."


def test_a_lowest_point_that_did_not_converge_is_not_to_be_trusted():
    """That comes before the points elsewhere that did not converge."""
    done = results(bowl())
    done.status[0] = Status.NOT_CONVERGED
    assert facts(done)[2] == "1 point of 25 did not converge or failed."
    done.status[CENTRE] = Status.NOT_CONVERGED
    assert facts(done)[2] == "The fit of the lowest point did not converge: do not read it as a minimum."
    assert "status: 23 converged, 2 not converged of 25 points" in lines(done)


def test_a_proof_is_told_with_its_largest_gap():
    done = results(bowl())
    done.chi2_lower_bound[:] = done.chi2 - 1e-10
    expected = "Proven at all 25 points: no parameters within these bounds can do better than chi2 = 5 to 13"
    assert facts(done)[1].startswith(expected)
    assert facts(done)[1].endswith("(largest gap 1e-10).")


def test_a_chi2_that_is_no_more_than_zero_is_written_as_such():
    done = results([0.0, *bowl()[1:]])
    done.chi2_lower_bound[:] = done.chi2
    assert "can do better than chi2 < 1e-06 to 13 (largest" in facts(done)[1]


def test_a_chi2_below_its_bound_is_an_error_of_the_model_and_no_proof():
    """Also where all other points are proven, and where the bound says that nothing is possible."""
    done = results(bowl())
    done.chi2_lower_bound[:] = done.chi2
    done.chi2_lower_bound[0] += 2.5
    assert facts(done)[1].startswith("The model's ranges are wrong at 1 of 25 points: chi2 lies up to 2.5 below")
    done.chi2_lower_bound[0] = np.inf
    assert "wrong at 1 of 25 points" in facts(done)[1]
    done.chi2_lower_bound[0] = done.chi2[0] + 1e-7
    assert facts(done)[1].startswith("Proven at all 25 points"), "rounding"


def test_what_is_not_proven_is_told_with_its_gaps():
    """Differences smaller than the gap mean nothing."""
    done = results(bowl())
    done.chi2_lower_bound[:] = done.chi2
    done.chi2_lower_bound[:2] -= (3.0, 7.0)
    assert facts(done)[1] == (
        "Not proven at 2 of 25 points: chi2 lies up to 7 above its proven bound (median 5); "
        "smaller differences between points mean nothing."
    )


def test_the_bounds_that_cause_the_minimum_are_named_by_their_cost():
    """Multiplier × width; those that matter 30 times less are only counted."""
    done = results(bowl())
    done.at_bound[CENTRE] = (-1, 1)
    done.bound_multiplier[CENTRE] = (4.0, -40.0)
    assert facts(done)[2] == (
        "Bounds set this floor: b at its upper bound (40) and a at its lower bound (4) "
        "(change of chi2 per unit × width of the interval)."
    )
    done.bound_multiplier[CENTRE] = (0.4, -40.0)
    assert facts(done)[2] == (
        "Bounds set this floor: b at its upper bound (40), with 1 other active bound costing at least 100 times less "
        "(change of chi2 per unit × width of the interval)."
    )


def test_flat_directions_and_an_open_scale_are_told():
    """Where the landscape is lowest; what is open elsewhere says nothing of the minimum."""
    done = results(bowl())
    done.n_flat_directions[:], done.n_flat_directions[CENTRE] = 0, 2
    done.scale_lower[:, 0], done.scale_upper[:, 0] = 1.0, 2.0
    done.scale_lower[CENTRE, 0], done.scale_upper[CENTRE, 0] = 14.0, 160.5
    assert facts(done)[2] == (
        "No bound holds the minimum, and 2 of 2 parameter directions change nothing. "
        "S is not determined: every value from 14 to 160.5 is as good."
    )
    done.n_flat_directions[CENTRE] = -1
    assert facts(done)[2].startswith("Which parameter directions the data leave open is not known: a derivative ")
    flat = results([0.0] * 25)
    flat.n_flat_directions[:] = (1, *[2] * 24)
    flat.scale_lower[:, 0], flat.scale_upper[:, 0] = 13.6, 160.5
    flat.scale_lower[3, 0] = 14.0
    assert facts(flat)[2] == (
        "No bound holds the minimum, and 1 to 2 of 2 parameter directions change nothing. "
        "S is not determined: every value from 14 to 160.5 is as good."
    )
    flat.scale_upper[4, 0] = 13.9
    assert facts(flat)[2].endswith("change nothing."), "no value is as good everywhere"


def test_repaired_points_are_counted():
    done = results(bowl())
    done.repaired[:2] = 1
    assert "repaired from neighbours: 2 points" in lines(done)


def test_a_spike_is_counted_and_told():
    """The centre of a plane that stands out of it."""
    chi2 = [10.0 + index for index in range(GRID.n_points)]
    chi2[CENTRE] += 50
    done = results(chi2)
    assert "out of line with neighbours: 1 point" in lines(done)
    assert facts(done)[2].startswith("1 point out of line")


def test_active_bounds_are_counted_the_most_frequent_first():
    """A minimum that merely touches a bound, here at the first point, is not held by it."""
    done = results(bowl())
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
    monkeypatch.setattr("hpcscan.analysis.summary.MOST_BOUNDS", 1)
    assert MOST_BOUNDS > 1
    done = results(bowl())
    done.at_bound[0] = done.bound_multiplier[0] = (1, -1)
    assert lines(done)[-1] == "  and 1 more; see at_bound in the file"
