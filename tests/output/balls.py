"""Another kind of task: fits beside the grid. ``python balls.py`` scans scan.yaml, then fits balls, and writes out.nc.

A ball is a point off the grid with a number; ball 5 fails. Environment: ``BALL_SECONDS``, for each of them.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np

from hpcscan.arrays import Array, BoolArray, IntArray
from hpcscan.config.building import build_model
from hpcscan.config.read import read_config
from hpcscan.fitting.block import fit_block
from hpcscan.fitting.records import Status
from hpcscan.guard.guard import Finished, Fit, Guard
from hpcscan.output.recorder import Session, recording
from hpcscan.output.resume import look_back
from hpcscan.parallel import Coordinator, StopRequest, connect, run_team, status_for_launcher
from hpcscan.scanning.chunks import cut
from hpcscan.scanning.work import Common, ScanTask, perform
from hpcscan.table import Column, ColumnQuantity, RecordKind, RecordTable

N_BALLS, FAILING = 40, 5
KIND = RecordKind(
    name="ball",
    dimension="ball",
    quantities=(
        ColumnQuantity(Column("ball_number", "<i8"), "number of the ball", unit=None),
        ColumnQuantity(Column("ball_chi2", "<f8"), "profile chi-squared off the grid"),
        ColumnQuantity(Column("ball_minimum", "<f8", (2,)), "profiled parameters there", dims=("parameter",)),
        ColumnQuantity(Column("ball_side", "<f8", (3,)), "sides", unit="m", dims=("side",)),
        ColumnQuantity(Column("ball_status", "|i1"), "how it ended", unit=None, flags=((1, "thrown"), (3, "lost"))),
    ),
    key=("ball_number",),
)


@dataclass(frozen=True)
class Throw(ScanTask[RecordTable]):
    """Some balls, and where they are."""

    kind = KIND.name
    numbers: IntArray
    places: Array

    @classmethod
    def of(cls, numbers: IntArray) -> Throw:
        return cls(numbers, np.random.default_rng(0).uniform([-3, 0], [3, 4], (N_BALLS, 2))[numbers])

    @property
    def points(self) -> IntArray:
        return self.numbers

    def only(self, is_kept: BoolArray) -> Throw:
        return Throw(self.numbers[is_kept], self.places[is_kept])

    def compute(self, common: Common, guard: Guard) -> Finished[RecordTable]:
        return guard.run(self.points, Fit(partial(self._throw, common), partial(self.give_up, common)))

    def give_up(self, common: Common, rows: IntArray, status: Status) -> RecordTable:
        n, nan = len(rows), np.nan
        return self._table(rows, np.full(n, nan), np.full((n, 2), nan), np.full(n, status, np.int8))

    def _throw(self, common: Common, rows: IntArray) -> RecordTable:
        time.sleep(float(os.environ.get("BALL_SECONDS", "0")) * len(rows))
        if FAILING in self.numbers[rows]:
            raise ArithmeticError("this one is lost")
        found = fit_block(common.model, self.places[rows], np.arange(len(rows)), common.settings)
        return self._table(rows, found.chi2, found.profiled_parameter, np.ones(len(rows), np.int8))

    def _table(self, rows: IntArray, chi2: Array, minimum: Array, status: IntArray) -> RecordTable:
        side = self.numbers[rows, None] * np.ones(3)
        names = [column.name for column in KIND.layout]
        return RecordTable(KIND, dict(zip(names, (self.numbers[rows], chi2, minimum, side, status), strict=True)))


def prepare(config, promise):
    return partial(perform, build_model(config.model), config.grid, config.fit, promise=promise)


def lead(world, team: Coordinator) -> int:
    config = read_config("scan.yaml", ())
    model, n_points = build_model(config.model), config.grid.n_points
    session = Session(
        config, model, Path("out.nc"), world.size, world.library, datetime.now(UTC), ("balls",), kinds=(KIND,)
    )
    past = look_back(session.output, session.wanted(), resume=True, overwrite=False)
    chunks = cut(n_points, config.fit.n_starts_together, world.size, None, standing=past.standing(n_points))
    with recording(session, past) as recorder:
        team.brief(config)
        for done in team.map(chunks):
            recorder.add(done.result.results)
        # What an earlier session has thrown is not thrown again.
        known = {number for (number,) in recorder.table(KIND).keys}
        sys.stdout.write(f"known: {len(known)}\n")
        left = [number for number in range(N_BALLS) if number not in known]
        tasks = [Throw.of(np.array(left[first : first + 2])) for first in range(0, len(left), 2)]
        for done in team.map(tasks):
            recorder.keep(done.result.results)
        recorder.write(is_complete=True)
    return 0


if __name__ == "__main__":
    ranks = connect()
    sys.exit(status_for_launcher(run_team(ranks, partial(lead, ranks), prepare, StopRequest.install())))
