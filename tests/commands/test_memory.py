"""What rank 0 needs for one more point, everything included: results, journal, repair, file, verdict, and resume."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from commands.results import read
from hpcscan.commands.request import RunRequest
from hpcscan.commands.run import lead
from hpcscan.config.building import build_model
from hpcscan.config.read import read_config
from hpcscan.config.validated import Config
from hpcscan.errors import StoppedError
from hpcscan.fitting.records import PointResults, Status
from hpcscan.guard.guard import Finished
from hpcscan.parallel import Done, SerialWorld, StopRequest
from hpcscan.scanning.answer_tasks import AnswerFits
from hpcscan.scanning.chunks import Block, Chunk
from hpcscan.scanning.cost import bytes_per_point
from hpcscan.scanning.work import perform

MOST_BYTES = 1000
SCAN = """\
scan: {{beta: {{min: 2.95, max: 3.25, points: {}}}, w: {{min: 0.005, max: 0.05, points: {}, spacing: log}}}}
model: {{name: leptons, options: {{box: published}}}}
fit: {{starts: {}}}
"""
SMALL, LARGE = (200, 100), (300, 200)


@dataclass
class Tiled:
    """Stands in for the ranks: every chunk has the results of the same few points, which nobody computes again."""

    few: PointResults
    is_proven: bool = True
    is_stopped: bool = False
    n_ranks: ClassVar[int] = 1

    def brief(self, job: Config, *, rescue: object) -> None:
        self.job = job

    def map(self, tasks: Iterable[object], *, tick: Callable[[], None]) -> Iterator[Done[Finished]]:
        for task in tasks:
            tick()
            yield Done(0, self._answer(task) if isinstance(task, AnswerFits) else Finished(self._point(task)))
        if self.is_stopped:
            raise StoppedError("enough")

    def _answer(self, task: AnswerFits) -> Finished:
        """Every fit of the answer ends where it begins, with the same χ²."""
        results = task.give_up(self.job, np.arange(len(task.rows)), Status.FAILED)
        results.columns["answer_chi2"][:], results.columns["answer_is_good"][:] = 1.0, 1
        return Finished(results)

    def _point(self, task: object) -> PointResults:
        return self._fit(task) if isinstance(task, Chunk) else self._refit(task.current)

    def _fit(self, chunk: Chunk) -> PointResults:
        rows = chunk.points % len(self.few.status)
        results = replace(self.few.take(rows), point_index=chunk.points)
        if not self.is_proven:
            results.chi2_lower_bound[:] = np.nan
        return results

    def _refit(self, current: PointResults) -> PointResults:
        current.chi2[:] -= 1.0
        current.repaired[:] = 1
        return current


def results_of_few(path: Path, n: int = 64) -> PointResults:
    config = read_config(str(path), ())
    chunk = Chunk((Block(np.arange(n)),))
    return perform(build_model(config.model), config.grid, config.fit, chunk).results


def peak(path: Path, team: Tiled, *, resume: bool = False) -> int:
    """Most memory that numpy and Python hold at once while a scan runs, in bytes."""
    request = RunRequest(str(path), output=str(path.with_suffix(".nc")), resume=resume, overwrite=not resume)
    gc.collect()
    tracemalloc.start()
    try:
        lead(request, SerialWorld(), StopRequest(), team)
    except StoppedError:
        assert team.is_stopped
    finally:
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return highest


def growth(folder: Path, starts: str, measure: Callable[[Path, PointResults], int]) -> float:
    """Bytes for one more point."""
    peaks, few = [], None
    for shape in ((20, 10), SMALL, LARGE):
        path = folder / f"{shape[0]}.yaml"
        path.write_text(SCAN.format(*shape, starts))
        few = few or results_of_few(path)
        peaks.append(measure(path, few))
    return (peaks[2] - peaks[1]) / (np.prod(LARGE) - np.prod(SMALL))


def whole(path: Path, few: PointResults) -> int:
    return peak(path, Tiled(few))


def unproven(path: Path, few: PointResults) -> int:
    """Every wave of repair changes every point."""
    highest = peak(path, Tiled(few, is_proven=False))
    assert read(path.with_suffix(".nc"))["repaired"].all()
    return highest


def resumed(path: Path, few: PointResults) -> int:
    """All points are in the journal; and before that, a run that stops."""
    stopped = peak(path, Tiled(few, is_stopped=True))
    resumed = peak(path, Tiled(few), resume=True)
    assert (read(path.with_suffix(".nc"))["status"] == Status.CONVERGED).all()
    return max(stopped, resumed)


@pytest.mark.parametrize(
    ("measure", "starts", "least"), [(whole, "{min: 1, max: 16}", 0.8), (unproven, "16", 0.9), (resumed, "16", 0.8)]
)
def test_rank_0_needs_less_than_a_kilobyte_for_a_point(tmp_path, monkeypatch, measure, starts, least):
    """Of the lepton model with 16 starts, whose results are 587 bytes: what `plan` says, where all are repaired."""
    # The model would not agree to results of other points.
    monkeypatch.setattr("hpcscan.commands.run.check_same_model", lambda *_: [])
    found = growth(tmp_path, starts, measure)
    config = read_config(str(tmp_path / "20.yaml"), ())
    estimate = bytes_per_point(build_model(config.model), config.fit.n_starts)
    assert least * estimate < found < estimate < MOST_BYTES
