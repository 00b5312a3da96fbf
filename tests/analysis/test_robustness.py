"""What is said about the optimiser follows from the numbers: stable or not, a minimum or not, noise or not."""

import numpy as np
import pytest

from hpcscan.analysis.robustness import (
    Series,
    budget_conclusion,
    budget_table,
    line_conclusion,
    line_table,
    verdict_on_methods,
)

BUDGETS, CLAIM = (50, 100, 200, 500), 200
FLOOR = 1.6e7
W = np.array([0.010, 0.014, 0.018, 0.022, 0.026])


def series(chi2, bound=None):
    chi2 = np.array(chi2, float)
    return Series("a_fitter", chi2, np.full(len(chi2), np.nan) if bound is None else np.zeros(len(chi2)) + bound)


@pytest.mark.parametrize(
    ("above", "what", "words"),
    [
        ([0, 0, 0, 0], "stable", "a fitter: stable from 50 iterations on, at the proven minimum"),
        ([900, 3, 0, 0], "stable", "stable from 200 iterations on, at the proven minimum"),
        ([90, 90, 90, 90], "stable", "stable from 50 iterations on, 90 above the proven minimum"),
        (
            [9000, 800, 700, 0],
            "not stable",
            "still falls by 700 from 200 to 500 iterations, so it is not stable by 200",
        ),
        ([0, 0, 0, np.nan], "nothing", "no chi2 with the largest budget"),
    ],
)
def test_stability_is_judged_against_the_largest_budget(above, what, words):
    found = budget_conclusion(BUDGETS, series(FLOOR + np.array(above), FLOOR), CLAIM)
    assert found.what == what
    assert words in found.text


def test_nothing_is_said_of_a_claim_that_was_not_tested():
    found = budget_conclusion((5, 10), series([9, 3]), CLAIM)
    assert found.text == "a fitter: chi2 still falls by 6 from 5 to 10 iterations"
    assert budget_conclusion((500,), series([3]), CLAIM).what == "not stable"


@pytest.mark.parametrize(
    ("depth", "bound", "what", "words"),
    [
        (
            [9, 4, 1, 0, 1],
            None,
            "minimum at 3",
            "w = 0.022, inside the line and within what is expected, 0.02 to 0.024",
        ),
        ([4, 0, 1, 4, 9], None, "minimum at 1", "inside the line and outside what is expected"),
        ([9, 7, 5, 3, 0], None, "upper edge", "w = 0.026, the upper edge: no minimum; expected from 0.02 to 0.024"),
        ([0, 0, 0, 0, 0], None, "flat", "flat, no minimum in w; expected from"),
        ([9, 4, 1, 0, 1], [3, 3, 0, 0, 0], "minimum at 3", "noise: its distance from the proven minimum varies by 6"),
        ([9, 4, 1, 0, 1], [3, -2, -5, -6, -5], "minimum at 3", "0.02 to 0.024"),
        ([np.nan, 0, 1, 4, 9], None, "lower edge", "w = 0.014, the lower edge: no minimum"),
        ([np.nan] * 5, None, "nothing", "no chi2"),
    ],
)
def test_a_line_is_judged_by_its_lowest_point_and_its_noise(depth, bound, what, words):
    found = line_conclusion("w", W, series(depth, bound), (0.02, 0.024))
    assert found.what == what
    assert found.text.startswith("a fitter: ")
    assert words in found.text
    assert ("noise" in found.text) == ("noise" in words), "a constant distance shifts no point against another"


def test_the_tables_have_a_row_for_each_budget_and_value():
    one, two = series([3, 2, 1, 1], 0), series([3, 3, 3, np.nan])
    table = budget_table(BUDGETS, "w = 0.02", [one, two])
    assert table.header == ("max_iter", "a fitter", "above bound", "a fitter")
    assert [row[0] for row in table.rows] == ["50", "100", "200", "500"]
    assert table.rows[-1] == ("500", "1", "1", "–")
    assert line_table("w", W[:4], "", [one, two]).rows[0] == ("0.01", "2", "3", "0")
    assert line_table("w", W[:4], "", [series([np.nan] * 4)]).rows[0] == ("0.01", "–")


def test_methods_agree_where_they_say_the_same():
    inside, edge = (line_conclusion("w", W, series(chi2), None) for chi2 in ([9, 4, 1, 0, 1], [9, 7, 5, 3, 0]))
    assert "the same" in verdict_on_methods([inside, inside])
    assert "depends on the optimiser" in verdict_on_methods([inside, edge])
    noisy = line_conclusion("w", W, series([9, 4, 1, 0, 1], [3, 3, 0, 0, 0]), None)
    assert "depends on the optimiser" in verdict_on_methods([inside, noisy]), "the same place, but by chance"
