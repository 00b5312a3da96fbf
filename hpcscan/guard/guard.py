"""Points are fitted together; where that raises or takes too long they are fitted one by one, to find the culprits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from hpcscan.arrays import IntArray
from hpcscan.fitting.records import Status
from hpcscan.guard.failures import Failure, describe_exception, describe_time_out
from hpcscan.guard.spot import Doubt
from hpcscan.guard.time_limit import TimeLimit, TimeUpError
from hpcscan.table import Joinable

#: How the work says which points it begins, and within how many seconds it will have begun others or ended.
Promise = Callable[[IntArray, float], None]

#: A rank that hangs is given up after the time limit, the same again for a call that ends late, and these seconds.
SLACK = 5.0


#: Records that a task gives: `PointResults`, or a `Table` where it is not about grid points.
ResultsT = TypeVar("ResultsT", bound=Joinable)


@dataclass(frozen=True)
class Finished(Generic[ResultsT]):
    """A task that has been done.

    Attributes
    ----------
    failures : tuple of Failure
        Of the points that raised or took too long.
    doubts : tuple of Doubt
        What a spot check found.
    """

    results: ResultsT
    failures: tuple[Failure, ...] = ()
    doubts: tuple[Doubt, ...] = ()

    @classmethod
    def joined(cls, parts: list[Finished[ResultsT]]) -> Finished[ResultsT]:
        """Put parts one after another."""
        results = type(parts[0].results).joined([part.results for part in parts])
        return cls(results, tuple(failure for part in parts for failure in part.failures))


@dataclass(frozen=True)
class Fit(Generic[ResultsT]):
    """How to fit some points of a task, given by their place in it.

    Attributes
    ----------
    give_up : callable
        What is recorded of points that got a status instead.
    """

    compute: Callable[[IntArray], ResultsT]
    give_up: Callable[[IntArray, Status], ResultsT]


@dataclass(frozen=True)
class Guard:
    """Fits points whatever a model does.

    Attributes
    ----------
    limit : TimeLimit
        What a point may take.
    are_alone : bool
        Whether a limit on time makes all points be fitted alone: a call that hangs in C costs a rank, and one of many
        points would cost a second to find the culprit.
    """

    limit: TimeLimit
    promise: Promise
    are_alone: bool = True

    def run(self, point_index: IntArray, fit: Fit[ResultsT]) -> Finished[ResultsT]:
        """Fit all points of a block.

        Parameters
        ----------
        point_index : int array, shape (n,)
        """
        every = np.arange(len(point_index))
        if self.limit.seconds is not None and self.are_alone:
            return self._one_by_one(every, point_index, fit)
        try:
            return Finished(self._compute(every, point_index, fit))
        except Exception as error:  # noqa: BLE001 - whatever a model raises
            if len(every) == 1:
                return _failed(every, point_index, fit, error)
        except TimeUpError:
            if len(every) == 1:
                return self._timed_out(every, point_index, fit)
        return self._one_by_one(every, point_index, fit)

    def _one_by_one(self, every: IntArray, point_index: IntArray, fit: Fit[ResultsT]) -> Finished[ResultsT]:
        return Finished.joined([self._alone(row, point_index, fit) for row in every[:, None]])

    def _alone(self, row: IntArray, point_index: IntArray, fit: Fit[ResultsT]) -> Finished[ResultsT]:
        try:
            return Finished(self._compute(row, point_index, fit))
        except Exception as error:  # noqa: BLE001 - whatever a model raises
            return _failed(row, point_index, fit, error)
        except TimeUpError:
            return self._timed_out(row, point_index, fit)

    def _compute(self, rows: IntArray, point_index: IntArray, fit: Fit[ResultsT]) -> ResultsT:
        if self.limit.seconds is not None:
            self.promise(point_index[rows], 2 * self.limit.seconds + SLACK)
        with self.limit.armed():
            return fit.compute(rows)

    def _timed_out(self, row: IntArray, point_index: IntArray, fit: Fit[ResultsT]) -> Finished[ResultsT]:
        failure = describe_time_out(int(point_index[row[0]]), self.limit.seconds or 0)
        return Finished(fit.give_up(row, Status.TIMED_OUT), (failure,))


def _failed(row: IntArray, point_index: IntArray, fit: Fit[ResultsT], error: Exception) -> Finished[ResultsT]:
    failure = describe_exception(int(point_index[row[0]]), error)
    return Finished(fit.give_up(row, Status.FAILED), (failure,))
