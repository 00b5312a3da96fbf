"""Counts in bins: a signal of unknown strength over a background that is known to 10 %."""

import numpy as np

from hpcscan.model import Model, Parameter, Poisson

COUNTS = [12, 9, 14, 21, 30, 22, 11, 10]
BINS = np.arange(8.0)
SHAPE = 15 * np.exp(-0.5 * (BINS - 4) ** 2)


class Counts(Model):
    parameters = (
        Parameter("strength", 0.0, 5.0),
        Parameter("background", 0.5, 1.5, constraint=(1.0, 0.1)),  # a normal term of the likelihood
    )
    data = (Poisson("counts", COUNTS, x=BINS),)

    def predict(self, strength, background):
        return {"counts": strength * SHAPE + background * 11}
