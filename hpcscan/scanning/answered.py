"""The answer of a grid as it is kept, for those who have a team of ranks."""

from __future__ import annotations

import logging
from contextlib import nullcontext
from typing import Any

from hpcscan.answer.answer import Wanted
from hpcscan.answer.keeping import Levels, record_of
from hpcscan.answer.record import AnswerRecord
from hpcscan.config.validated import Config
from hpcscan.distribution import level_of
from hpcscan.errors import PointError
from hpcscan.fitting.records import PointResults
from hpcscan.model.problem import Problem
from hpcscan.scanning.answering import Calling, Run, answer_of
from hpcscan.scanning.work import Common, done_by
from hpcscan.settings import AnswerSettings
from hpcscan.table import Table

logger = logging.getLogger(__name__)


def answer_record(  # noqa: PLR0913, PLR0917  (who does the fits, and what is known)
    config: Config,
    model: Problem,
    results: PointResults,
    run: Run,
    known: Table | None = None,
    calling: Calling = nullcontext,
) -> AnswerRecord | None:
    """Fit the answer of a grid; None where none is wanted, or no point has a χ².

    Parameters
    ----------
    config : Config
    model : Problem
    results : PointResults
        The whole grid.
    run : callable
        Does tasks.
    known : Table, optional
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
    wanted = Wanted(tuple(levels.one), tuple(levels.two), *how, precision=common.precision)
    try:
        found = answer_of(common, results, wanted, run, known, calling)
    except PointError as error:
        logger.warning("the answer is left out: %s", error)
        return None
    return None if found is None else record_of(found, model, levels, [axis.name for axis in config.grid.axes])


def answer_in_memory(team: Any, config: Config, model: Problem, results: PointResults) -> AnswerRecord | None:
    """Compute the same with the ranks of a team, or on this process alone, without a journal."""
    return answer_record(config, model, results, done_by(team))
