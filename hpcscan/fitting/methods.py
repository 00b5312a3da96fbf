"""How each method of fitting runs, by the name that `fit.method` has; what it asks for is in `hpcscan.settings`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np

from hpcscan.arrays import Array
from hpcscan.fitting.ends import Minima
from hpcscan.fitting.evolution import evolve
from hpcscan.fitting.multistart import multistart
from hpcscan.likelihood.objective import Given
from hpcscan.likelihood.scalar import AnyObjective
from hpcscan.settings import FitSettings

#: From an objective, points of shape (n, n_axes), settings and proven lower bounds of χ², shape (n,), to the end of
#: every run: n × `FitSettings.n_starts` rows, those of a point in succession.
Run: TypeAlias = Callable[[AnyObjective, Array, FitSettings, Array], Minima]


def _evolution(objective: AnyObjective, points: Array, settings: FitSettings, _lower_bound: Array) -> Minima:
    """Run the published fitter, which knows no bounds from elsewhere."""
    return evolve(objective, Given(np.ascontiguousarray(points.T), owner=np.arange(len(points))), settings)


RUNS: Mapping[str, Run] = {"multistart": multistart, "differential_evolution": _evolution}
