"""The hand-out, on a simulated clock: everything once, nobody idle without need, nothing taken too early."""

from __future__ import annotations

import math
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulated import SimulatedWorld

from hpcscan.parallel import Coordinator
from hpcscan.parallel.handout import LONG_TASK, HandOut

sizes = st.integers(1, 40)
# Whole numbers: sums of them are exact, and ties are frequent.
durations = st.lists(st.integers(0, 20), max_size=200)


def lead(size: int) -> tuple[SimulatedWorld, Coordinator[str, None, int, int]]:
    world = SimulatedWorld(size)
    team: Coordinator[str, None, int, int] = Coordinator(world, world.prepare)
    team.brief("job")
    return world, team


@given(sizes, st.lists(durations, max_size=3))
def test_every_task_is_done_exactly_once(size, waves):
    """For any durations, number of ranks and number of waves; no wave begins before the last one ended."""
    world, team = lead(size)
    for tasks in waves:
        start = world.now
        assert sorted(done.result for done in team.map(tasks)) == sorted(tasks)
        assert max(world.busy_until.values(), default=0) <= max(world.now, start)
    assert world.jobs == ["job"] * (size - 1)
    assert team.dismiss(1) == 1
    assert world.dismissed == world.released == list(range(1, size))


@given(sizes, durations)
def test_a_worker_never_holds_many_tasks(size, tasks):
    """One at hand and one ahead, or two where rank 0 may be busy: more would be missing elsewhere at the end."""
    world, team = lead(size)
    for _ in team.map(tasks):
        pass
    assert world.most_held <= (3 if team.computes else 2)
    assert max(world.n_held_before[-2 * size :], default=0) <= 1


@given(st.integers(9, 40), durations)
def test_the_last_tasks_never_wait_behind_another(size, tasks):
    """One for each worker: whoever is idle takes it, so that none is stuck behind a straggler."""
    world, team = lead(size)
    for _ in team.map(tasks):
        pass
    assert not any(world.n_held_before[-(size - 1) :])


def test_a_straggler_costs_no_more_than_itself():
    """Nothing waits behind it: what its rank would have done too is done by others."""
    world, team = lead(11)
    list(team.map([10] * 85 + [100] + [10] * 14))
    assert world.now == 80 + 100


@given(st.integers(1, 8), st.integers(0, 100))
def test_equal_tasks_take_the_shortest_possible_time(size, n_tasks):
    """Where rank 0 computes too, no rank does one task more than it must."""
    world, team = lead(size)
    assert sum(done.result for done in team.map([10] * n_tasks)) == 10 * n_tasks
    assert world.now == 10 * math.ceil(n_tasks / size)


@given(st.integers(9, 40), durations)
def test_unequal_tasks_cost_at_most_two_of_them_more_than_perfect_balance(size, tasks):
    """All workers are busy until the last task is handed out, and then each has two at most."""
    world, team = lead(size)
    for _ in team.map(tasks):
        pass
    assert world.now <= sum(tasks) / (size - 1) + 2 * max(tasks, default=0)


@given(st.integers(1, 8), st.integers(1, 100))
def test_shrinking_tasks_end_together(size, n_tasks):
    """Longest first: at the end every rank has at most two of the last tasks, which are the small ones."""
    tasks = [n_tasks - i for i in range(n_tasks)]
    world, team = lead(size)
    for _ in team.map(tasks):
        pass
    assert world.now <= sum(tasks) / size + 2 * tasks[max(0, n_tasks - 2 * size)]


@pytest.mark.parametrize("size", [1, 2, 8, 9, 30])
def test_tasks_are_taken_only_when_a_rank_is_free_for_one(size):
    """So a generator that ends early ends the hand-out."""
    _, team = lead(size)
    taken = []
    wave = team.map(iter(lambda: taken.append(1) or len(taken), 500))
    assert taken == []
    n_done = 0
    for _ in wave:
        n_done += 1
        # Two or three for every worker, and as many that have just come back; one for rank 0.
        assert len(taken) - n_done <= 2 * (3 if team.computes else 2) * (size - 1) + 1
    assert n_done == 499


@pytest.mark.parametrize(("seconds", "n_held"), [(0.5 * LONG_TASK, 2), (2 * LONG_TASK, 1)])
def test_long_tasks_are_not_handed_out_ahead(seconds, n_held):
    """A worker has one ahead when it has shown that its tasks are short; where rank 0 computes too, always."""
    now = 0.0
    held: dict[int, deque[int]] = {rank: deque() for rank in range(1, 4)}
    hand_out = HandOut(iter(range(100)), held, lambda: now)
    give(hand_out, held)
    assert [len(tasks) for tasks in held.values()] == [1, 1, 1]
    now += seconds
    for rank, tasks in held.items():
        tasks.popleft()
        hand_out.note_answer(rank)
    give(hand_out, held)
    assert [len(tasks) for tasks in held.values()] == [n_held] * 3
    crowd: dict[int, deque[int]] = {1: deque()}
    give(HandOut(iter(range(100)), crowd), crowd, own_rank_too=True)
    assert len(crowd[1]) == 3


def give(hand_out, held, own_rank_too=False):
    for rank, task in hand_out.pairs(own_rank_too=own_rank_too):
        if rank:
            held[rank].append(task)


def test_an_answer_costs_the_same_among_many_ranks():
    """What a worker holds is looked at for those that have answered, and not for all."""
    held = Looked({rank: deque() for rank in range(1, 10_001)})
    hand_out = HandOut(iter(range(100_000)), held)
    for rank, task in hand_out.pairs(own_rank_too=False):
        held[rank].append(task)
    held[7].popleft()
    held.n_looks = 0
    hand_out.note_answer(7)
    for rank, task in hand_out.pairs(own_rank_too=False):
        assert rank == 7
        held[rank].append(task)
    assert held.n_looks <= 6
    assert len(held[7]) == 2


class Looked(dict[int, deque[int]]):
    """Counts how often it is asked."""

    n_looks = 0

    def __getitem__(self, rank):
        self.n_looks += 1
        return super().__getitem__(rank)

    def get(self, rank, default=None):
        self.n_looks += 1
        return super().get(rank, default)

    def values(self):
        self.n_looks += len(self)
        return super().values()

    def items(self):
        self.n_looks += len(self)
        return super().items()


@pytest.mark.parametrize("size", [1, 3, 20])
def test_tick_is_called_at_least_once_a_result_or_nap(size):
    """Progress can be shown from it."""
    world, team = lead(size)
    times = []
    for _ in team.map([1] * 100, tick=lambda: times.append(world.now)):
        pass
    assert sorted(set(times)) == list(range(math.ceil(100 / (size if team.computes else size - 1)) + 1))


def test_a_tasks_own_error_reaches_the_caller():
    """A generator of tasks that raises is the caller's affair: nothing wraps it."""
    _, team = lead(3)
    with pytest.raises(ZeroDivisionError):
        list(team.map(1 // x for x in [1, 1, 0]))
