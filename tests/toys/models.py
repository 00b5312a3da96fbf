"""Models whose toys are known otherwise, and toys of a grid on one process."""

from __future__ import annotations

import numpy as np

from hpcscan.answer.best_fit import Beginning
from hpcscan.answer.held_fits import Fitter
from hpcscan.fitting.block import fit_block
from hpcscan.grid import Grid, GridAxis
from hpcscan.model import Gaussian, Model, Parameter, Poisson
from hpcscan.model.posing import pose
from hpcscan.settings import FitSettings
from hpcscan.toys.construction import ToyFindings, ToyMeans, ToyPlan, toys
from hpcscan.toys.toy_fits import Blocks, Statistics, ToyFitter
from hpcscan.toys.toy_regions import widened


class BoundedMean(Model):
    """A unit normal measurement of a mean that cannot be negative."""

    parameters = (Parameter("mu", 0.0, np.inf, start=(0.0, 8.0)),)

    def __init__(self, x0):
        self.data = (Gaussian("x", x0, 1.0),)

    def predict(self, mu):
        return {"x": mu}


class Counting(Model):
    """A count with a known background."""

    parameters = (Parameter("signal", 0.0, np.inf, start=(0.0, 15.0)),)

    def __init__(self, n, background=3.0):
        self.background, self.data = background, (Poisson("n", n),)

    def predict(self, signal):
        return {"n": signal + self.background}


class Uncertain(Model):
    """A count with a background that a side band measures, and an efficiency known to 10 %."""

    parameters = (
        Parameter("signal", 0.0, np.inf, start=(0.0, 15.0)),
        Parameter("background", 0.0, np.inf, start=(0.0, 10.0)),
        Parameter("efficiency", 0.3, 1.7, constraint=(1.0, 0.1)),
    )

    def __init__(self, n=5, aside=9):
        self.data = (Poisson("n", n), Poisson("aside", aside))

    def predict(self, signal, background, efficiency):
        return {"n": efficiency * signal + background, "aside": 3 * background}


class Line(Model):
    """A line through five values: normal and linear, so that Wilks is right."""

    x = np.arange(5.0)
    parameters = (Parameter("a"), Parameter("b"), Parameter("c", start=(-3, 3)))
    data = (Gaussian("y", np.array([0.3, 1.1, 1.8, 3.3, 3.9]), 0.4), Gaussian("z", 1.0, 0.5))

    def predict(self, a, b, c):
        return {"y": a + b * self.x + 0.1 * c * self.x**2, "z": c}


DEFAULTS = {
    "n_toys": 1000,
    "cl": (0.9,),
    "is_everywhere": True,
    "is_adaptive": True,
    "constraints_fluctuate": True,
    "is_asimov": False,
    "n_experiments": 0,
    "seed": 42,
    "max_iter": 200,
}


def toys_of(model, axes, *, fix=None, at=(), batch=20, made=None, makings=None, **wanted) -> ToyFindings:
    """Fit a grid of a model, and make toys of it, so many blocks at once."""
    grid = Grid(tuple(GridAxis(name, tuple(np.asarray(values, float).tolist())) for name, values in axes.items()))
    problem = pose(model, tuple(axes), fix)
    names, every = [axis.name for axis in grid.axes], np.arange(grid.n_points)
    points = grid.points(every)[:, [names.index(axis.name) for axis in problem.axes]]
    results = fit_block(problem, points, every, FitSettings(starts=4, proof=None))
    begun = Beginning.of(problem, grid, results)
    frame, places = begun.frame, begun.places(np.arange(grid.n_points))
    free = problem.released()

    fits = Fitter(free, widened(frame, free), None, 200)

    def maker(making):
        fitter = ToyFitter(free, making)
        if makings is not None:
            makings.append(making)

        def make(blocks: Blocks) -> Statistics:
            rows = np.arange(len(blocks))
            parts = [fitter(blocks.take(rows[i : i + batch])) for i in range(0, len(rows), batch)]
            if made is not None:
                made.extend(zip(blocks.place.tolist(), blocks.number.tolist(), strict=True))
            return Statistics(*(np.concatenate([getattr(part, name) for part in parts]) for name in vars(parts[0])))

        return make

    at = np.array(at, float).reshape(-1, len(grid.axes))
    means = ToyMeans(free, lambda questions: [fits(asked) for asked in questions], maker)
    return toys(frame, places, grid.shape, ToyPlan(**DEFAULTS | {"coverage_at": at} | wanted), means)
