"""Ten profiled parameters, fifty data, no derivatives: what a user's own model costs."""

from __future__ import annotations

import numpy as np

from hpcscan import Gaussian, Model, Parameter

T = np.linspace(0.05, 5.0, 50)
TRUE = {
    "a1": 2.0, "k1": 0.4, "w1": 3.1, "p1": 0.3, "a2": 1.2, "k2": 0.9, "w2": 6.3, "p2": -0.7, "c0": 0.5, "c1": -0.08,
}  # fmt: skip
RANGES = {
    "a1": (0.2, 4.0), "k1": (0.05, 1.5), "w1": (2.2, 4.2), "p1": (-1.5, 1.5), "a2": (0.2, 3.0), "k2": (0.1, 2.0),
    "w2": (5.0, 8.0), "p2": (-1.5, 1.5), "c0": (-1.0, 2.0), "c1": (-0.5, 0.5),
}  # fmt: skip


def signal(position, width, a1, k1, w1, p1, a2, k2, w2, p2, c0, c1):
    waves = a1 * np.exp(-k1 * T) * np.cos(w1 * T + p1) + a2 * np.exp(-k2 * T) * np.cos(w2 * T + p2)
    return waves + c0 + c1 * T + 1.5 * np.exp(-0.5 * ((T - position) / width) ** 2)


DATA = signal(2.2, 0.35, **TRUE) + 0.05 * np.random.default_rng(7).standard_normal(50)


class Generic(Model):
    """Two damped waves on a line, and a bump that is scanned."""

    parameters = (
        Parameter("position", 0.5, 4.5),
        Parameter("width", 0.05, 2.0),
        *(Parameter(name, *ends) for name, ends in RANGES.items()),
    )
    data = (Gaussian("y", DATA, 0.05),)

    def predict(self, **parameters):
        return {"y": signal(**parameters)}
