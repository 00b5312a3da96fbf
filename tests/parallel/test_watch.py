"""Promises, on a clock of the test's own."""

from __future__ import annotations

from hpcscan.parallel.handout import Watch
from hpcscan.parallel.messages import Promise


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def looks(watch: Watch[str], clock: Clock, n: int, seconds: float) -> list[tuple[int, str]]:
    """Look n times; give what the last look finds."""
    found = []
    for _ in range(n):
        clock.now += seconds
        found = watch.overdue()
    return found


def test_a_rank_is_overdue_when_its_time_is_up():
    """Not before, and not after it was heard of again."""
    clock = Clock()
    watch: Watch[str] = Watch(clock)
    watch.expect(Promise(1, "first", 10.0))
    watch.expect(Promise(2, "other", 20.0))
    assert looks(watch, clock, 100, 0.1) == []
    assert looks(watch, clock, 2, 0.1) == [(1, "first")]
    watch.expect(Promise(1, "second", 5.0))
    assert looks(watch, clock, 50, 0.1) == []
    watch.forget(1)
    assert looks(watch, clock, 100, 0.1) == [(2, "other")]


def test_time_in_which_nobody_looked_hardly_counts():
    """Rank 0 was busy; the answers may be on their way."""
    clock = Clock()
    watch: Watch[str] = Watch(clock)
    watch.expect(Promise(1, "step", 10.0))
    assert looks(watch, clock, 3, 1000.0) == []
    assert looks(watch, clock, 8, 1000.0) == [(1, "step")]
