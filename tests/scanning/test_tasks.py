"""What every task knows of itself: its points, what is left without some of them, and what it gives when given up."""

from __future__ import annotations

import numpy as np
import pytest
from output.balls import N_BALLS, Throw
from toy_models import Valleys

from hpcscan.fitting.records import Status
from hpcscan.scanning.chunks import Block, Chunk
from hpcscan.scanning.neighbours import Refit
from hpcscan.scanning.work import Common
from hpcscan.settings import FitSettings
from scanning.serial import first_pass, make_grid

GRID, SETTINGS = make_grid(u=np.linspace(-1, 1, 5), v=[0.0, 1.0]), FitSettings(starts=2, time_limit=3.0)
COMMON = Common(Valleys(), GRID, SETTINGS)
RESULTS = first_pass(Valleys(), GRID, SETTINGS)
TASKS = {
    "chunk": Chunk((Block(np.array([4, 5, 1])), Block(np.array([7])), Block(np.array([0, 9])))),
    "refit": Refit(np.arange(12.0).reshape(6, 2, 1), RESULTS.take(np.array([4, 5, 1, 7, 0, 9]))),
    "other": Throw.of(np.array([4, 5, 1, 7, 0, 9])),
}


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
@pytest.mark.parametrize("step", [[4], [7], [4, 5, 1], [4, 5, 1, 7, 0, 9]])
def test_what_is_left_where_a_rank_hangs(task, step):
    """Each point once, but for a culprit: those of the step one by one, the others together and in their order."""
    left = [part.points.tolist() for part in task.without(np.array(step))]
    others = [point for point in task.points.tolist() if point not in step]
    assert left == [*([[point] for point in step] if len(step) > 1 else []), *([others] if others else [])]


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_a_culprit_is_recorded(task):
    """A step of many points has none yet."""
    assert list(task.hung(COMMON, np.array([4, 5]))) == []
    (finished,) = task.hung(COMMON, np.array([7]))
    (failure,) = finished.failures
    assert (failure.point_index, failure.status) == (7, Status.TIMED_OUT)


def test_what_a_culprit_leaves():
    """Of a fit nothing; of a refit what was known; of another task what it says."""
    (fitted,), (refitted,), (other,) = (task.hung(COMMON, np.array([7])) for task in TASKS.values())
    assert np.isnan(fitted.results.chi2).all()
    assert refitted.results.chi2.tobytes() == RESULTS.chi2[[7]].tobytes()
    assert [one.results.status.tolist() for one in (fitted, refitted)] == [[Status.TIMED_OUT]] * 2
    assert other.results.columns["ball_status"].tolist() == [Status.TIMED_OUT]


def test_a_part_of_a_refit_keeps_its_starts():
    part = TASKS["refit"].only(np.array([False, True, False, False, True, False]))
    assert part.points.tolist() == [5, 0]
    assert part.starts[:, 0, 0].tolist() == [2.0, 8.0]


def test_every_task_says_what_record_it_leaves():
    assert [task.kind for task in TASKS.values()] == ["point", None, "ball"]
    assert max(TASKS["other"].points) < N_BALLS
