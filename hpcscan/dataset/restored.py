"""From a scan that was read back to the record of its points, as the fits left it."""

from __future__ import annotations

import numpy as np

from hpcscan.dataset.scan import ScanData
from hpcscan.fitting.records import QUANTITIES, PointResults
from hpcscan.model.problem import Problem, scale_names


def restored(scan: ScanData, model: Problem) -> PointResults:
    """Restore the results of a whole grid.

    Parameters
    ----------
    scan : ScanData
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
