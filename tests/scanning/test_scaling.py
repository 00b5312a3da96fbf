"""What is predicted for many ranks, at its limits; that it holds between them is the simulation's to say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcscan.scanning.cost import SECONDS_PER_CHUNK, SECONDS_PER_POINT, BatchCost, most_worth_while, predict


def test_one_rank_does_everything_in_turn():
    """Its batches, and what is done with their results."""
    found = predict([10, 6], 1, True, BatchCost(batch=2.0, point=0.5))
    assert found.seconds == pytest.approx(2 * 2.0 + 16 * 0.5 + 2 * SECONDS_PER_CHUNK + 16 * SECONDS_PER_POINT)


def test_ranks_without_work_do_not_help():
    """More ranks than chunks."""
    cost = BatchCost(0.0, 1.0)
    assert predict([1] * 20, 2000, False, cost) == predict([1] * 20, 20, False, cost)


def test_the_limit_is_named():
    assert predict([100] * 1000, 1000, False, BatchCost(0.0, 1e-5)).limit == "rank 0 is busy with their results"
    assert predict([100] * 1000, 1000, False, BatchCost(0.0, 10.0)).limit == "each has too few points"


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_most_ranks_worth_while(threshold, most):
    """To a twentieth, for an efficiency that falls."""
    found = most_worth_while(lambda n: 1.0 if n <= threshold else 0.1, most)
    assert min(threshold, most) * 0.9 - 1 <= found <= min(threshold, most)
