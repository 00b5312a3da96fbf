"""A model and results to talk about, without any fit."""

from __future__ import annotations

import numpy as np

from hpcscan.fitting.records import PointResults, Status
from hpcscan.grid import Grid, GridAxis
from hpcscan.model import Array, Parameter
from hpcscan.model.problem import Observable, Problem


class Toy(Problem):
    axes = (Parameter("x"), Parameter("y"))
    parameters = (Parameter("a", 0.0, 1.0), Parameter("b", 0.0, 1.0))
    observables = (Observable("mass", 1.0, 0.1, scale="S", is_tolerance=True),)
    scale_unit = "MeV"

    def predict(self, points: Array, parameters: Array) -> Array:
        raise NotImplementedError


MODEL = Toy()
SIDE = 5
GRID = Grid((GridAxis("x", (1.0, 2.0, 3.0, 4.0, 5.0)), GridAxis("y", (10.0, 20.0, 30.0, 40.0, 50.0))))
CENTRE = 12


def results(chi2: list[float]) -> PointResults:
    """Converged points with these χ², S = point index + 1; NaN means that the point failed."""
    done = PointResults.not_run(MODEL, np.arange(len(chi2)), 2)
    done.chi2[:] = chi2
    done.status[:] = np.where(np.isnan(done.chi2), Status.FAILED, Status.CONVERGED)
    done.n_flat_directions[:], done.n_determined_axes[:] = 0, 2
    done.profiled_parameter[:], done.predicted[:] = 0.5, 1.05
    done.scale[:, 0] = np.where(np.isnan(done.chi2), np.nan, np.arange(len(chi2)) + 1.0)
    return done


def bowl(bottom: int = CENTRE) -> list[float]:
    """χ² that rises with the square of the distance from one point of the grid, where it is 5."""
    row, column = divmod(bottom, SIDE)
    return [5.0 + (i - row) ** 2 + (j - column) ** 2 for i in range(SIDE) for j in range(SIDE)]
