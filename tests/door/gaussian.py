"""A model whose χ² over the scanned parameters is a paraboloid: everything is known in closed form."""

from __future__ import annotations

import numpy as np

from hpcscan.model import Array, Gaussian, Model, Parameter


class Plane(Model):
    """Six data, linear in x, y and one profiled parameter: χ² = 3 + (x − 1)² + 4 (y − 2)² after profiling."""

    parameters = (Parameter("x"), Parameter("y"), Parameter("a", -50.0, 50.0))
    data = (Gaussian("d", (1.0, 4.0, 0.0, 1.0, 1.0, 1.0), 1.0),)

    def predict(self, x: Array, y: Array, a: Array) -> dict[str, Array]:
        zero = 0 * x
        return {"d": np.hstack([x, 2 * y, a, zero, zero, zero])}


class Broken(Plane):
    """The same, but it raises at some points."""

    def predict(self, x: Array, y: Array, a: Array) -> dict[str, Array]:
        if (x == 2.0).any():
            raise ValueError("not at two")
        return super().predict(x, y, a)


GRID = {"x": np.linspace(-4, 6, 11), "y": np.linspace(-1, 5, 13)}
