"""A grid and its answer, on one process."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import numpy as np

from hpcscan.answer import best_fit
from hpcscan.answer.best_fit import Beginning
from hpcscan.answer.grid_answer import AnswerMeans, AnswerRequest, FittedAnswer, answer
from hpcscan.answer.held_fits import Asked, Fits, Fitter
from hpcscan.answer.surroundings import surroundings
from hpcscan.fitting.block import fit_block
from hpcscan.grid import Grid, GridAxis
from hpcscan.likelihood.rows import distinct
from hpcscan.model.posing import pose
from hpcscan.settings import FitSettings

LEVELS = (1.0, 4.0, 9.0)
#: −2 ln(1 − p) for the probabilities of one, two and three standard deviations.
PAIR_LEVELS = (2.295748928898636, 6.180074306244168, 11.829158081900795)


@dataclass
class Asking:
    """A grid, its answer, and what they cost."""

    answer: FittedAnswer
    fitter: Fitter
    grid_rows: int
    rows: int
    n_fits: int
    waves: list[tuple[Fits, ...]] = field(repr=False)
    costs: list[tuple[Asked, int]] = field(repr=False)

    def value(self, name: str) -> float:
        frame = self.answer.frame
        return float(frame.natural(self.answer.minima.z)[0, frame.names.index(name)])

    def natural(self, name: str, z: float) -> float:
        frame = self.answer.frame
        return float(frame.coordinates[frame.names.index(name)].natural(np.array(z)))

    def intervals(self, name: str, level: float) -> list[tuple[float, float]]:
        return [
            (self.natural(name, region.lower.value), self.natural(name, region.upper.value))
            for region in self.regions(name, level)
        ]

    def regions(self, name: str, level: float):
        number = self.answer.frame.names.index(name)
        return next(line for line in self.answer.lines if line.coordinate == number).regions[level]

    def error(self, name: str) -> tuple[float, float]:
        region, value = self.answer.errors[self.answer.frame.names.index(name)], self.value(name)
        return tuple(self.natural(name, end.value) - value for end in (region.lower, region.upper))


def ask(model, axes, *, fix=None, starts=8, shuffled=False, compute=None, most_boxes=0, **wanted) -> Asking:
    """Fit a grid of a model, and find its answer; `shuffled`: every wave in other batches, in another order."""
    grid = Grid(tuple(GridAxis(name, tuple(np.asarray(values, float).tolist())) for name, values in axes.items()))
    problem = pose(model, tuple(axes), fix)
    names, count = [axis.name for axis in grid.axes], [0]
    count_rows(problem, count)
    columns = [names.index(axis.name) for axis in problem.axes]
    points, every = grid.points(np.arange(grid.n_points))[:, columns], np.arange(grid.n_points)
    results = fit_block(problem, points, every, FitSettings(starts=starts, proof=None))
    grid_rows, count[0] = count[0], 0

    begun = Beginning.of(problem, grid, results)
    frame = begun.frame
    free = problem.released()
    count_rows(free, count)
    fitter, waves, costs, n_fits = Fitter(free, frame, None, 200), [], [], [0]

    def one(asked):
        before = count[0]
        done = in_other_batches(fitter, asked) if shuffled else fitter(asked)
        costs.append((asked, count[0] - before))
        return done

    def do(questions):
        n_fits[0] += sum(asked.n for asked in questions if asked.descends)
        done = tuple(one(asked) for asked in questions)
        waves.append(done)
        return done

    def prove(z, chi2):
        return best_fit.prove(free, frame, z, chi2, most_boxes) if most_boxes else best_fit.nothing_proven(z)

    wanted = AnswerRequest(**({"levels": LEVELS, "pair_levels": PAIR_LEVELS} | wanted))
    found = answer(begun, wanted, AnswerMeans(compute or do, partial(surroundings, fitter), prove))
    return Asking(found, fitter, grid_rows, count[0], n_fits[0], waves, costs)


def in_other_batches(fitter, asked):
    """Do fits in batches of three, the last first."""
    order = np.arange(asked.n)[::-1]
    done = (
        Fits.joined([fitter(asked.take(order[i : i + 3])) for i in range(0, asked.n, 3)]) if asked.n else fitter(asked)
    )
    return done.take(np.argsort(order)) if asked.n else done


def count_rows(problem, count) -> None:
    """Count the rows that a problem's model is asked for; a call that is filled up repeats its last row."""
    for name in ("predict",) if not problem.is_scalar else ("twice_nll",):
        plain = getattr(problem, name)

        def counted(points, parameters, *data, plain=plain):
            count[0] += len(distinct(points, parameters)[0])
            return plain(points, parameters, *data)

        setattr(problem, name, counted)
