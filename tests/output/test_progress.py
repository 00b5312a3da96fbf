"""Progress by a clock that the test turns."""

import numpy as np
import pytest
from toy_results import PLAIN

from hpcscan.fitting.records import PointResults, Status
from hpcscan.output.log import EARLY, EARLY_INTERVAL, LATE_INTERVAL, Progress, RepairProgress


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Scene:
    """A scan of 100 points that has just begun."""

    def __init__(self) -> None:
        self.clock, self.lines = Clock(), []
        self.progress = Progress(100, self.lines.append, self.clock)

    def tick_until(self, seconds: float, step: float = 0.25) -> list[float]:
        """Tick often; give the times of the lines."""
        times = []
        while self.clock.now < 1000.0 + seconds:
            self.clock.now += step
            before = len(self.lines)
            self.progress.tick()
            times += [self.clock.now - 1000.0] * (len(self.lines) - before)
        return times

    def finish(self, chi2: list[float], status: Status = Status.CONVERGED) -> None:
        done = PointResults.not_run(PLAIN, np.arange(len(chi2)), 2)
        done.chi2[:], done.status[:] = chi2, status
        self.progress.add(done, 30 * len(chi2))


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_scan_of_a_moment_has_no_progress(scene):
    """Nothing is written before the first interval has passed."""
    assert scene.tick_until(EARLY_INTERVAL - 0.25) == []
    assert scene.tick_until(EARLY_INTERVAL) == [EARLY_INTERVAL]


def test_lines_come_every_few_seconds_at_first_and_then_every_half_minute(scene):
    times = scene.tick_until(300)
    early = [time for time in times if time < EARLY]
    late = [time for time in times if time >= EARLY]
    assert np.diff([0, *early]).tolist() == [EARLY_INTERVAL] * len(early)
    assert early[-1] >= EARLY - EARLY_INTERVAL
    assert np.diff([early[-1], *late]).tolist() == [LATE_INTERVAL] * len(late)
    assert len(late) == (300 - early[-1]) // LATE_INTERVAL


def test_after_a_long_task_there_is_one_line_and_not_a_burst(scene):
    scene.clock.now += 40
    for _ in range(5):
        scene.progress.tick()
    assert len(scene.lines) == 1


def test_a_line_before_anything_has_arrived(scene):
    """There is no rate to extrapolate and no χ²."""
    scene.clock.now += 5
    line = "0/100 points, 0 points/s, 0 model rows, time left unknown, 0 not converged, best chi2 none yet"
    assert scene.progress.line() == line


def test_a_line_counts_and_extrapolates(scene):
    """10 of 100 points in 5 s leave 45 s."""
    scene.clock.now += 5
    scene.finish([7.0, 3.0, 8.0, 4.0])
    scene.finish([6.0, 5.0, 9.0], Status.NOT_CONVERGED)
    scene.finish([np.nan, np.nan, np.nan], Status.FAILED)
    line = "10/100 points, 2 points/s, 300 model rows, time left 45 s, 6 not converged, best chi2 3"
    assert scene.progress.line() == line


def test_the_last_line_has_nothing_left(scene):
    scene.clock.now += 0.01
    scene.finish([0.0] * 100)
    line = "100/100 points, 10,000 points/s, 3,000 model rows, time left 0 s, 0 not converged, best chi2 < 1e-06"
    assert scene.progress.line() == line


def test_a_clock_that_stands_still_does_no_harm(scene):
    scene.finish([1.0])
    assert scene.progress.line().startswith("1/100 points, ")


def test_a_wave_says_which_it_is_and_judges_nothing(scene):
    """Whether points have converged is known when all waves are done."""
    scene.progress = Progress(20, scene.lines.append, scene.clock, what="wave 3, lattice 3: ")
    scene.clock.now += 5
    scene.finish([7.0, 3.0], Status.NOT_CONVERGED)
    line = "wave 3, lattice 3: 2/20 points, 0.4 points/s, 60 model rows, time left 45 s, best chi2 3"
    assert scene.progress.line() == line


def test_a_long_wave_of_repair_is_not_silent():
    """A line as often as in the first pass."""
    now, written = [0.0], []
    progress = RepairProgress(2, 40, written.append, lambda: now[0])
    for second in range(8):
        now[0] = float(second)
        progress.add(3)
        progress.tick()
    assert written == [
        "repair, wave 2: 4/40 tasks, 12 points improved",
        "repair, wave 2: 7/40 tasks, 21 points improved",
    ]
