"""Result files with a χ² surface of our choice, written by the real writer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from hpcscan.analysis.findings import Findings, study
from hpcscan.arrays import Array
from hpcscan.config.read import stored_settings
from hpcscan.dataset.provenance import SCHEMA
from hpcscan.dataset.reader import read_scan
from hpcscan.dataset.writer import write_dataset
from hpcscan.fitting.records import PointResults, Status
from hpcscan.grid import Grid, GridAxis
from hpcscan.model import Derived, Dimension, Parameter
from hpcscan.model.problem import Observable, Problem

LEPTONS = Dimension("lepton", ("electron", "muon", "tau"))
GATE = (
    "report: {reference: {beta: 3.058}}\n"
    "gate: {scale: [0.1, 100], minimum: {beta: [3.05, 3.15]}, width: {beta: [0.01, 0.05]}}\n"
)


class Synthetic(Problem):
    """A model that is never computed: some parameters, and data with one scale."""

    title = "a synthetic surface"
    scale_unit = "MeV per energy unit"

    def __init__(
        self, axes: Sequence[str], n_data: int = 5, leptons: bool = False, has_tolerances: bool = False
    ) -> None:
        self.axes = tuple(
            Parameter(name, unit="model length" if name == "w" else "1", description=f"the axis {name}")
            for name in axes
        )
        self.parameters = tuple(Parameter(name, 0.0, 2.0, unit="m") for name in ("left", "right"))
        self.observables = tuple(
            Observable(f"mass.{k}", 100.0 + k, 0.5, "S", "MeV", is_tolerance=has_tolerances) for k in range(n_data)
        )
        names = ("total", "circulation", "stabilization", "gradient")
        derived = (*(f"energy_{name}" for name in names), "scale_per_lepton", "circulation_prefactor")
        self.derived = tuple(Derived(name, "energy unit", name, LEPTONS) for name in derived) if leptons else ()
        if leptons:
            self.scale_range = (0.1, 100.0)
            self.observables = tuple(
                Observable(name, 100.0, 0.5, "S", "MeV", is_tolerance=True) for name in LEPTONS.labels
            )

    def predict(self, points: Array, parameters: Array) -> Array:
        raise NotImplementedError


@dataclass
class Surface:
    """What a test wants in its file; the rest is what a good scan has.

    The data determine all axes where `n_determined` does not say otherwise. σ is a tolerance where no data are to
    spare, if `has_tolerances` does not say otherwise. `spoil` changes the results in place before
    they are written; `extra` are more attributes of the file.
    """

    axes: Mapping[str, Array]
    chi2: Callable[..., Array]
    n_data: int = 5
    has_certificate: bool = True
    n_determined: int | None = None
    leptons: bool = False
    has_tolerances: bool | None = None
    config: str = GATE
    n_starts: int = 4
    spoil: Callable[[PointResults], None] = field(default=lambda results: None)
    extra: Mapping[str, str | int] = field(default_factory=dict)

    def write(self, path: Path) -> Path:
        grid = Grid(tuple(GridAxis(name, tuple(map(float, values))) for name, values in self.axes.items()))
        has_tolerances = self.n_data <= 5 if self.has_tolerances is None else self.has_tolerances
        model = Synthetic([*self.axes], self.n_data, self.leptons, has_tolerances)
        results = PointResults.not_run(model, np.arange(grid.n_points), self.n_starts)
        coordinates = grid.points(np.arange(grid.n_points)).T
        results.predicted[:] = [observable.observed + 0.1 for observable in model.observables]
        _fill(results, np.asarray(self.chi2(*coordinates), float) + np.zeros(grid.n_points), self.has_certificate)
        results.n_determined_axes[:] = len(self.axes) if self.n_determined is None else self.n_determined
        self.spoil(results)
        about = {"hpcscan_schema": SCHEMA, "hpcscan_config": self.config, "title": "test", **self.extra}
        write_dataset(path, grid, model, results, about)
        return path

    def findings(self, path: Path) -> Findings:
        scan = read_scan(str(self.write(path)))
        return study(scan, stored_settings(self.config, [*self.axes]))


def _fill(results: PointResults, chi2: Array, has_certificate: bool) -> None:
    results.chi2[:] = chi2
    results.status[:] = Status.CONVERGED
    results.edm[:] = 1e-9
    results.n_flat_directions[:] = 0
    results.scale[:], results.scale_lower[:], results.scale_upper[:] = 13.6, 13.6, 13.6
    results.profiled_parameter[:] = 1.0
    n = results.start_chi2.shape[1]
    results.n_starts[:], results.n_starts_converged[:], results.n_starts_at_minimum[:] = n, n, max(1, n - 1)
    # The last of several starts ends elsewhere.
    results.start_chi2[:] = chi2[:, None] + np.where(np.arange(n) == max(1, n - 1), 7.0, 0.0)
    results.start_status[:] = Status.CONVERGED
    if has_certificate:
        results.chi2_lower_bound[:] = chi2 - 1e-9
    for values in results.derived.values():
        values[:] = [1.0, 20.0, 300.0]


def bowl(*, floor: float = 2.0, centre: tuple[float, float] = (3.103, 0.022)) -> Callable[..., Array]:
    """A good scan: a parabola in β and w."""

    def chi2(beta: Array, w: Array) -> Array:
        return floor + ((beta - centre[0]) / 0.02) ** 2 + ((w - centre[1]) / 0.005) ** 2

    return chi2


BETA, W = np.linspace(2.95, 3.25, 16), np.linspace(0.005, 0.05, 10)
GRID = {"beta": BETA, "w": W}


def good(**changes: object) -> Surface:
    return Surface(**{"axes": GRID, "chi2": bowl(), **changes})  # type: ignore[arg-type]
