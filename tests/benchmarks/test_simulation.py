"""The model of the coordinator: nothing is lost, nothing is faster than it can be, and what limits it does."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulation import SPREAD, Costs, efficiency, simulate

from hpcscan.model.leptons import LeptonModel
from hpcscan.scan.chunks import cut

FREE = Costs(message=0.0, point=0.0, latency=0.0)
sizes = st.lists(st.integers(1, 50), min_size=1, max_size=200)


@settings(deadline=None)
@given(sizes, st.integers(1, 40))
def test_nobody_is_faster_than_the_work_allows(chunks, n_workers):
    """Up to the spread of the times: with a single worker everything is done in turn."""
    time = simulate(chunks, n_workers, 1e-3, FREE)
    assert time >= 0.3 * sum(chunks) * 1e-3 / n_workers
    alone = simulate(chunks, 1, 1e-3, FREE)
    assert time <= alone * (1 + 1e-9) or n_workers > 1
    assert alone == pytest.approx(sum(chunks) * 1e-3, rel=4 * SPREAD)


@settings(deadline=None)
@given(sizes, st.integers(1, 40))
def test_rank_0_serves_every_message_and_every_point(chunks, n_workers):
    """The time is never below what rank 0 needs."""
    costs = Costs(message=1e-3, point=1e-4, latency=1e-5)
    assert simulate(chunks, n_workers, 1e-6, costs) >= len(chunks) * costs.message + sum(chunks) * costs.point


def test_many_ranks_with_cheap_points_wait_for_rank_0_and_with_dear_ones_do_not():
    costs = Costs(message=2e-4, point=5e-6)
    assert efficiency(64, 50e-3, costs, 100_000) > 0.9
    assert efficiency(1024, 1e-3, costs, 100_000) < 0.5 < efficiency(64, 1e-3, costs, 100_000)


@pytest.mark.parametrize("ranks", [1, 64, 4096])
def test_messages_are_per_chunk_and_not_per_point(ranks):
    """At most two for each rank beyond those that large chunks need, down to 16 points in a message."""
    chunks = cut(1_000_000, 16, LeptonModel(), ranks, None)
    assert len(chunks) <= 1_000_000 / 128 + 1_000_000 / 16 * (ranks > 1000) + 16 * ranks + 1
    assert sum(chunk.n_points for chunk in chunks) == 1_000_000
