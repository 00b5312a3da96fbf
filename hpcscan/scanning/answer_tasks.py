"""The fits of an answer as tasks: waves of them, whoever does them, and what an earlier session has done already."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hpcscan.answer.answer_arrays import Levels, record_of
from hpcscan.answer.answer_record import AnswerRecord
from hpcscan.answer.best_fit import Beginning, Proven, nothing_proven, prove
from hpcscan.answer.coordinates import Frame
from hpcscan.answer.grid_answer import AnswerMeans, AnswerRequest, FittedAnswer, answer
from hpcscan.answer.held_fits import Asked, Fits, Fitter
from hpcscan.answer.surroundings import Surroundings, surroundings
from hpcscan.arrays import Array, IntArray
from hpcscan.config.validated import Config
from hpcscan.distribution import level_of
from hpcscan.errors import PointError
from hpcscan.fitting.records import PointResults, Status
from hpcscan.fitting.refit import refit_block
from hpcscan.grid import place_text
from hpcscan.guard.guard import Finished
from hpcscan.guard.guarded import guarded
from hpcscan.guard.time_limit import TimeLimit, TimeUpError
from hpcscan.model.problem import Problem, scale_names
from hpcscan.scanning.chunks import alone
from hpcscan.scanning.neighbours import settle
from hpcscan.scanning.work import Calling, Common, DoneBy, Run, ScanTask, WaveTask, failing
from hpcscan.settings import AnswerSettings
from hpcscan.table import Column, ColumnQuantity, RecordKind, RecordTable
from hpcscan.tolerance import tie_tolerance

#: Fits of a task, at least and at most: many share what a call costs. At least so many where nothing is minimised.
LEAST_FITS, MOST_FITS, LEAST_PLACES = 8, 256, 64
#: A wave is cut into so many tasks for every rank.
TASKS_OF_A_RANK = 2
KIND = "answer_fit"
AT_THE_BEST_FIT = "the model fails at the best fit"


def fit_kind(n_coordinates: int) -> RecordKind:
    """Return what is kept of a fit, so that an answer that was interrupted goes on where it was."""
    of = (n_coordinates,)
    return RecordKind(
        name=KIND,
        dimension="answer_fit",
        quantities=(
            ColumnQuantity(Column("answer_wave", "<i8"), "wave of the fit", unit=None),
            ColumnQuantity(Column("answer_row", "<i8"), "place of the fit in its wave", unit=None),
            ColumnQuantity(Column("answer_z", "<f8", of), "coordinates where it ended", dims=("answer_coordinate",)),
            ColumnQuantity(Column("answer_chi2", "<f8"), "chi2 there"),
            ColumnQuantity(Column("answer_gradient", "<f8", of), "slopes of chi2 there", dims=("answer_coordinate",)),
            ColumnQuantity(Column("answer_is_good", "|i1"), "whether it met its tolerance", unit=None),
            ColumnQuantity(Column("answer_rank", "<i4"), "rank of the Jacobian, where it was asked for", unit=None),
        ),
        key=("answer_wave", "answer_row"),
        is_in_file=False,
    )


def kind_of(problem: Problem) -> RecordKind:
    """Return the same for the answer of a problem."""
    return fit_kind(len(problem.axes) + len(problem.parameters) + len(scale_names(problem)))


@dataclass(frozen=True)
class AnswerFits(WaveTask[Asked]):
    """Some fits of one wave."""

    kind = KIND
    frame: Frame
    wave: int

    def give_up(self, common: Common, rows: IntArray, status: Status) -> RecordTable:
        """Record fits that came to nothing."""
        z = self.asked.starts[rows, 0]
        return self._table(rows, Fits.at(z, np.full(len(z), np.inf), np.zeros(len(z), bool)))

    def without(self, step: IntArray) -> list[ScanTask[RecordTable]]:
        """Return nothing to do instead: an answer that would cost a rank again and again is left out."""
        return []

    def hung(self, common: Common, step: IntArray) -> Sequence[Finished[RecordTable]]:
        """Leave the answer out, and say where the model hangs."""
        at = self.frame.natural(self.asked.starts[np.isin(self.rows, step), 0])[0]
        place = place_text(self.frame.names, (f"{value:g}" for value in at))
        raise PointError(f"the model hangs in a call that cannot be interrupted, in a fit that begins at {place}")

    def done(self, common: Common, rows: IntArray) -> RecordTable:
        """Do the fits."""
        return self._table(rows, fitter_of(common, self.frame)(self.asked.take(rows)))

    def _table(self, rows: IntArray, fits: Fits) -> RecordTable:
        kind = fit_kind(fits.z.shape[1])
        wave = np.full(len(rows), self.wave, np.int64)
        columns = (wave, self.rows[rows], fits.z, fits.chi2, fits.gradient, fits.is_good.astype(np.int8), fits.rank)
        return RecordTable(kind, dict(zip((column.name for column in kind.layout), columns, strict=True)))


def fitter_of(common: Common, frame: Frame) -> Fitter:
    """Make what does the fits of an answer."""
    settings = common.settings
    return Fitter(common.model.released(), frame, settings.precision, settings.max_iter, settings.precision_floor)


class Waves:
    """Does the fits of one wave after another; each ends before the next begins.

    Parameters
    ----------
    known : RecordTable, optional
        What an earlier session has done.
    first : int
        Number of the first wave.
    size : int, optional
        Fits of a task, where that does not depend on the wave.
    """

    def __init__(
        self, frame: Frame, run: Run, known: RecordTable | None = None, first: int = 0, size: int | None = None
    ) -> None:
        self._frame, self._run, self._wave, self._size = frame, run, first, size
        self._known: dict[int, list[RecordTable]] = {}
        if known is not None:
            waves = known.columns["answer_wave"]
            for wave in np.unique(waves).tolist():
                self._known[wave] = [known.take(np.flatnonzero(waves == wave))]

    def __call__(self, questions: Sequence[Asked]) -> Sequence[Fits]:
        """Do the fits of one wave."""
        tables, first, tasks = self._known.pop(self._wave, []), 0, list[AnswerFits]()
        is_known = np.zeros(sum(asked.n for asked in questions), bool)
        # A journal may be anybody's: where its rows are not those of this wave, the wave is done again.
        tables = [table for table in tables if _belongs(table.columns["answer_row"], len(is_known))]
        for table in tables:
            is_known[table.columns["answer_row"]] = True
        for asked in questions:
            todo = np.flatnonzero(~is_known[first : first + asked.n])
            share = -(-len(todo) // (TASKS_OF_A_RANK * self._run.n_ranks))
            least = LEAST_FITS if asked.descends else LEAST_PLACES
            size = self._size or min(max(share, least), MOST_FITS)
            for part in (todo[i : i + size] for i in range(0, len(todo), size)):
                tasks.append(AnswerFits(first + part, asked.take(part), self._frame, self._wave))
            first += asked.n
        tables += self._run(tasks) if tasks else []
        self._wave += 1
        return _divided(tables, questions)


def _belongs(rows: IntArray, n: int) -> bool:
    """Whether these are places in a wave of n fits, none of them twice."""
    return bool(((rows >= 0) & (rows < n)).all()) and len(np.unique(rows)) == len(rows)


def _divided(tables: Sequence[RecordTable], questions: Sequence[Asked]) -> list[Fits]:
    """Put the fits of a wave in order, and give each question its own."""
    if not tables:
        return [Fits.at(a.starts[:, 0], np.empty(0), np.empty(0, bool)) for a in questions]
    found: dict[str, Any] = dict(RecordTable.joined(tables).ordered().columns)
    is_good = found["answer_is_good"].astype(bool)
    z, chi2, gradient, rank = (found[f"answer_{name}"] for name in ("z", "chi2", "gradient", "rank"))
    fits = Fits(z, chi2, gradient, is_good, rank)
    ends = np.cumsum([asked.n for asked in questions])
    return [fits.take(np.arange(end - asked.n, end)) for end, asked in zip(ends.tolist(), questions, strict=True)]


def answer_of(  # noqa: PLR0913, PLR0917  (who does the fits, and what is known)
    common: Common,
    results: PointResults,
    wanted: AnswerRequest,
    run: Run,
    known: RecordTable | None = None,
    calling: Calling = nullcontext,
) -> FittedAnswer | None:
    """Find the answer of a grid; None where no point has a χ².

    Parameters
    ----------
    results : PointResults
        The whole grid.
    known : RecordTable, optional
        Fits of an earlier session.
    calling : callable, optional
        See `Calling`.
    """
    if not np.isfinite(results.chi2).any():
        return None
    begun = Beginning.of(common.model, common.grid, results)
    frame = begun.frame
    limit = TimeLimit(common.settings.time_limit)
    fitter = fitter_of(replace(common, model=guarded(common.model, limit)), frame)

    def look(z: Array) -> Surroundings:
        with failing(AT_THE_BEST_FIT, limit, calling):
            return surroundings(fitter, z)

    def proof(z: Array, chi2: float) -> Proven:
        budget, fit = common.settings.proof, common.settings
        is_provable = fit.is_enclosable or not common.model.parameters
        if budget is None or not (is_provable or fit.is_local):
            return nothing_proven(z)
        try:
            with limit.armed():
                return prove(common.model.released(), frame, z, chi2, budget.boxes if is_provable else None)
        except (TimeUpError, Exception):  # noqa: BLE001 - whatever a model raises, its minimum is then not proven
            return nothing_proven(z)

    waves = Waves(frame, run, known, size=alone(common.model))
    return answer(begun, wanted, AnswerMeans(waves, look, proof))


def _give_back(common: Common, results: PointResults, found: FittedAnswer, calling: Calling) -> None:
    """Refit the only point of a scan of nothing from the best fit, where that is lower: they are one problem.

    Then the starts of the point agreed on another place, and their agreement is worth nothing.
    """
    chi2 = results.chi2[:1]
    if common.grid.axes or not (found.minima.chi2[:1] < chi2 - tie_tolerance(chi2, common.precision)).all():
        return
    limit = TimeLimit(common.settings.time_limit)
    model, points = guarded(common.model, limit), common.points(results.point_index)
    starts = found.minima.z[None, :1, list(found.frame.parameters)]
    with failing(AT_THE_BEST_FIT, limit, calling):
        results.put(refit_block(model, points, starts, results.take(np.zeros(1, np.int64)), common.settings))
        settle(common.grid, model, common.settings, results)


logger = logging.getLogger(__name__)


def answer_record(  # noqa: PLR0913, PLR0917  (who does the fits, and what is known)
    config: Config,
    model: Problem,
    results: PointResults,
    run: Run,
    known: RecordTable | None = None,
    calling: Calling = nullcontext,
) -> AnswerRecord | None:
    """Fit the answer of a grid; None where none is wanted, or no point has a χ².

    Parameters
    ----------
    results : PointResults
        The whole grid.
    run : callable
        Does tasks.
    known : RecordTable, optional
        Fits of an earlier session.
    calling : callable, optional
        See `Calling`.
    """
    asked = config.answer
    if not asked.fitted:
        return None
    # Verdict, tables and figures show 1σ to 3σ, whatever else is asked for.
    levels_of_all = sorted({*asked.cl, *AnswerSettings().cl})
    one, two = ({level_of(cl, n): cl for cl in levels_of_all} for n in (1, 2))
    levels = Levels(one, two)
    common = Common(model, config.grid, config.fit)
    how = asked.intervals, asked.contours, config.fit.seed
    wanted = AnswerRequest(tuple(levels.one), tuple(levels.two), *how, precision=common.precision)
    try:
        found = answer_of(common, results, wanted, run, known, calling)
        if found is not None:
            _give_back(common, results, found, calling)
    except PointError as error:
        logger.warning("the answer is left out: %s", error)
        return None
    return None if found is None else record_of(found, model, levels, [axis.name for axis in config.grid.axes])


def answer_in_memory(team: Any, config: Config, model: Problem, results: PointResults) -> AnswerRecord | None:
    """Compute the same with the ranks of a team, or on this process alone, without a journal."""
    return answer_record(config, model, results, DoneBy(team))
