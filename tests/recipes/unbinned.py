"""An unbinned fit: −2 ln L is all that the model gives."""

import numpy as np

from hpcscan.model import Likelihood, Parameter

rng = np.random.default_rng(1)
EVENTS = np.concatenate([rng.normal(1.5, 0.2, 100), rng.exponential(1.0, 400)])


class Unbinned(Likelihood):
    parameters = (
        Parameter("fraction", 0.0, 1.0),
        Parameter("lifetime", 0.3, 3.0),
        Parameter("mean", 1.0, 2.0),
        Parameter("width", 0.05, 0.5, constraint=(0.2, 0.02)),
    )

    def twice_nll(self, fraction, lifetime, mean, width):
        peak = np.exp(-0.5 * ((EVENTS - mean) / width) ** 2) / (width * np.sqrt(2 * np.pi))
        decay = np.exp(-EVENTS / lifetime) / lifetime * (EVENTS > 0)
        return -2 * np.log(fraction * peak + (1 - fraction) * decay).sum(axis=1)
