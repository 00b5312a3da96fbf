"""Toys as tasks: blocks of them, whoever makes them, and what an earlier session has made already."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import count
from typing import Any

import numpy as np

from hpcscan.answer.best_fit import Beginning
from hpcscan.answer.coordinates import Frame
from hpcscan.arrays import Array, IntArray
from hpcscan.config.validated import Config
from hpcscan.errors import PointError
from hpcscan.fitting.records import PointResults, Status
from hpcscan.guard.guarded import guarded
from hpcscan.guard.time_limit import TimeLimit
from hpcscan.model.problem import Problem
from hpcscan.scanning.answer_tasks import Waves
from hpcscan.scanning.chunks import alone
from hpcscan.scanning.cost import SHARE, available_memory
from hpcscan.scanning.work import Common, DoneBy, Run, WaveTask, failing
from hpcscan.settings import ToySettings
from hpcscan.table import Column, ColumnQuantity, RecordKind, RecordTable
from hpcscan.toys.construction import NoToysError, ToyFindings, ToyMeans, ToyPlan, toys
from hpcscan.toys.draws import is_constraint
from hpcscan.toys.rounds import Make
from hpcscan.toys.toy_arrays import arrays_of
from hpcscan.toys.toy_ends import Shared
from hpcscan.toys.toy_fits import BLOCK, Blocks, Making, Statistics, ToyFitter
from hpcscan.toys.toy_record import ToyRecord
from hpcscan.toys.toy_regions import widened

#: Blocks of a task: many share what a call costs; fewer where a wave has few, so that many ranks have something to do,
#: and down to the last number where a row alone is dear.
MOST_BLOCKS, LEAST_BLOCKS, LEAST_DEAR, TASKS_OF_A_WAVE = 20, 8, 1, 64
#: Waves of fits to the data are numbered from here on: those of the answer come before.
FIRST_WAVE = 1_000_000

#: A point has at least one block of toys, in memory twice: as it was made, and in the tally.
BYTES_OF_A_POINT = 2 * 8 * BLOCK

#: Every making of toys has a number of its own.
NUMBERS = count()

KIND = RecordKind(
    name="toy_block",
    dimension="toy_block",
    quantities=(
        ColumnQuantity(Column("toy_place", "<i8"), "number of the place where the toys were made", unit=None),
        ColumnQuantity(Column("toy_block_number", "<i8"), "number of the block of toys", unit=None),
        ColumnQuantity(Column("toy_t", "<f8", (BLOCK,)), "difference of chi2 of each toy", dims=("toy_of_block",)),
        ColumnQuantity(Column("toy_n_negative", "<i8"), "toys whose released fit was higher", unit=None),
        ColumnQuantity(Column("toy_n_lower", "<i8"), "toys for which a random start was lower", unit=None),
        ColumnQuantity(Column("toy_n_at_end", "<i8"), "toys whose best fit rests on an end of the range", unit=None),
    ),
    key=("toy_place", "toy_block_number"),
    is_in_file=False,
)


@dataclass(frozen=True)
class ToyBlocks(WaveTask[Blocks]):
    """Some blocks of toys; those of a block that raises have failed.

    Attributes
    ----------
    making : Making
    number : int
        The same for all who share what is known of places.
    """

    kind = KIND.name
    making: Making
    number: int

    def give_up(self, common: Common, rows: IntArray, status: Status) -> RecordTable:
        """Record toys that came to nothing."""
        zero = np.zeros(len(rows), np.int64)
        return self._table(rows, Statistics(np.full((len(rows), BLOCK), np.nan), zero, zero, zero))

    def done(self, common: Common, rows: IntArray) -> RecordTable:
        """Make the toys and fit them."""
        return self._table(
            rows, ToyFitter(common.model.released(), self.making, _shared(self.number))(self.asked.take(rows))
        )

    def _table(self, rows: IntArray, found: Statistics) -> RecordTable:
        about = self.asked.take(rows)
        columns = (about.place, about.number, found.t, found.n_negative, found.n_lower, found.n_at_end)
        return RecordTable(KIND, dict(zip((column.name for column in KIND.layout), columns, strict=True)))


@lru_cache(maxsize=1)
def _shared(_number: int) -> Shared:
    """Return what this process knows of the places of some toys."""
    return Shared()


class ToyWaves:
    """Makes the toys of one wave after another; each ends before the next begins.

    Parameters
    ----------
    known : dict
        What an earlier session has made, by place and block.
    least : int
        Blocks of a task.
    """

    def __init__(self, making: Making, run: Run, known: dict[tuple[int, ...], RecordTable], least: int) -> None:
        self._making, self._run, self._known, self._least = making, run, known, least
        self._number = next(NUMBERS)

    def __call__(self, blocks: Blocks) -> Statistics:
        """Make the toys of one wave."""
        keys = list(zip(blocks.place.tolist(), blocks.number.tolist(), strict=True))
        found, tasks = dict[tuple[int, ...], RecordTable](), list[ToyBlocks]()
        # No rank has two blocks while another one has none: a round of few blocks is over as soon as that can be.
        share = -(-len(keys) // self._run.n_ranks)
        size = min(max(len(keys) // TASKS_OF_A_WAVE, min(self._least, share)), MOST_BLOCKS)
        for first in range(0, len(keys), size):
            rows = np.arange(first, min(first + size, len(keys)))
            # A task is done again as a whole where a block of it is missing.
            if all(keys[row] in self._known for row in rows.tolist()):
                found |= {keys[row]: self._known[keys[row]] for row in rows.tolist()}
            else:
                tasks.append(ToyBlocks(rows, blocks.take(rows), self._making, self._number))
        for table in self._run(tasks) if tasks else ():
            found |= by_key(table)
        table = RecordTable.joined([found[key] for key in keys])
        t, *counts = (table.columns[column.name] for column in KIND.layout[2:])
        return Statistics(t, *counts)


def n_toys_of(table: RecordTable) -> int:
    """Count the toys in what a task has left."""
    return table.n_records * BLOCK if table.kind.name == KIND.name else 0


def by_key(table: RecordTable) -> dict[tuple[int, ...], RecordTable]:
    """Return every record by its key."""
    return {key: table.take(np.array([row])) for row, key in enumerate(table.keys)}


@dataclass(frozen=True)
class Known:
    """What an earlier session has done."""

    blocks: RecordTable
    fits: RecordTable | None = None


def toys_of(  # noqa: PLR0913, PLR0917  (what toys follow from)
    common: Common, places: Array, frame: Frame, wanted: ToyPlan, run: Run, known: Known
) -> ToyFindings:
    """Find what toys say of a grid.

    Parameters
    ----------
    places : array, shape (n_points, n_coordinates)
        The fits of the grid; NaN where one failed.
    frame : Frame
        Of the grid.

    Raises
    ------
    NoToysError
        Where toys would mean nothing.
    PointError
        Where the model fails for what rank 0 asks of it.
    """
    limit, done = TimeLimit(common.settings.time_limit), by_key(known.blocks)
    free = guarded(common.model, limit).released()
    least = LEAST_BLOCKS if alone(common.model) is None else LEAST_DEAR

    def maker(making: Making) -> Make:
        return ToyWaves(making, run, done, least)

    def ask(what: Callable[[], Array]) -> Array:
        with failing("where toys are made", limit):
            return what()

    waves = Waves(widened(frame, free), run, known.fits, FIRST_WAVE, alone(common.model))
    return toys(frame, places, common.grid.shape, wanted, ToyMeans(free, waves, maker, ask))


logger = logging.getLogger(__name__)


def toy_record(
    config: Config, model: Problem, results: PointResults, run: Run, known: Known | None = None
) -> ToyRecord | None:
    """Make the toys of a grid; None where none are wanted.

    Parameters
    ----------
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
        found = toys_of(common, places, frame, wanted, run, known or Known(RecordTable.empty(KIND)))
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
    """Return why toys of a model would mean nothing; "" where they would."""
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
    """Return a task with some toys at the lowest of a few points, by which their cost can be told; None without any."""
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
    return ToyBlocks(each, blocks, making, next(NUMBERS))


def _reason_in(results: PointResults, model: Problem) -> str:
    if not np.isfinite(results.chi2).any():
        return "no point of the grid has a chi2"
    n, n_axes = int(results.n_determined_axes.max()), len(model.axes)
    if 0 <= n < n_axes:
        return f"the data determine {n} of {n_axes} scanned parameters at every point: a direction is flat"
    return ""


def _too_many(config: Config) -> str:
    """Return why the first toys of all points do not fit into memory; "" where they do, or fewer may be asked for."""
    n_bytes = config.grid.n_points * BYTES_OF_A_POINT
    if config.toys.points != "all" or n_bytes <= SHARE * available_memory():
        return ""
    return f"those of {config.grid.n_points:,} points do not fit into the memory here; set toys.points: contours"


def _wanted(config: Config, model: Problem, frame: Frame) -> ToyPlan:
    asked, fit, names = config.toys, config.fit, [axis.name for axis in config.grid.axes]
    truths = [np.array(asked.coverage.get(name, ()), float) for name in names]
    is_log = [frame.coordinates[k].is_log for k in frame.scanned]
    columns = [np.log(values) if log else values for values, log in zip(truths, is_log, strict=True)]
    return ToyPlan(
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
    return toy_record(config, model, results, DoneBy(team))
