"""From a scan that was read back to the record of its points, as the fits left it."""

from __future__ import annotations

import numpy as np

from hpcscan.dataset.scan import ScanData
from hpcscan.errors import UsageError
from hpcscan.fitting.records import QUANTITIES, PointResults
from hpcscan.model.problem import Problem, scale_names

#: What is taken from a result.
TAKEN = ("chi2", "status", "profiled_parameter", "predicted", "n_determined_axes", "evidence")


def restored(scan: ScanData, model: Problem) -> PointResults:
    """Restore the results of a whole grid.

    Parameters
    ----------
    model : Problem
        That computed it.
    """
    n_starts = scan.variables["start_chi2"].values.shape[-1]
    results = PointResults.not_run(model, np.arange(scan.grid.n_points), n_starts)
    for name, quantity in QUANTITIES.items():
        array = getattr(results, name)
        if quantity.in_unit_of == "scale":
            for column, of_scale in enumerate(scale_names(model)):
                array[:, column] = scan.at_points(quantity.name.format(scale=of_scale))
        elif scan.has(name):
            array[:] = scan.at_points(name)
    for name, values in results.derived.items():
        values[:] = scan.at_points(name)
    return results


def stored_points(scan: ScanData, model: Problem) -> PointResults:
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
