"""A model that costs nothing: what is left is what the program costs."""

from __future__ import annotations

import numpy as np

from hpcscan.model import Axis, Model, Observable, Parameter, Ranges


class Free(Model):
    axes = (Axis("u"), Axis("v"))
    parameters = (Parameter("x", 0.0, 1.0),)
    observables = (Observable("y", 0.5, 0.1),)
    batch_invariant = True

    def predict(self, points, parameters):
        return parameters

    def jacobian(self, points, parameters):
        return np.ones((len(parameters), 1, 1))

    def prediction_ranges(self, points):
        return Ranges(np.zeros((len(points), 1)), np.ones((len(points), 1)))
