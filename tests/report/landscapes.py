"""Scans that are hard to draw."""

from __future__ import annotations

import numpy as np

from hpcscan.fitting.records import Status
from report.synthetic import GRID, Surface, bowl, good


def partial(results):
    results.status[70:] = Status.NOT_RUN
    results.chi2[70:] = results.chi2_lower_bound[70:] = np.nan
    results.profiled_parameter[70:] = results.predicted[70:] = results.scale[70:] = np.nan
    results.scale_lower[70:] = results.scale_upper[70:] = results.start_chi2[70:] = np.nan


def failures(results):
    bad = slice(30, None, 17)
    results.status[bad] = Status.FAILED
    results.chi2[bad] = results.chi2_lower_bound[bad] = np.nan
    results.status[31::23] = Status.NOT_CONVERGED


def nothing(results):
    results.status[:] = Status.FAILED
    for values in (results.chi2, results.predicted, results.scale, results.chi2_lower_bound, results.start_chi2):
        values[:] = np.nan


def loose(results):
    results.scale_lower[:], results.scale_upper[:] = 13.6, np.linspace(150, 160, len(results.chi2))[:, None]
    results.n_flat_directions[:] = 2


def held(results):
    results.bound_multiplier[:, 0], results.at_bound[:, 0] = 3e7, -1


def held_at_some(results):
    results.bound_multiplier[:9, 0], results.at_bound[:9, 0] = 1.0, -1


X = np.linspace(-2, 2, 9)
LANDSCAPES = {
    "good": good(leptons=True),
    "flat": good(chi2=lambda b, w: 1e-12 + 0 * w, leptons=True, spoil=loose),
    "floor": good(chi2=lambda b, w: 1.6e7 + 6e5 * (3.25 - b) + 4e6 * (0.05 - w), spoil=held),
    "inside": good(chi2=lambda b, w: 2 + 5 * (b - 3.1) ** 2 + 0 * w, n_determined=1),
    "failures": good(spoil=failures),
    "partial": good(spoil=partial, leptons=True),
    "nothing": good(spoil=nothing, leptons=True),
    "one-axis": Surface({"x": X}, lambda x: 2 + 3 * (x - 0.3) ** 2),
    "three-axes": Surface(
        {"x": X, "y": X[::2], "z": X[1:]},
        lambda x, y, z: 2 + x**2 + (y - x) ** 2 + (z - 0.4) ** 2,
        has_certificate=False,
        spoil=held_at_some,
    ),
    "one-point": Surface({"beta": np.array([3.1]), "w": np.array([0.02])}, bowl()),
    "line": Surface({"beta": GRID["beta"], "w": np.array([0.02])}, bowl()),
}  # fmt: skip
