"""Progress by a clock that the test turns, and on a terminal of its own."""

import os
import pty
import subprocess
import sys
from contextlib import suppress

import numpy as np
import pytest
from toy_results import PLAIN

from hpcscan.commands.terminal import CLEAR, _fitting
from hpcscan.fitting.records import Evidence, PointResults, Status
from hpcscan.output.log import (
    EARLY,
    EARLY_INTERVAL,
    LATE_INTERVAL,
    LIVE_INTERVAL,
    Progress,
    RepairProgress,
    RoundProgress,
    Telling,
)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Scene:
    """A scan of 100 points that has just begun."""

    def __init__(self) -> None:
        self.clock, self.lines, self.shown = Clock(), [], []
        self.telling = Telling(self.lines.append, self.shown.append, self.clock)
        self.results = PointResults.not_run(PLAIN, np.arange(100), 2)
        self.progress = Progress(100, self.telling, self.results)

    @property
    def line(self) -> str:
        return ", ".join(self.progress.parts())

    def tick_until(self, seconds: float, step: float = 0.25) -> list[float]:
        """Tick often; give the times of the lines."""
        times = []
        while self.clock.now < 1000.0 + seconds:
            self.clock.now += step
            before = len(self.lines)
            self.progress.tick()
            times += [self.clock.now - 1000.0] * (len(self.lines) - before)
        return times

    def finish(self, chi2: list[float], status: Status = Status.CONVERGED, evidence: Evidence = Evidence.NONE) -> None:
        done = slice(self.progress.n_done, self.progress.n_done + len(chi2))
        self.results.chi2[done], self.results.status[done], self.results.evidence[done] = chi2, status, evidence
        self.progress.add(len(chi2))


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


def test_a_terminal_sees_every_change(scene):
    """Between the lines of the log, five times a second."""
    scene.tick_until(2, step=0.01)
    assert scene.lines == []
    assert len(scene.shown) == pytest.approx(2 / LIVE_INTERVAL, abs=1)


def test_a_line_before_anything_has_arrived(scene):
    """There is no rate to extrapolate and no χ²."""
    scene.clock.now += 5
    assert scene.line == "0/100 points, time left unknown, 0/s, none proven or agreed yet, best chi2 none yet"


def test_a_line_counts_and_extrapolates(scene):
    """10 of 100 points in 5 s leave 45 s; shares are those of the whole grid."""
    scene.clock.now += 5
    scene.finish([7.0, 3.0, 8.0, 4.0], evidence=Evidence.PROVEN)
    scene.finish([6.0, 5.0, 9.0], Status.NOT_CONVERGED, Evidence.AGREED)
    scene.finish([np.nan, np.nan, np.nan], Status.FAILED)
    line = "10/100 points, 45 s left, 2/s, 4 % proven, 3 % agreed, 3 points failed, best chi2 3"
    assert scene.line == line


def test_only_the_last_point_makes_a_share_whole(scene):
    scene.results = PointResults.not_run(PLAIN, np.arange(1000), 2)
    scene.progress = Progress(1000, scene.telling, scene.results)
    scene.finish([2.0], evidence=Evidence.AGREED)
    scene.finish([1.0] * 998, evidence=Evidence.PROVEN)
    assert "99 % proven, < 1 % agreed" in scene.line


def test_the_last_line_has_nothing_left(scene):
    scene.clock.now += 0.01
    scene.finish([0.0] * 100, evidence=Evidence.PROVEN)
    assert scene.line == "100/100 points, 0 s left, 10,000/s, 100 % proven, best chi2 0"


def test_a_clock_that_stands_still_does_no_harm(scene):
    scene.finish([1.0])
    assert scene.line.startswith("1/100 points, ")


def test_a_wave_says_which_it_is(scene):
    scene.progress = Progress(20, scene.telling, scene.results, what="wave 3, lattice 3")
    scene.clock.now += 5
    scene.finish([7.0, 3.0], Status.NOT_CONVERGED)
    assert scene.line == "wave 3, lattice 3: 2/20 points, 45 s left, 0.4/s, none proven or agreed yet, best chi2 3"


