"""The points of a result as records again, as far as what follows from them needs."""

from __future__ import annotations

import numpy as np

from hpcscan.dataset.scan import ScanData
from hpcscan.errors import UsageError
from hpcscan.fitting.records import PointResults
from hpcscan.model.problem import Problem, scale_names

#: What is taken from a result.
TAKEN = ("chi2", "status", "profiled_parameter", "predicted", "n_determined_axes", "evidence")


def points_of(scan: ScanData, model: Problem) -> PointResults:
    """Read the fits of all points of a scan.

    Raises
    ------
    UsageError
        Where the scan is of another model.
    """
    own = {
        "scanned parameters": ({a.name for a in scan.grid.axes}, {a.name for a in model.axes}),
        "profiled parameters": (scan.labels("parameter"), tuple(p.name for p in model.parameters)),
        "data": (scan.labels("observable"), tuple(o.name for o in model.observables)),
        "scales": (set(scan.profiled_scales), set(scale_names(model))),
    }
    for what, (before, now) in own.items():
        if before != now:
            texts = [", ".join(sorted(names)) or "none" for names in (before, now)]
            raise UsageError(f"{scan.name}: is of another model: its {what} are {texts[0]}, the model's are {texts[1]}")
    observed = np.array([o.observed for o in model.observables])
    if not np.array_equal(scan.variables["observed"].values, observed):
        raise UsageError(f"{scan.name}: is of other data than the model's")
    results = PointResults.not_run(model, np.arange(scan.grid.n_points), 1)
    for name in TAKEN:
        getattr(results, name)[...] = scan.at_points(name)
    for column, name in enumerate(scale_names(model)):
        results.scale[:, column] = scan.at_points(f"{name}_opt")
    return results
