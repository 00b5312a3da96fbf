"""Toys as tasks: blocks of them, whoever makes them, and what an earlier session has made already."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from hpcscan.answer.frame import Frame
from hpcscan.arrays import Array, BoolArray, IntArray
from hpcscan.errors import PointError
from hpcscan.fitting.records import Status
from hpcscan.guard.failures import describe_exception, describe_time_out
from hpcscan.guard.guard import Finished, Fit, Guard
from hpcscan.guard.guarded import guarded
from hpcscan.guard.time_limit import TimeLimit, TimeUpError
from hpcscan.scanning.answering import AnswerFits, Waves
from hpcscan.scanning.work import Common, Task
from hpcscan.table import Column, Quantity, RecordKind, Table
from hpcscan.toys.fits import BLOCK, Blocks, Making, Statistics, ToyFitter
from hpcscan.toys.range import widened
from hpcscan.toys.rounds import Make
from hpcscan.toys.toys import Found, Means, Wanted, toys

#: Blocks of a task: many share what a call costs; few where a wave has few, so that many ranks have something to do.
MOST_BLOCKS, LEAST_BLOCKS, TASKS_OF_A_WAVE = 20, 2, 64
#: Waves of fits to the data are numbered from here on: those of the answer come before.
FIRST_WAVE = 1_000_000

KIND = RecordKind(
    name="toy_block",
    dimension="toy_block",
    quantities=(
        Quantity(Column("toy_place", "<i8"), "number of the place where the toys were made", unit=None),
        Quantity(Column("toy_block_number", "<i8"), "number of the block of toys", unit=None),
        Quantity(Column("toy_t", "<f8", (BLOCK,)), "difference of chi2 of each toy", dims=("toy_of_block",)),
        Quantity(Column("toy_n_negative", "<i8"), "toys whose released fit was higher", unit=None),
        Quantity(Column("toy_n_lower", "<i8"), "toys for which a random start was lower", unit=None),
        Quantity(Column("toy_n_at_end", "<i8"), "toys whose best fit rests on an end of the range", unit=None),
    ),
    key=("toy_place", "toy_block_number"),
    is_in_file=False,
)


@dataclass(frozen=True)
class ToyBlocks(Task[Table]):
    """Some blocks of toys.

    Attributes
    ----------
    making : Making
    rows : int array, shape (n,)
        Their places in the wave.
    blocks : Blocks
        n of them.
    """

    kind = KIND.name
    making: Making
    rows: IntArray
    blocks: Blocks

    @property
    def points(self) -> IntArray:
        """Their places in the wave."""
        return self.rows

    def only(self, is_kept: BoolArray) -> ToyBlocks:
        """Give what is left of it with some of its blocks."""
        return replace(self, rows=self.rows[is_kept], blocks=self.blocks.take(np.flatnonzero(is_kept)))

    def compute(self, common: Common, guard: Guard) -> Finished[Table]:
        """Make the toys and fit them; those of a block that raises have failed."""
        return guard.run(self.rows, Fit(partial(self._make, common), partial(self.give_up, common)))

    def give_up(self, common: Common, rows: IntArray, status: Status) -> Table:
        """Record toys that came to nothing."""
        zero = np.zeros(len(rows), np.int64)
        return self._table(rows, Statistics(np.full((len(rows), BLOCK), np.nan), zero, zero, zero))

    def _make(self, common: Common, rows: IntArray) -> Table:
        return self._table(rows, ToyFitter(common.model.released(), self.making)(self.blocks.take(rows)))

    def _table(self, rows: IntArray, found: Statistics) -> Table:
        about = self.blocks.take(rows)
        columns = (about.place, about.number, found.t, found.n_negative, found.n_lower, found.n_at_end)
        return Table(KIND, dict(zip((column.name for column in KIND.layout), columns, strict=True)))


#: Does tasks, and gives what comes of them in any order.
Run = Callable[[Sequence["ToyBlocks | AnswerFits"]], Iterable[Table]]


class ToyWaves:
    """Makes the toys of one wave after another; each ends before the next begins.

    Parameters
    ----------
    making : Making
    run : callable
    known : dict
        What an earlier session has made, by place and block.
    """

    def __init__(self, making: Making, run: Run, known: dict[tuple[int, ...], Table]) -> None:
        self._making, self._run, self._known = making, run, known

    def __call__(self, blocks: Blocks) -> Statistics:
        """Make the toys of one wave."""
        keys = list(zip(blocks.place.tolist(), blocks.number.tolist(), strict=True))
        found, tasks = dict[tuple[int, ...], Table](), list[ToyBlocks]()
        size = min(max(len(keys) // TASKS_OF_A_WAVE, LEAST_BLOCKS), MOST_BLOCKS)
        for first in range(0, len(keys), size):
            rows = np.arange(first, min(first + size, len(keys)))
            # A task is done again as a whole: so its blocks have the company that they had.
            if all(keys[row] in self._known for row in rows.tolist()):
                found |= {keys[row]: self._known[keys[row]] for row in rows.tolist()}
            else:
                tasks.append(ToyBlocks(self._making, rows, blocks.take(rows)))
        for table in self._run(tasks) if tasks else ():
            found |= by_key(table)
        table = Table.joined([found[key] for key in keys])
        t, *counts = (table.columns[column.name] for column in KIND.layout[2:])
        return Statistics(t, *counts)


def n_toys_of(table: Table) -> int:
    """Count the toys in what a task has left."""
    return table.n_records * BLOCK if table.kind.name == KIND.name else 0


def by_key(table: Table) -> dict[tuple[int, ...], Table]:
    """Give every record by its key."""
    return {key: table.take(np.array([row])) for row, key in enumerate(table.keys)}


@dataclass(frozen=True)
class Known:
    """What an earlier session has done."""

    blocks: Table
    fits: Table | None = None


def toys_of(  # noqa: PLR0913, PLR0917  (what toys follow from)
    common: Common, places: Array, frame: Frame, wanted: Wanted, run: Run, known: Known
) -> Found:
    """Find what toys say of a grid.

    Parameters
    ----------
    common : Common
    places : array, shape (n_points, n_coordinates)
        The fits of the grid; NaN where one failed.
    frame : Frame
        Of the grid.
    wanted : Wanted
    run : callable
    known : Known

    Raises
    ------
    NoToysError
        Where toys would mean nothing.
    PointError
        Where the model fails for what rank 0 asks of it.
    """
    limit, done = TimeLimit(common.settings.time_limit), by_key(known.blocks)
    free = guarded(common.model, limit).released()

    def maker(making: Making) -> Make:
        return ToyWaves(making, run, done)

    def ask(what: Callable[[], Array]) -> Array:
        try:
            with limit.armed():
                return what()
        except TimeUpError as error:
            raise PointError(f"where toys are made: {describe_time_out(0, limit.seconds or 0.0).kind}") from error
        except Exception as error:
            raise PointError(f"where toys are made: {describe_exception(0, error).in_short}") from error

    waves = Waves(widened(frame, free), run, known.fits, FIRST_WAVE)
    return toys(frame, places, common.grid.shape, wanted, Means(free, waves, maker, ask))
