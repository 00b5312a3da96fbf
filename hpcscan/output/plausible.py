"""Whether records of grid points from a file can be what a fit has left, on which all that follows relies."""

from __future__ import annotations

import numpy as np

from hpcscan.fitting.records import UNKNOWN, PointResults, Status

_STATUSES, _SIDES = [int(status) for status in Status], [-1, 0, 1]


def implausibility(results: PointResults) -> str:
    """Name the first thing that no fit leaves; nothing where there is none."""
    fitted = np.isfinite(results.chi2)
    counts = np.stack([results.n_starts, results.n_starts_converged, results.n_starts_at_minimum])
    with np.errstate(all="ignore"):
        rules = {
            "a status": np.isin(results.start_status, _STATUSES).all(),
            "a side of a bound": np.isin(results.at_bound, _SIDES).all(),
            "a mark of repair": np.isin(results.repaired, [0, 1]).all(),
            "a number of starts": ((counts >= 0) & (counts <= results.start_chi2.shape[1])).all(),
            "a number of evaluations": all(
                (counts >= 0).all() for counts in (results.n_model_rows, results.n_evaluations, results.n_iterations)
            ),
            "a number of directions": (results.n_flat_directions >= UNKNOWN).all(),
            "a number of axes": (results.n_determined_axes >= UNKNOWN).all(),
            "a chi2": not np.isinf(results.chi2).any(),
            "a minimum": np.isfinite(results.profiled_parameter[fitted]).all(),
            "a multiplier": ((results.at_bound != 0) | ~(np.abs(results.bound_multiplier) > 0)).all(),
        }
    return next((name for name, is_kept in rules.items() if not is_kept), "")
