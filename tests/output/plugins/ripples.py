"""A model whose starts end in several minima, row by row; its speed and mood are set from outside.

``RIPPLES_SECONDS``   every row takes so long
``RIPPLES_FAILS_AT``  rows at this slope raise MemoryError …
``RIPPLES_FROM``      … if their frequency is larger than this
"""

import os
import time

import numpy as np

from hpcscan.model import Gaussian, Model, Parameter

T = np.linspace(0.0, 4.0, 12)
NOISE = np.random.default_rng(3).standard_normal(len(T))


class Ripples(Model):
    """One oscillation on a line."""

    rows_per_call = 1
    parameters = (Parameter("slope"), Parameter("size", 0.2, 3.0), Parameter("frequency", 1.5, 4.5))

    def __init__(self):
        self.data = (Gaussian("y", self.curve(0.3, 1.2, 3.0) + 0.2 * NOISE, 0.2),)

    def curve(self, slope, size, frequency):
        return size * np.cos(frequency * T + 0.4) + slope * T

    def predict(self, **parameters):
        time.sleep(float(os.environ.get("RIPPLES_SECONDS", "0")) * len(parameters["slope"]))
        is_there = parameters["slope"] == float(os.environ.get("RIPPLES_FAILS_AT", "nan"))
        if (is_there & (parameters["frequency"] > float(os.environ.get("RIPPLES_FROM", "0")))).any():
            raise MemoryError("no room")
        return {"y": self.curve(**parameters)}
