"""The model of the coordinator: nothing is lost, nothing is faster than it can be, and the formula agrees with it."""

from __future__ import annotations

from statistics import mean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulation import Costs, Work, efficiency, simulate

from hpcscan.parallel import ranks_that_compute
from hpcscan.scanning.chunks import chunk_sizes
from hpcscan.scanning.cost import SECONDS_PER_CHUNK, SECONDS_PER_POINT, SPREAD, BatchCost, predict

FREE = Costs(message=0.0, point=0.0, latency=0.0)
MEASURED = Costs(SECONDS_PER_CHUNK, SECONDS_PER_POINT)
sizes = st.lists(st.integers(1, 50), min_size=1, max_size=200)


@settings(deadline=None)
@given(sizes, st.integers(1, 40))
def test_nobody_is_faster_than_the_work_allows(chunks, ranks):
    """Up to the spread of the times: on a single rank everything is done in turn."""
    time = simulate(chunks, ranks, Work(1e-3), FREE)
    assert time >= 0.3 * sum(chunks) * 1e-3 / ranks
    alone = simulate(chunks, 1, Work(1e-3), FREE)
    assert time <= alone * (1 + 1e-9) or ranks > 1
    assert alone == pytest.approx(sum(chunks) * 1e-3, rel=4 * SPREAD)


@settings(deadline=None)
@given(sizes, st.integers(9, 40))
def test_rank_0_serves_every_message_and_every_point(chunks, ranks):
    """The time is never below what rank 0 needs."""
    costs = Costs(message=1e-3, point=1e-4, latency=1e-5)
    needed = len(chunks) * costs.message + sum(chunks) * costs.point
    assert simulate(chunks, ranks, Work(1e-6), costs) >= needed * (1 - 1e-9)


def test_many_ranks_with_cheap_points_wait_for_rank_0_and_with_dear_ones_do_not():
    assert efficiency(64, Work(50e-3), MEASURED, 100_000) > 0.9
    assert efficiency(1024, Work(1e-3), MEASURED, 100_000) < 0.5 < efficiency(64, Work(1e-3), MEASURED, 100_000)


@pytest.mark.parametrize("ranks", [1, 64, 4096])
def test_messages_are_per_chunk_and_not_per_point(ranks):
    """A few for each rank beyond those that large chunks need."""
    chunks = chunk_sizes(1_000_000, 128, ranks)
    assert len(chunks) <= 1_000_000 / 128 + 6 * ranks
    assert sum(chunks) == 1_000_000


#: Dear and cheap points, without and with a cost of the batch: a tenth of a second and points of the lepton model.
WORKS = (Work(10.0), Work(50e-3), Work(1e-3), Work(0.75e-3, 45e-3), Work(0.2e-3, 0.1, 2048))


@pytest.mark.parametrize("n_points", [1000, 30_000, 300_000])
@pytest.mark.parametrize("work", WORKS, ids=str)
def test_what_plan_predicts_is_what_the_model_finds(work, n_points):
    """Within a few per cent, from two ranks to as many as there are points, and whatever the ranks wait for."""
    errors = []
    for ranks in (2, 4, 8, 16, 64, 256, 1024, 4096):
        if n_points >= 3 * ranks:
            chunks, n_computing = chunk_sizes(n_points, work.most, ranks), ranks_that_compute(ranks)
            seeds = range(min(30, 2 + 10_000 // len(chunks)))
            found = mean(simulate(chunks, ranks, work, MEASURED, seed) for seed in seeds)
            predicted = predict(chunks, n_computing, n_computing == ranks, BatchCost(work.batch, work.point))
            errors.append(predicted.seconds / found - 1)
    assert max(map(abs, errors)) < 0.1
    assert mean(map(abs, errors)) < 0.05
