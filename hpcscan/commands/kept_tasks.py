"""Tasks whose results are kept as they arrive: fits of an answer, and toys."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, cast

from hpcscan.arrays import IntArray
from hpcscan.config.validated import Config
from hpcscan.errors import StoppedError
from hpcscan.guard.guard import Finished
from hpcscan.output.log import RoundProgress
from hpcscan.parallel import Coordinator, Done, StopRequest
from hpcscan.scanning.answer_tasks import AnswerFits
from hpcscan.scanning.toy_tasks import n_toys_of
from hpcscan.scanning.work import GridAnswer, GridTask, ScanTask
from hpcscan.table import RecordTable

Team = Coordinator[Config, IntArray, GridTask, GridAnswer]


class Keeper(Protocol):
    """Keeps records, and does what is due from time to time."""

    def keep(self, part: RecordTable) -> None:
        """Keep some records."""

    def tick(self) -> None:
        """Do what is due."""


class KeptTasks:
    """Does tasks on a team, and keeps what comes of them.

    Attributes
    ----------
    n_tasks : int
        Done so far.
    failed : Counter of str
        Fits in which the model raised or took too long, by what happened.
    """

    def __init__(self, team: Team, keeper: Keeper, stop: StopRequest, progress: RoundProgress) -> None:
        self._team, self._keeper, self._stop, self._progress = team, keeper, stop, progress
        self.n_tasks, self.failed = 0, Counter[str]()

    @property
    def n_ranks(self) -> int:
        """Ranks that do them."""
        return self._team.n_ranks

    def __call__(self, tasks: Sequence[ScanTask[RecordTable]]) -> Iterator[RecordTable]:
        """Do tasks, and yield what comes of them as it arrives.

        Raises
        ------
        StoppedError
            Where somebody asked to stop.
        """
        self._progress.begin(len(tasks))
        # Where nothing descends a fit is sooner done again than kept.
        is_kept = any(not isinstance(task, AnswerFits) or task.asked.descends for task in tasks)
        wave = self._team.map(cast("Iterable[GridTask]", tasks), tick=self._tick)
        for done in cast("Iterable[Done[Finished[RecordTable]]]", wave):
            if is_kept:
                self._keeper.keep(done.result.results)
            self.failed.update(failure.kind for failure in done.result.failures)
            self.n_tasks += 1
            self._progress.add(n_toys_of(done.result.results))
            yield done.result.results
        if self._stop.requested:
            raise StoppedError(f"stopped early: {self._stop.requested}")

    def _tick(self) -> None:
        self._keeper.tick()
        self._progress.tick()