def test_a_long_wave_of_repair_is_not_silent(scene):
    """A line as often as in the first pass."""
    progress = RepairProgress(2, 40, scene.telling)
    for _ in range(7):
        progress.add(3)
        scene.clock.now += 1
        progress.tick()
    assert scene.lines == [
        "repair, wave 2: 3/40 tasks, 9 points improved",
        "repair, wave 2: 6/40 tasks, 18 points improved",
    ]


def test_a_round_of_fits_says_how_far_it_is(scene):
    progress = RoundProgress("toys", scene.telling)
    progress.begin(8)
    assert progress.parts() == ["toys: round 1, 0/8 tasks"]
    scene.clock.now += 2
    progress.add(100)
    assert progress.parts() == ["toys: 100 made, round 1, 1/8 tasks", "14 s left for it"]


def test_a_narrow_terminal_has_fewer_parts_and_no_part_of_a_number():
    parts = ["12/100 points", "3 s left", "best chi2 123.456"]
    assert _fitting(parts, 100) == "12/100 points, 3 s left, best chi2 123.456"
    assert _fitting(parts, 41) == "12/100 points, 3 s left"
    assert _fitting(parts, 14) == "12/100 points"


SLOW = """
import time

import numpy as np

from hpcscan.model import Gaussian, Model, Parameter


class Slow(Model):
    parameters = (Parameter("a", -3, 3), Parameter("b", -2, 2))
    rows_per_call = 16
    data = (Gaussian("y", np.array([0.3, 0.2]), 0.1),)

    def predict(self, a, b):
        time.sleep(0.004)
        return {"y": np.hstack([a + b, a - np.sin(b)])}
"""


@pytest.fixture
def slow(tmp_path):
    """A scan that takes a second, as its arguments."""
    (tmp_path / "slow.py").write_text(SLOW)
    config = tmp_path / "slow.yaml"
    config.write_text(
        "scan: {a: {min: -1, max: 1, points: 5}}\nmodel: slow.py\nfit: {proof: false, starts: 8}\nrun: {chunk: 1}\n"
    )
    return [sys.executable, "-m", "hpcscan", str(config), "-o", str(tmp_path / "slow.nc")]


def _on_a_terminal(command: list[str], term: str) -> str:
    """Run a command whose standard error is a terminal; give what that got."""
    mine, its = pty.openpty()
    environment = {**os.environ, "TERM": term}
    with subprocess.Popen(command, stderr=its, stdout=subprocess.DEVNULL, env=environment) as process:
        os.close(its)
        text = b""
        # Where nobody has the other end any more, Linux says that reading fails.
        with suppress(OSError):
            while piece := os.read(mine, 1 << 16):
                text += piece
        os.close(mine)
    assert process.returncode == 0
    return text.decode().replace("\r\n", "\n")


def test_on_a_terminal_one_line_changes_and_goes(slow):
    """Every change replaces the one before, and nothing of it is left where a message follows."""
    screen = _on_a_terminal(slow, "xterm")
    changes = [line for line in screen.split("\n") if CLEAR in line]
    assert any(" points, " in line and " left" in line for line in changes)
    assert all(line.startswith(CLEAR) for line in changes)
    # What is seen in the end is what a log would have.
    seen = [line.rpartition(CLEAR)[2] for line in screen.split("\n")]
    assert not any("/s, " in line for line in seen)
    assert any(line.startswith("written: ") for line in seen)


@pytest.mark.parametrize("term", ["dumb", None])
def test_where_nothing_can_change_no_control_character_is_written(slow, term):
    if term:
        text = _on_a_terminal(slow, term)
    else:
        done = subprocess.run(slow, capture_output=True, text=True, timeout=60, check=True)
        text = done.stderr + done.stdout
    assert "written: " in text
    assert not [character for character in text if not character.isprintable() and character != "\n"]
