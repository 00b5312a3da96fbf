"""A model that costs nothing: what is left is what the program costs."""

from __future__ import annotations

import numpy as np

from hpcscan.model import Gaussian, Model, Parameter, Ranges


class Free(Model):
    parameters = (Parameter("u"), Parameter("v"), Parameter("x", 0.0, 1.0))
    data = (Gaussian("y", 0.5, 0.1),)
    batch_invariant = True

    def predict(self, u, v, x):
        return {"y": x}

    def jacobian(self, u, v, x):
        return {"y": {"x": np.ones_like(x)}}

    def ranges(self, u, v):
        return Ranges({"y": np.zeros_like(u)}, {"y": np.ones_like(u)})
