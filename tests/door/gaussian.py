"""A model whose χ² over the scanned parameters is a paraboloid: everything is known in closed form."""

from __future__ import annotations

import numpy as np

from hpcscan.model import Array, Axis, Model, Observable, Parameter


class Plane(Model):
    """Six data, linear in x, y and one profiled parameter: χ² = 3 + (x − 1)² + 4 (y − 2)² after profiling."""

    axes = (Axis("x"), Axis("y"))
    parameters = (Parameter("a", -50.0, 50.0),)
    observables = tuple(Observable(f"d{k}", value, 1.0) for k, value in enumerate((1.0, 4.0, 0.0, 1.0, 1.0, 1.0)))

    def predict(self, points: Array, parameters: Array) -> Array:
        x, y = points.T
        zero = 0 * x
        return np.stack([x, 2 * y, parameters[:, 0], zero, zero, zero], axis=1)


class Broken(Plane):
    """The same, but it raises at some points."""

    def predict(self, points: Array, parameters: Array) -> Array:
        if (points[:, 0] == 2.0).any():
            raise ValueError("not at two")
        return super().predict(points, parameters)


GRID = {"x": np.linspace(-4, 6, 11), "y": np.linspace(-1, 5, 13)}
