"""Results without any fit: models that are never computed, their grids, and points with any values."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hpcscan.fitting.records import PointResults, Status
from hpcscan.grid import Grid, GridAxis
from hpcscan.model import Array, Derived, Dimension, Parameter
from hpcscan.model.problem import Observable, Problem


class Rich(Problem):
    title = "rich"
    axes = (
        Parameter("beta", unit="1", description="vacuum stiffness"),
        Parameter("w", unit="model length", description="layer thickness"),
        Parameter("T", unit="K"),
    )
    parameters = (
        Parameter("muon.R_c", 0.05, 0.5, unit="model length"),
        Parameter("muon.U", 0.02, 0.2, unit="velocity"),
        Parameter("free", start=(0.0, 1.0)),
        Parameter("fixed", 2.0, 2.0, unit="kg m-3"),
    )
    observables = (
        Observable("muon", 105.7, 0.01057, "S", "MeV"),
        Observable("width", 3.0, 0.1, "G", "MeV"),
        Observable("ratio", 1.0, 0.5, None, "MeV"),
    )
    derived = (
        Derived("energy_total", "energy unit", "energy", Dimension("lepton", ("muon", "tau"))),
        Derived("energy_gradient", "energy unit", "gradient energy", Dimension("lepton", ("muon", "tau"))),
        Derived("length", "m"),
    )
    scale_unit = "MeV per energy unit"

    def predict(self, points, parameters):
        raise NotImplementedError


def rich_grid(shape=(3, 2, 4)) -> Grid:
    axes = zip(("beta", "w", "T"), shape, strict=True)
    return Grid(tuple(GridAxis(name, tuple(np.linspace(1.0, 2.0, n).tolist())) for name, n in axes))


def random_results(model: Problem, grid: Grid, n_starts: int = 5, seed: int = 0) -> PointResults:
    """Every array filled with different numbers, so that no two can be mistaken for each other."""
    rng = np.random.default_rng(seed)
    results = PointResults.not_run(model, np.arange(grid.n_points), n_starts)

    def like(array, name):
        if array.dtype.kind == "f":
            return rng.random(array.shape) * 1e3
        low, high = {"status": (1, 3), "start_status": (0, 5), "at_bound": (-1, 2)}.get(name, (0, 99))
        return rng.integers(low, high, array.shape).astype(array.dtype)

    arrays = {name: value for name, value in vars(results).items() if isinstance(value, np.ndarray)}
    filled = {name: like(value, name) for name, value in arrays.items() if name != "point_index"}
    derived = {name: like(value, name) for name, value in results.derived.items()}
    return replace(results, **filled, derived=derived)


def with_failures(results: PointResults, points) -> PointResults:
    chi2, status = results.chi2.copy(), results.status.copy()
    chi2[points], status[points] = np.nan, Status.FAILED
    return replace(results, chi2=chi2, status=status)


class Plain(Problem):
    axes = (Parameter("x"), Parameter("y"))
    parameters = (Parameter("a", 0.0, 1.0), Parameter("b", 0.0, 1.0))
    observables = (Observable("mass", 1.0, 0.1, scale="S", is_tolerance=True),)
    scale_unit = "MeV"

    def predict(self, points: Array, parameters: Array) -> Array:
        raise NotImplementedError


PLAIN = Plain()
SIDE = 5
PLAIN_GRID = Grid((GridAxis("x", (1.0, 2.0, 3.0, 4.0, 5.0)), GridAxis("y", (10.0, 20.0, 30.0, 40.0, 50.0))))
CENTRE = 12


def plain_results(chi2: list[float]) -> PointResults:
    """Converged points with these χ², S = point index + 1; NaN means that the point failed."""
    done = PointResults.not_run(PLAIN, np.arange(len(chi2)), 2)
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


class OneParameter(Problem):
    axes = (Parameter("x"),)
    parameters = (Parameter("a", 0.0, 1.0),)
    observables = (Observable("y", 1.0, 0.1),)
    derived = (Derived("length", "m"),)

    def predict(self, points, parameters):
        raise NotImplementedError
