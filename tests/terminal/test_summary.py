"""The summary says what was found, and does not call a minimum what is none."""

import numpy as np
import pytest

from hpcscan.fit.records import PointResults, Status
from hpcscan.terminal.summary import MOST_BOUNDS, summary
from terminal.toy import CENTRE, GRID, MODEL, bowl, results


def lines(done: PointResults) -> list[str]:
    return summary(GRID, MODEL, done).splitlines()


def test_a_minimum_inside_the_grid():
    """Its place, χ² and scale, and no reservations."""
    assert lines(results(bowl())) == [
        "status: 9 converged of 9 points",
        "lowest point: x = 2, y = 20, chi2 = 5",
        "S_opt: 5 MeV at the lowest point",
        "active bounds: none",
    ]


@pytest.mark.parametrize(
    ("bottom", "sides"),
    [
        (0, "the lower end of x and the lower end of y"),
        (8, "the upper end of x and the upper end of y"),
        (1, "the lower end of x"),
        (5, "the upper end of y"),
    ],
)
def test_a_lowest_point_on_the_edge_is_no_minimum(bottom, sides):
    """The edge is named."""
    text = lines(results(bowl(bottom)))
    assert f"  it lies at {sides}: this is an edge of the grid, not a minimum inside it" in text


@pytest.mark.parametrize(
    ("level", "written"), [(0.0, "< 1e-06"), (3e-7, "< 1e-06"), (2.5, "= 2.5"), (16488885.6, "= 16488886")]
)
def test_a_flat_landscape_has_no_best_point(level, written):
    """Values that are equal within the tolerance, 1e-9 relative and 1e-6 absolute, are flat."""
    tolerance = max(1e-9 * level, 1e-6)
    chi2 = np.full(GRID.n_points, level)
    chi2[3] += 0.5 * tolerance
    text = lines(results(list(chi2)))
    assert text[1] == f"best point: none, the landscape is flat: chi2 {written} at all 9 points"
    assert text[2] == "S_opt: between 1 and 9 MeV over the points"
    assert not any("lowest point" in line or "edge" in line for line in text)

    chi2[3] += tolerance
    assert lines(results(list(chi2)))[1].startswith("lowest point: ")


def test_points_that_tie_for_the_lowest_are_counted():
    """The first in the order of the grid is named, and the others are not kept quiet."""
    chi2 = bowl()
    chi2[CENTRE + 1] = chi2[CENTRE] - 4e-7
    text = lines(results(chi2))
    assert text[1] == "lowest point: x = 2, y = 20, chi2 = 5"
    assert text[2] == "  2 points are equal to it within the tolerance; this is the first"


def test_failed_points_are_counted_and_do_not_hide_the_minimum():
    """NaN is neither low nor equal to anything."""
    chi2 = bowl()
    chi2[0] = chi2[8] = np.nan
    text = lines(results(chi2))
    assert text[0] == "status: 7 converged, 2 failed of 9 points"
    assert text[1] == "lowest point: x = 2, y = 20, chi2 = 5"


def test_a_scan_in_which_everything_failed():
    """There is nothing to say about minima and bounds."""
    assert lines(results([np.nan] * 9)) == [
        "status: 9 failed of 9 points",
        "best point: none, no point has a chi2",
    ]


def test_a_single_known_point_is_not_a_flat_landscape():
    text = lines(results([np.nan] * 4 + [2.0] + [np.nan] * 4))
    assert text[1] == "lowest point: x = 2, y = 20, chi2 = 2"


def test_a_lowest_point_that_did_not_converge_is_not_to_be_trusted():
    done = results(bowl())
    done.status[CENTRE] = Status.NOT_CONVERGED
    text = lines(done)
    assert text[0] == "status: 8 converged, 1 not converged of 9 points"
    assert "  its fit did not converge: do not read it as a minimum" in text
    done = results(bowl())
    done.status[0] = Status.NOT_CONVERGED
    assert not any("did not converge" in line for line in lines(done))


def test_active_bounds_are_counted_the_most_frequent_first():
    done = results(bowl())
    done.at_bound[:3, 0] = -1
    done.at_bound[3:, 0] = 1
    done.at_bound[7, 1] = 1
    assert lines(done)[-4:] == [
        "active bounds:",
        "  a at its upper bound at 6 of 9 points",
        "  a at its lower bound at 3 of 9 points",
        "  b at its upper bound at 1 of 9 points",
    ]


def test_a_long_list_of_bounds_is_cut_and_says_so(monkeypatch):
    monkeypatch.setattr("hpcscan.terminal.summary.MOST_BOUNDS", 1)
    assert MOST_BOUNDS > 1
    done = results(bowl())
    done.at_bound[0] = (1, -1)
    assert lines(done)[-1] == "  and 1 more; see at_bound in the file"
