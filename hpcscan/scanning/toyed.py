"""The toys of a grid as they are kept, for those who have a team of ranks."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict
from typing import Any

import numpy as np

from hpcscan.answer.beginning import Beginning
from hpcscan.answer.frame import Frame
from hpcscan.arrays import Array
from hpcscan.config.validated import Config
from hpcscan.errors import PointError
from hpcscan.fitting.records import PointResults
from hpcscan.model.problem import Problem
from hpcscan.scanning.memory import SHARE, available_memory
from hpcscan.scanning.toying import KIND, Known, Run, ToyBlocks, toys_of
from hpcscan.scanning.work import Common, done_by
from hpcscan.settings import ToySettings
from hpcscan.table import Table
from hpcscan.toys.draws import is_constraint
from hpcscan.toys.fits import BLOCK, Blocks, Making
from hpcscan.toys.keeping import arrays_of
from hpcscan.toys.range import widened
from hpcscan.toys.record import ToyRecord
from hpcscan.toys.toys import NoToysError, Wanted

#: A point has at least one block of toys, in memory twice: as it was made, and in the tally.
BYTES_OF_A_POINT = 2 * 8 * BLOCK

logger = logging.getLogger(__name__)


def toy_record(
    config: Config, model: Problem, results: PointResults, run: Run, known: Known | None = None
) -> ToyRecord | None:
    """Make the toys of a grid; None where none are wanted.

    Parameters
    ----------
    config : Config
    model : Problem
    results : PointResults
        The whole grid.
    run : callable
        Does tasks.
    known : Known, optional
        What an earlier session has made.
    """
    asked = config.toys
    if not asked.are_wanted:
        return None
    settings = json.dumps(asdict(asked))
    refusal = reason_against(model, asked) or _reason_in(results, model) or _too_many(config)
    if refusal:
        return ToyRecord(settings, refusal=refusal)
    common = Common(model, config.grid, config.fit)
    frame, places = _places(model, config, results)
    wanted = _wanted(config, model, frame)
    try:
        found = toys_of(common, places, frame, wanted, run, known or Known(Table.empty(KIND)))
    except NoToysError as error:
        return ToyRecord(settings, refusal=str(error))
    except PointError as error:
        logger.warning("toys are left out: the model fails %s", error)
        return ToyRecord(settings, refusal=f"the model fails {error}")
    return ToyRecord(settings, arrays_of(found, wanted, [axis.name for axis in config.grid.axes]))


def _places(model: Problem, config: Config, results: PointResults) -> tuple[Frame, Array]:
    """Lay out the coordinates of a scan, and its fits in them: shape (n_points, n_coordinates)."""
    begun = Beginning.of(model, config.grid, results)
    return begun.frame, begun.places(np.arange(config.grid.n_points))


def reason_against(model: Problem, asked: ToySettings) -> str:
    """Say why toys of a model would mean nothing; "" where they would."""
    if model.is_scalar:
        return _reason_against_number(model, asked)
    tolerances = [o.name for o in model.observables if o.is_tolerance]
    if tolerances:
        return f"sigma of {tolerances[0]} is a tolerance and no statistical error, so that it says of no fluctuation"
    values = [o for o in model.observables if not is_constraint(o)]
    if not (values or asked.fluctuate.constraints):
        return "nothing fluctuates: the model has constraints alone, and toys.fluctuate.constraints is false"
    if not model.observables:
        return "the model has no data"
    if len(values) > 1 and all(o.kind == "gaussian" and o.observed == 0 and o.sigma == 1 for o in values):
        return (
            "all observed values are 0 with sigma 1: predict seems to compare with data of its own, which toys cannot "
            "replace; declare the data as terms"
        )
    return ""


def _reason_against_number(model: Problem, asked: ToySettings) -> str:
    if not len(model.data):
        return "the model gives -2 ln L alone, and has no simulate, which draws the data of toys"
    return "a model of -2 ln L alone predicts no data, which toys.asimov needs" if asked.asimov else ""


def trial(config: Config, model: Problem, results: PointResults, n_blocks: int) -> ToyBlocks | None:
    """Give a task with some toys at the lowest of a few points, by which their cost can be told; None without any."""
    if reason_against(model, config.toys) or not np.isfinite(results.chi2).any():
        return None
    frame, places = _places(model, config, results)
    lowest = places[[int(np.nanargmin(results.chi2))]]
    fit, wide = config.fit, widened(frame, model.released())
    how = fit.seed, fit.max_iter, fit.precision, config.toys.fluctuate.constraints, fit.precision_floor
    making = Making(wide, lowest, model.observed, *how)
    each = np.arange(n_blocks)
    is_held, n_random = np.ones(n_blocks, bool), np.zeros(n_blocks, np.int64)
    blocks = Blocks(np.repeat(lowest, n_blocks, axis=0), 0 * each, each, is_held, n_random)
    return ToyBlocks(making, each, blocks)


def _reason_in(results: PointResults, model: Problem) -> str:
    if not np.isfinite(results.chi2).any():
        return "no point of the grid has a chi2"
    n, n_axes = int(results.n_determined_axes.max()), len(model.axes)
    if 0 <= n < n_axes:
        return f"the data determine {n} of {n_axes} scanned parameters at every point: a direction is flat"
    return ""


def _too_many(config: Config) -> str:
    """Say that the first toys of all points do not fit into memory; "" where they do, or fewer points may be asked."""
    n_bytes = config.grid.n_points * BYTES_OF_A_POINT
    if config.toys.points != "all" or n_bytes <= SHARE * available_memory():
        return ""
    return f"those of {config.grid.n_points:,} points do not fit into the memory here; set toys.points: contours"


def _wanted(config: Config, model: Problem, frame: Frame) -> Wanted:
    asked, fit, names = config.toys, config.fit, [axis.name for axis in config.grid.axes]
    truths = [np.array(asked.coverage.get(name, ()), float) for name in names]
    is_log = [frame.coordinates[k].is_log for k in frame.scanned]
    columns = [np.log(values) if log else values for values, log in zip(truths, is_log, strict=True)]
    return Wanted(
        n_toys=int(asked.n or 0),
        cl=tuple(sorted(asked.cl)),
        is_everywhere=asked.points == "all",
        is_adaptive=asked.adaptive,
        constraints_fluctuate=asked.fluctuate.constraints,
        is_asimov=asked.asimov,
        coverage_at=np.stack(columns, axis=-1) if columns else np.empty((0, 0)),
        n_experiments=asked.experiments,
        seed=fit.seed,
        max_iter=fit.max_iter,
        precision=Common(model, config.grid, config.fit).precision,
    )


def toys_in_memory(team: Any, config: Config, model: Problem, results: PointResults) -> ToyRecord | None:
    """Compute the same with the ranks of a team, or on this process alone, without a journal."""
    return toy_record(config, model, results, done_by(team))
