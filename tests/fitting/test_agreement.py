"""Starts that agree, levels that differ, and the estimate of what no start has seen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcscan.fitting.evidence import agreement
from hpcscan.fitting.records import Status

LETTERS = {"c": Status.CONVERGED, "n": Status.NOT_CONVERGED, "f": Status.FAILED, ".": Status.NOT_RUN}


def agree(chi2: list[float], status: str):
    return agreement(np.array([chi2]), np.array([[LETTERS[letter] for letter in status]]))


@pytest.mark.parametrize(
    ("chi2", "status", "best", "n_at_minimum"),
    [
        ([3.0, 1.0, 1.0 + 5e-7], "ccc", 1, 2),
        ([1.0 + 5e-7, 1.0, 3.0], "ccc", 0, 2),
        ([1.0, 1.0 + 5e-7, 3.0], "ncc", 1, 1),
        ([2.0, 1.0, np.nan], "cnf", 1, 0),
        ([np.nan, 1.0, np.nan], "fc.", 1, 1),
        ([1e9 + 0.5, 1e9, 2e9], "ccc", 0, 2),
    ],
)
def test_equal_starts_are_told_by_status_then_by_index(chi2: list, status: str, best: int, n_at_minimum: int) -> None:
    """Values within max(1e-9 χ², 1e-6) are equal."""
    together = agree(chi2, status)
    assert together.best[0] == best
    assert together.n_at_minimum[0] == n_at_minimum


@pytest.mark.parametrize(
    ("chi2", "status", "n_levels", "spread"),
    [
        ([1.0, 1.0, 1.0], "ccc", 1, np.nan),
        ([4.0, 1.0, 4.0, 9.0], "cccc", 3, 3.0),
        ([4.0, 1.0, 2.0], "ccn", 2, 3.0),
        ([1.0], "c", 1, np.nan),
        ([np.nan, np.nan], "ff", 0, np.nan),
        ([1e9, 1e9 + 0.5, 1e9 + 5], "ccc", 2, 5.0),
    ],
)
def test_levels_are_distinct_values_of_converged_starts(chi2: list, status: str, n_levels: int, spread: float) -> None:
    together = agree(chi2, status)
    assert together.n_levels[0] == n_levels
    np.testing.assert_allclose(together.spread[0], spread)


@pytest.mark.parametrize(
    ("chi2", "fraction"),
    [
        ([1.0] * 2, np.nan),
        ([1.0] * 3, 2 / 6),
        ([1.0] * 8, 2 / 56),
        ([1.0, 2.0] * 4, 6 / 56),
        ([1.0, 2.0, 3.0], np.nan),
        ([1.0, 2.0, 3.0, 3.0, 3.0], 12 / 20),
        ([1.0, 2.0, 3.0, 4.0, 4.0, 4.0], 20 / 30),
    ],
)
def test_the_unexplored_fraction_is_boender_and_rinnooy_kans(chi2: list, fraction: float) -> None:
    np.testing.assert_allclose(agree(chi2, "c" * len(chi2)).unexplored_fraction[0], fraction)


@given(st.lists(st.sampled_from([1.0, 2.0, 5.0, np.nan]), min_size=1, max_size=12), st.randoms())
def test_the_order_of_starts_does_not_matter_but_for_ties(chi2: list[float], random) -> None:
    status = ["f" if np.isnan(value) else random.choice("cn") for value in chi2]
    order = list(range(len(chi2)))
    random.shuffle(order)
    one = agree(chi2, "".join(status))
    other = agree([chi2[i] for i in order], "".join(status[i] for i in order))
    for name in ("n_run", "n_converged", "n_at_minimum", "n_levels", "spread"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert 0 <= np.nan_to_num(one.unexplored_fraction[0]) <= 1
